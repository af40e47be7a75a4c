/** 20,000 hostile requests of a fixed seed and of one that is new each time. `bun build.ts fuzz` sends a million. */
import { expect, test } from "bun:test";
import { ROUTES } from "../management/table.ts";
import { fuzz, type Report } from "./fuzz.ts";
import { growth } from "./memory.ts";

const FIXED_SEED = 1;
const NEW_SEED = crypto.getRandomValues(new Uint32Array(1))[0] as number;
const REQUESTS = 10_000;
const WEBHOOKS = [
  "files",
  "github",
  "guarded",
  "hmac",
  "orders",
  "removals",
  "slack",
  "small",
  "standard",
  "stripe",
  "sums",
  "trees",
];
/** What a request may be answered with: all of it must have come. */
const STATUSES = [200, 202, 204, 400, 401, 403, 404, 405, 409, 413, 415, 504];

test.each([FIXED_SEED, NEW_SEED])(
  "hostile requests of the seed %d do no harm",
  async (seed) => {
    const report = await fuzz({ seed, requests: REQUESTS });
    expect(report.faults, `seed ${seed}`).toEqual([]);
    expect(growth(report.memory, REQUESTS).fault, `seed ${seed}`).toBeUndefined();
    checkReach(report);
  },
  120_000,
);

/** Requests came in everywhere: what is refused at the door shows nothing of what is behind it. */
function checkReach({ tally }: Report): void {
  for (const status of STATUSES) expect(tally.of(status), `answers of ${status}`).toBeGreaterThan(0);
  for (const kind of [...WEBHOOKS, ...ROUTES.map((route) => route.operationId), "health", "preflight"]) {
    expect(tally.taken.get(kind) ?? 0, `${kind} with success`).toBeGreaterThan(0);
  }
}
