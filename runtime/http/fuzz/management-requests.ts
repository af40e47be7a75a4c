/** Requests to the management routes that are right, made of the route table: a new route is attacked by itself. */
import type { Route } from "../management/route.ts";
import type { JsonSchema } from "../management/schema.ts";
import { ROUTES } from "../management/table.ts";
import { jsonPlan, type Plan, setHeader } from "./plan.ts";
import type { Random } from "./random.ts";
import type { Ring } from "./ring.ts";
import { type Target, TOKEN } from "./target.ts";

const encoder = new TextEncoder();
const NO_RUN = "run_0000000000000";
const PREFLIGHTS = 0.03;

export function managementRequest(random: Random, target: Target): Plan {
  const route = random.pick(ROUTES);
  const path = route.path.replace(/:(\w+)/g, (_, name: string) =>
    encodeURIComponent(part(route, name, random, target)),
  );
  if (random.chance(PREFLIGHTS)) return preflight(`/cronflow${path}`, route.method);
  const body = route.body === undefined ? undefined : valueFor(route.body.json, random, "");
  const plan = jsonPlan(route.operationId, route.method, `/cronflow${path}${query(route, random)}`, body);
  if (!isOpen(route) || random.chance(0.5)) setHeader(plan, "authorization", `Bearer ${TOKEN}`);
  if (route.page !== undefined && random.chance(0.5)) asPerson(plan, body, random);
  return plan;
}

/** What a browser asks before a page of another origin may send something. */
function preflight(target: string, method: string): Plan {
  const plan = jsonPlan("preflight", "OPTIONS", target, undefined);
  setHeader(plan, "origin", "https://friend.example");
  setHeader(plan, "access-control-request-method", method);
  setHeader(plan, "access-control-request-headers", "authorization, content-type");
  return plan;
}

function isOpen({ isOpen }: Route): boolean {
  return isOpen !== undefined;
}

/** A part of the path: one that exists, most times. */
function part({ path, operationId }: Route, name: string, random: Random, target: Target): string {
  if (random.chance(0.05)) return random.word();
  if (name === "token") return target.approvals.pick(random, "none");
  if (name === "name") return random.pick(["grown", "unheard"]);
  if (path.startsWith("/workflows")) return random.pick(["asks", "adds", "orders"]);
  return runIdsFor(operationId, target).pick(random, NO_RUN);
}

/** Of runs in the state that an operation is for, most times: mutations make the other times. */
function runIdsFor(operationId: string, target: Target): Ring {
  if (operationId === "cancelRun") return target.waitingRunIds;
  return operationId === "retryRun" ? target.failedRunIds : target.runIds;
}

function query({ query }: Route, random: Random): string {
  const given = Object.entries(query.fields).filter(([name]) => random.chance(name === "limit" ? 0.9 : 0.3));
  if (given.length === 0) return "";
  return `?${new URLSearchParams(given.map(([name, { json }]): [string, string] => [name, String(valueFor(json, random, name))]))}`;
}

/** As a page's form is sent, or a page is asked for. */
function asPerson(plan: Plan, body: unknown, random: Random): void {
  setHeader(plan, "accept", "text/html,*/*;q=0.8");
  if (typeof body !== "object" || body === null) return;
  const form = new URLSearchParams({ approved: random.pick(["true", "false"]), comment: random.word() });
  plan.body = encoder.encode(form.toString());
  setHeader(plan, "content-type", "application/x-www-form-urlencoded");
}

/** A value that a schema of the table takes; names say what would exist. */
function valueFor(schema: JsonSchema, random: Random, name: string): unknown {
  const { type, enum: words, examples, minimum = 0, maximum = 1_000, properties } = schema;
  if (words !== undefined) return random.pick(words);
  if (name === "workflowId") return random.pick(["asks", "adds", "orders"]);
  if (name === "fromStep") return random.pick(["look", "boss", "two"]);
  if (name === "delay") return random.pick([0, 1, "5ms"]);
  if (name === "limit") return random.pick([1, 2, 5, 10, 1_000]);
  if (examples !== undefined) return random.pick(examples);
  if (type === "integer" || type === "number") return minimum + random.int(maximum - minimum + 1);
  if (type === "boolean") return random.chance(0.5);
  if (type === "string") return random.word();
  if (type === "object") {
    const fields = Object.entries(properties ?? { [random.word()]: {} });
    const given = fields.filter(([field]) => schema.required?.includes(field) || random.chance(0.5));
    return Object.fromEntries(given.map(([field, json]) => [field, valueFor(json, random, field)]));
  }
  return { value: random.int(100), children: [] };
}
