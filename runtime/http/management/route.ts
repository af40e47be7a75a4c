/** What a management route is: its row in the table, from which the routes and the OpenAPI document are made. */
import type { HtmlEscapedString } from "hono/utils/html";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { EngineVerbs, HttpEngine } from "../engine.ts";
import type { HttpOptions } from "../options.ts";
import { type JsonSchema, type ObjectSchema, object, type Schema } from "./schema.ts";

/** What a route works with. */
export interface Tools {
  readonly engine: HttpEngine;
  readonly verbs: EngineVerbs;
  /** Webhook requests that wait for their answer. */
  readonly pendingRequests: () => number;
}

/** What a request asks, read. */
export interface Input<Query, Body> {
  /** A part of the path, decoded. */
  readonly param: (name: string) => string;
  readonly query: Query;
  readonly body: Body;
}

/** How a request is answered, before it is written as JSON or as a page. */
export interface Outcome {
  readonly status: ContentfulStatusCode;
  /** Anything that JSON can say. */
  readonly body: object;
  /** Why the request was refused, if it was. */
  readonly error?: { readonly code: string; readonly message: string };
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Route {
  readonly method: "GET" | "POST";
  /** Below the prefix; `:name` is a parameter. */
  readonly path: string;
  /** Names it in the document. */
  readonly operationId: string;
  readonly summary: string;
  /** What the parameters of the path are, by name. */
  readonly params: Readonly<Record<string, Schema<string>>>;
  readonly query: ObjectSchema<unknown>;
  /** Absent: the route takes no body. */
  readonly body: Schema<unknown> | undefined;
  /** Whether there must be a body; without one it is as if it were `{}`, or `undefined` where any JSON is taken. */
  readonly isBodyRequired: boolean;
  /** The status of success, and what is answered then. */
  readonly success: { readonly status: 200 | 202; readonly description: string; readonly schema: JsonSchema };
  /** What else may be answered, beside what any route may. */
  readonly refusals: readonly (404 | 409)[];
  /** Whether it needs no auth. Default: it does. */
  readonly isOpen?: ((options: HttpOptions) => boolean) | undefined;
  /** For people: what success shows those who ask for HTML, or who send the form of such a page, instead of JSON. */
  readonly page?: ((answer: object) => Html) | undefined;
  readonly handle: (tools: Tools, input: Input<unknown, unknown>) => object | Promise<object>;
}

type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

/** A row as it is written: what is left out is empty. */
export interface RouteSpec<Query, Body, Answer>
  extends Omit<Route, "params" | "query" | "body" | "isBodyRequired" | "refusals" | "page" | "handle"> {
  readonly params?: Route["params"];
  readonly query?: ObjectSchema<Query>;
  readonly body?: Schema<Body>;
  readonly isBodyRequired?: boolean;
  readonly refusals?: Route["refusals"];
  handle(tools: Tools, input: Input<Query, Body>): Answer | Promise<Answer>;
  page?(answer: Answer): Html;
}

/** Checks a row against its own schemas, and forgets what they are, so that rows fit into one table. */
export function route<Query = unknown, Body = unknown, Answer extends object = object>(
  spec: RouteSpec<Query, Body, Answer>,
): Route {
  const { params = {}, query = NO_QUERY, body, isBodyRequired = false, refusals = [] } = spec;
  return {
    ...spec,
    params,
    query,
    body,
    isBodyRequired,
    refusals,
    // What is handed over was read by the schemas above, and what is shown is what this row has answered.
    handle: (tools, input) => spec.handle(tools, input as Input<Query, Body>),
    page: spec.page && ((answer) => (spec.page as (answer: object) => Html)(answer)),
  };
}

const NO_QUERY: ObjectSchema<unknown> = object({});
