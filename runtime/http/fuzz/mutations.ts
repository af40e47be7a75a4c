/** What is done to a request that was right. Most stay nearly right, so that they come far. */
import { hostileBody } from "./bodies.ts";
import { contentType, headerName, headerValue, method, oddText, site } from "./hostile.ts";
import { dropHeader, type Plan, setHeader } from "./plan.ts";
import type { Random } from "./random.ts";

type Mutation = (plan: Plan, random: Random) => void;

const MUTATIONS: readonly (readonly [weight: number, mutation: Mutation])[] = [
  [30, changeBody],
  [5, changeMethod],
  [10, changePath],
  [8, addQuery],
  [8, addHeader],
  [5, dropAnyHeader],
  [4, repeatAnyHeader],
  [4, (plan, random) => setHeader(plan, "content-type", contentType(random))],
  [4, (plan, random) => setHeader(plan, random.pick(["origin", "sec-fetch-site"]), site(random))],
  [3, (plan, random) => setHeader(plan, "authorization", headerValue(random))],
  [2, (plan, random) => setHeader(plan, "content-length", String(random.int(2_000)))],
  [6, changeDelivery],
];

const COUNTS = [
  [30, 0],
  [45, 1],
  [18, 2],
  [7, 4],
] as const;
/** Signatures are made anew in most cases: what is behind them is to be reached. */
const SEALED_ANEW = 0.7;

export function mutate(plan: Plan, random: Random): void {
  const count = random.weighted(COUNTS);
  for (let done = 0; done < count; done += 1) {
    const { body } = plan;
    random.weighted(MUTATIONS)(plan, random);
    if (plan.body !== body && random.chance(SEALED_ANEW)) plan.seal?.(plan);
  }
}

function changeBody(plan: Plan, random: Random): void {
  plan.body = hostileBody(plan.body ?? new Uint8Array(), random);
}

function changeMethod(plan: Plan, random: Random): void {
  plan.method = method(random);
}

function changeDelivery(plan: Plan, random: Random): void {
  plan.delivery = random.chance(0.8) ? "pieces" : "broken";
}

function changePath(plan: Plan, random: Random): void {
  const [path = "", query] = plan.target.split("?", 2);
  const segments = path.split("/");
  if (segments.length === 1) return; // It was changed before.
  const at = Math.min(1 + random.int(segments.length), segments.length - 1);
  const changed = random.weighted<() => string>([
    [8, () => segments.with(at, oddText(random)).join("/")],
    [2, () => segments.toSpliced(at, 0, oddText(random)).join("/")],
    [2, () => segments.toSpliced(at, 1).join("/") || "/"],
    [2, () => `${path}/`],
    [1, () => `/${path}`],
    [1, () => path.toUpperCase()],
    [2, () => path.replace(/[a-z]/, (letter) => `%${letter.charCodeAt(0).toString(16)}`)],
    [1, () => path.replaceAll("/", random.pick(["\\", "%2f", "//", "/./", "/x/../"]))],
    [1, () => `http://evil.example${path}`],
  ])();
  plan.target = query === undefined ? changed : `${changed}?${query}`;
}

function addQuery(plan: Plan, random: Random): void {
  const name = random.chance(0.5) ? random.pick(["limit", "status", "since", "cursor", "workflowId"]) : oddText(random);
  const sign = plan.target.includes("?") ? "&" : "?";
  plan.target += `${sign}${name}=${oddText(random)}${random.chance(0.2) ? `&${name}=${oddText(random)}` : ""}`;
}

function addHeader(plan: Plan, random: Random): void {
  plan.headers.push([headerName(random), headerValue(random)]);
}

function dropAnyHeader(plan: Plan, random: Random): void {
  if (plan.headers.length > 0) dropHeader(plan, random.pick(plan.headers)[0]);
}

/** With the same value: credentials stay where they belong. */
function repeatAnyHeader(plan: Plan, random: Random): void {
  if (plan.headers.length > 0) plan.headers.push(random.pick(plan.headers));
}
