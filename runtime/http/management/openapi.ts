/** The OpenAPI document of a table of routes. */
import { VERSION } from "../../native/generated.ts";
import { MANAGEMENT_PREFIX } from "../prefix.ts";
import type { Route } from "./route.ts";
import type { JsonSchema } from "./schema.ts";
import { SHAPES, shapeOf } from "./shapes.ts";

/** What may be refused, and what it means. */
const REFUSALS: Readonly<Record<number, string>> = {
  400: "A parameter or the body is wrong; `issues` says where.",
  401: "The credentials are missing or wrong.",
  403: "The request comes from another site (`cross_site`), or there is no `auth` and it comes from another machine (`auth_not_configured`).",
  404: "What the path names does not exist.",
  408: "The body did not arrive in time.",
  409: "It is too late, or contradicts what is recorded.",
  413: "The body is too large.",
  415: "The body is not JSON.",
  500: "The engine is damaged; the log says why.",
  503: "The engine cannot do it now. With the code `call_timeout` it may have happened all the same: look, or repeat it.",
};
const OF_ANY_ROUTE = [400, 401, 403, 500, 503];
const OF_BODIES = [408, 413, 415];

const PARAMETER = /:(\w+)/g;

/** Relative to where the document was read: a server behind a framework or a proxy does not know its own address. */
const BASE = `..${MANAGEMENT_PREFIX}`;

/** An OpenAPI 3.1 document. */
export function openApi(routes: readonly Route[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = route.path.replace(PARAMETER, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "cronflow-ffi management",
      version: VERSION,
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: BASE }],
    security: [{ bearer: [] }],
    paths,
    components: {
      schemas: SHAPES,
      responses: Object.fromEntries(
        Object.entries(REFUSALS).map(([status, description]) => [
          `Refused${status}`,
          { description, content: { "application/json": { schema: shapeOf("Error") } } },
        ]),
      ),
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "Unless `auth` is a middleware, which decides itself." },
      },
    },
  };
}

function operation(route: Route): object {
  const { operationId, summary, success, body, isOpen } = route;
  return {
    operationId,
    summary,
    ...(isOpen !== undefined && {
      description: 'With `approvals: "token"` it needs no auth but the token in its path.',
    }),
    parameters: [...pathParameters(route), ...queryParameters(route)],
    ...(body !== undefined && {
      requestBody: { required: route.isBodyRequired, content: contentOf(route, body.json) },
    }),
    responses: {
      [success.status]: { description: success.description, content: contentOfAnswer(route, success.schema) },
      ...Object.fromEntries(
        refusals(route).map((status) => [status, { $ref: `#/components/responses/Refused${status}` }]),
      ),
    },
  };
}

/** Every status a route may refuse a request with. */
export function refusals({ refusals, body }: Route): number[] {
  const all = [...OF_ANY_ROUTE, ...refusals, ...(body === undefined ? [] : OF_BODIES)];
  return all.sort((one, other) => one - other);
}

function pathParameters({ path, params }: Route): object[] {
  return [...path.matchAll(PARAMETER)].map(([, name = ""]) => {
    const { description, ...schema } = params[name]?.json ?? {};
    return { name, in: "path", required: true, description, schema };
  });
}

function queryParameters({ query }: Route): object[] {
  return Object.entries(query.fields).map(([name, { json }]) => {
    const { description, ...schema } = json;
    return { name, in: "query", required: false, description, schema };
  });
}

function contentOf({ page }: Route, schema: JsonSchema): object {
  return {
    "application/json": { schema },
    ...(page !== undefined && { "application/x-www-form-urlencoded": { schema } }),
  };
}

function contentOfAnswer({ page }: Route, schema: JsonSchema): object {
  return { "application/json": { schema }, ...(page !== undefined && { "text/html": { schema: { type: "string" } } }) };
}
