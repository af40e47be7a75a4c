/** Reads what a request asks, by the schemas of its route. */
import type { Context, HonoRequest } from "hono";
import { LIMITS } from "../../native/generated.ts";
import { queryOf } from "../address.ts";
import { isDeeper } from "../depth.ts";
import { paramsOf } from "../params.ts";
import { bytesOf } from "./body.ts";
import { Refused } from "./failure.ts";
import type { Input, Route } from "./route.ts";
import { type Schema, Unfit } from "./schema.ts";

const FORM = "application/x-www-form-urlencoded";

/** @param timeoutMs How long the body may take to arrive. */
export async function readInput(context: Context, route: Route, timeoutMs: number): Promise<Input<unknown, unknown>> {
  const request = context.req;
  const given = paramsOf(context);
  const params: Record<string, string> = {};
  for (const [name, schema] of Object.entries(route.params)) {
    params[name] = schema.read(given[name], `$path.${name}`);
  }
  const query = route.query.read(fieldsOf(new URLSearchParams(queryOf(request.url)), route.query, "$query"), "$query");
  const body = route.body === undefined ? undefined : await readBody(request, route, route.body, timeoutMs);
  return { param: (name) => params[name] ?? "", query, body };
}

/** Whether the sender is a page's form. */
export function isForm(request: HonoRequest, { page }: Route): boolean {
  return page !== undefined && mediaType(request) === FORM;
}

async function readBody(
  request: HonoRequest,
  route: Route,
  schema: Schema<unknown>,
  timeoutMs: number,
): Promise<unknown> {
  const text = textOf(await bytesOf(request, timeoutMs));
  if (text === "" && !route.isBodyRequired) return schema.fields === undefined ? undefined : schema.read({}, "$");
  if (isForm(request, route)) {
    const fields = new URLSearchParams(text);
    for (const [name, value] of [...fields]) if (value === "") fields.delete(name, value);
    return schema.read(fieldsOf(fields, schema, "$"), "$");
  }
  const type = mediaType(request);
  if (type !== "application/json" && !type.endsWith("+json")) {
    throw new Refused(415, "unsupported_media_type", "Send JSON, with the content type application/json.");
  }
  return schema.read(parse(text), "$");
}

function mediaType(request: HonoRequest): string {
  return request.header("content-type")?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

/** Texts by name; each is what the field of that name makes of it. */
function fieldsOf(params: URLSearchParams, { fields = {} }: Schema<unknown>, path: string): Record<string, unknown> {
  const read = new Map<string, unknown>();
  for (const [name, text] of params) {
    if (read.has(name)) throw new Unfit([{ path: `${path}.${name}`, message: "is given twice" }]);
    const fromText = Object.hasOwn(fields, name) ? fields[name]?.fromText : undefined;
    read.set(name, fromText === undefined ? text : fromText(text));
  }
  return Object.fromEntries(read);
}

const decoder = new TextDecoder("utf-8", { fatal: true });

function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw bodyInvalid("not UTF-8");
  }
}

/** Levels that a body may have around a recorded value: its own, and that of the outputs of `replay`. */
const LEVELS_AROUND = 2;
const DEEPEST = LIMITS.VALUE_DEPTH + LEVELS_AROUND;

function parse(text: string): unknown {
  if (isDeeper(text, DEEPEST)) throw bodyInvalid(`nested deeper than ${DEEPEST} levels`);
  try {
    return JSON.parse(text);
  } catch {
    throw bodyInvalid("not JSON");
  }
}

function bodyInvalid(message: string): Refused {
  return new Refused(400, "body_invalid", "The body is not valid.", [{ path: "$", message }]);
}
