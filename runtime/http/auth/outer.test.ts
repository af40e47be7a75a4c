/** An app around the routes shares the context with them: nothing that it says there opens a route. */
import { expect, test } from "bun:test";
import type { Cronflow } from "cronflow-ffi";
import { type Context, Hono } from "hono";
import { managed } from "../management/managed.testing.ts";
import { ROUTES } from "../management/table.ts";

type Outer = (context: Context) => void;

/** The words that apps use for whoever is let in. */
const NAMES = ["isOpen", "open", "auth", "authorized", "isAuthorized", "authenticated", "user", "token", "skipAuth"];

const OUTERS: Readonly<Record<string, Outer>> = {
  "sets what apps set": (context) => {
    for (const name of NAMES) context.set(name as never, true as never);
  },
  "answers whatever is asked for": (context) => {
    Object.defineProperty(context, "get", { value: () => true });
    Object.defineProperty(context, "var", { value: new Proxy({}, { get: () => true, has: () => true }) });
  },
};

function inside(engine: Cronflow, outer: Outer): Hono {
  return new Hono()
    .use(async (context, next) => {
      outer(context);
      await next();
    })
    .route("/flows", engine.routes());
}

test.each(Object.entries(OUTERS))("an app that %s opens no route", async (_what, outer) => {
  const { engine } = await managed();
  const app = inside(engine, outer);
  for (const { method, path } of ROUTES) {
    const filled = `/flows/cronflow${path.replace(/:\w+/g, "x")}`;
    expect([filled, (await app.request(filled, { method })).status]).toEqual([filled, 401]);
  }
});

test.each(Object.entries(OUTERS))("an app that %s lets no page of another site in", async (_what, outer) => {
  const { engine } = await managed({ approvals: "token" });
  const app = inside(engine, outer);
  const init = { method: "POST", headers: { "sec-fetch-site": "cross-site" } };
  expect((await app.request("/flows/cronflow/approvals/x", init)).status).toBe(403);
  expect((await app.request("/flows/cronflow/approvals")).status).toBe(401);
});
