/** What is recorded of a request, as `ctx.trigger`. */
import type { Context } from "hono";
import { queryOf } from "../address.ts";

type Recorder = (context: Context, rawBody: string | undefined) => string;

/**
 * Writes down the requests of one webhook. What is the same for all of them is written once.
 *
 * @param headersOf What may be recorded of headers.
 */
export function triggerRecorder(
  method: string,
  path: string,
  headersOf: (headers: Headers) => Readonly<Record<string, string>>,
): Recorder {
  const begin = (actual: string): string => `{"type":"webhook","method":"${method}","path":${JSON.stringify(actual)}`;
  const usual = begin(path);
  const hasParams = /[:*]/.test(path);
  return ({ req }, rawBody) => {
    // Under a prefix it is another. Hono decodes paths, so there may be anything in it.
    const first = req.path === path ? usual : begin(req.path.toWellFormed());
    const params = hasParams ? paramsText(req.param()) : "{}";
    const headers = JSON.stringify(headersOf(req.raw.headers));
    const body = rawBody === undefined ? "" : `,"rawBody":${JSON.stringify(rawBody)}`;
    return `${first},"params":${params},"query":${queryText(req.raw.url)},"headers":${headers}${body}}`;
  };
}

function paramsText(params: Readonly<Record<string, string>>): string {
  const recorded = Object.entries(params).map(([name, value]) => [name, value.toWellFormed()]);
  return JSON.stringify(Object.fromEntries(recorded));
}

/** A name that is there several times has a list. */
function queryText(url: string): string {
  const text = queryOf(url);
  if (text === "") return "{}";
  const query = new Map<string, string | string[]>();
  for (const [name, value] of new URLSearchParams(text)) {
    const before = query.get(name);
    if (before === undefined) query.set(name, value);
    else if (typeof before === "string") query.set(name, [before, value]);
    else before.push(value);
  }
  return JSON.stringify(Object.fromEntries(query));
}
