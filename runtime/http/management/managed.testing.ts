/** For tests: an engine with something to manage, and a client that holds every answer against the OpenAPI document. */
import { expect } from "bun:test";
import { Ajv2020 } from "ajv/dist/2020";
import type { Cronflow, StartOptions } from "cronflow-ffi";
import { z } from "zod";
import { testEngine } from "../../testing/engines.ts";
import { openApi } from "./openapi.ts";
import { ROUTES } from "./table.ts";

export const TOKEN = "token-of-tests-0123456789";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The parsed JSON. */
  readonly body: unknown;
}

export interface Managed {
  readonly engine: Cronflow;
  /** Mends `fails`. */
  mend(): void;
  /** The token of the next request for approval. */
  nextToken(): Promise<string>;
  /** Sends a request with the right credentials; its answer is one that the document knows. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
}

const PAID = z.object({ amount: z.number() });

/** A started engine with the workflows `adds`, `listens`, `fails` and `asks`. */
export async function managed(options: StartOptions = {}): Promise<Managed> {
  const engine = testEngine({ auth: TOKEN, ...options });
  const tokens: string[] = [];
  const waiting: ((token: string) => void)[] = [];
  let isMended = false;
  engine
    .define({ id: "adds", name: "Adds", description: "Adds one.", version: "1", tags: ["sums"] })
    .onWebhook("/adds", { method: "PUT" })
    .manual()
    .onSchedule("0 2 29 2 *", { name: "leap", timezone: "UTC" })
    .onInterval("1d", { name: "daily" })
    .onPoll(() => [], { name: "asked", interval: "1d" })
    .step("one", (ctx) => Number(ctx.payload) + 1)
    .action("tell", () => {});
  engine
    .define({ id: "listens" })
    .onEvent("paid", { schema: PAID })
    .step("amount", (ctx) => ctx.payload.amount);
  engine.define({ id: "fails" }).step("broken", () => {
    if (!isMended) throw Object.assign(new Error("broken"), { code: "E_BROKEN" });
    return "mended";
  });
  engine
    .define({ id: "asks" })
    .humanInTheLoop({
      name: "boss",
      description: "May <we>?",
      metadata: { "<b>amount</b>": '"5"' },
      timeout: "1d",
      onPause: (_, token) => {
        const take = waiting.shift();
        if (take === undefined) tokens.push(token);
        else take(token);
      },
    })
    .step("end", (ctx) => ctx.last);
  await engine.start(options);
  return {
    engine,
    mend: () => {
      isMended = true;
    },
    nextToken: () => {
      const token = tokens.shift();
      return token === undefined ? new Promise((take) => waiting.push(take)) : Promise.resolve(token);
    },
    call: (method, path, body, headers = {}) => call(engine, method, path, body, headers),
  };
}

async function call(
  engine: Cronflow,
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string>,
): Promise<Answer> {
  const request = new Request(`http://localhost/cronflow${path}`, {
    method,
    headers: {
      authorization: `Bearer ${TOKEN}`,
      ...(body !== undefined && { "content-type": "application/json" }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const response = await engine.fetch(request);
  const answer = { status: response.status, headers: response.headers, body: await response.json() };
  const unknown = deviation(method, path, answer);
  expect(unknown, `${method} ${path} → ${answer.status} ${JSON.stringify(answer.body)}`).toBeUndefined();
  return answer;
}

/** Parses a JSON body of one request and gives what was answered to it; where it differs from the document, if it does. */
export function deviation(
  method: string,
  path: string,
  { status, body }: Pick<Answer, "status" | "body">,
): string | undefined {
  const route = ROUTES.find((one) => one.method === method && pattern(one.path).test(path));
  if (route === undefined) return errorDeviation(body);
  const { paths } = DOCUMENT as unknown as {
    paths: Record<string, Record<string, { responses: Record<string, object> }>>;
  };
  const template = route.path.replace(/:(\w+)/g, "{$1}");
  if (paths[template]?.[method.toLowerCase()]?.responses[status] === undefined)
    return `status ${status} is not documented`;
  if (status >= 400) return errorDeviation(body);
  return validated(route.success.schema.$ref ?? "", body);
}

function errorDeviation(body: unknown): string | undefined {
  return validated("#/components/schemas/Error", body);
}

function validated(reference: string, body: unknown): string | undefined {
  const validate = ajv.getSchema(`document${reference}`);
  if (validate === undefined) return `there is no schema ${reference}`;
  return validate(body) ? undefined : ajv.errorsText(validate.errors);
}

function pattern(path: string): RegExp {
  return new RegExp(`^${path.replace(/[.]/g, "\\.").replace(/:\w+/g, "[^/?]+")}(?:\\?.*)?$`);
}

/** The document as it is, but that fields which it does not name are errors: whoever adds one must say so there. */
const DOCUMENT = closed(JSON.parse(JSON.stringify(openApi(ROUTES)))) as Record<string, unknown>;

function closed(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(closed);
  const object = Object.fromEntries(Object.entries(value).map(([name, field]) => [name, closed(field)]));
  const isClosed = "properties" in object && "required" in object && !("additionalProperties" in object);
  return isClosed ? { ...object, additionalProperties: false } : object;
}

const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addFormat("date-time", /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/);
ajv.addSchema(DOCUMENT, "document");
