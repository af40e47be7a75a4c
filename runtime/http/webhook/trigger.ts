/** What is recorded of a request, as `ctx.trigger`. */
import type { Context } from "hono";
import { queryOf } from "../address.ts";
import { paramsOf } from "../params.ts";
import { REDACTED, recordedHeaders } from "./redaction.ts";

type Recorder = (context: Context, rawBody: string | undefined) => string;

/**
 * Writes down the requests of one webhook. What is the same for all of them is written once.
 *
 * @param isRedacted Whose values are not recorded, by the name of the header or parameter.
 */
export function triggerRecorder(method: string, path: string, isRedacted: (name: string) => boolean): Recorder {
  const begin = (actual: string): string => `{"type":"webhook","method":"${method}","path":${JSON.stringify(actual)}`;
  const usual = begin(path);
  const hasParams = /[:*]/.test(path);
  return (context, rawBody) => {
    const { req } = context;
    // Under a prefix it is another. Hono decodes paths, so there may be anything in it.
    const first = req.path === path ? usual : begin(req.path.toWellFormed());
    const params = hasParams ? paramsText(paramsOf(context)) : "{}";
    const headers = JSON.stringify(recordedHeaders(req.raw.headers, isRedacted));
    const body = rawBody === undefined ? "" : `,"rawBody":${JSON.stringify(rawBody)}`;
    return `${first},"params":${params},"query":${queryText(req.raw.url, isRedacted)},"headers":${headers}${body}}`;
  };
}

function paramsText(params: Readonly<Record<string, string>>): string {
  const recorded = Object.entries(params).map(([name, value]) => [name, value.toWellFormed()]);
  return JSON.stringify(Object.fromEntries(recorded));
}

/** A name that is there several times has a list. */
function queryText(url: string, isRedacted: (name: string) => boolean): string {
  const text = queryOf(url);
  if (text === "") return "{}";
  const query = new Map<string, string | string[]>();
  for (const [name, given] of new URLSearchParams(text)) {
    const value = isRedacted(name.toLowerCase()) ? REDACTED : given;
    const before = query.get(name);
    if (before === undefined) query.set(name, value);
    else if (typeof before === "string") query.set(name, [before, value]);
    else before.push(value);
  }
  return JSON.stringify(Object.fromEntries(query));
}
