import { expect, onTestFinished, test } from "bun:test";
import { NonRetryableError } from "cronflow-ffi";
import { testEngine } from "../../runtime/testing/engines.ts";
import { called, thrownBy } from "../lib/called.testing.ts";
import { template } from "./index.ts";

const AUTH = { token: "a token" };

test("it asks, and tells what may be tried again", async () => {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ url, headers }) => {
      const { pathname } = new URL(url);
      if (pathname !== "/ok") return new Response(null, { status: Number(pathname.slice(1)) });
      return Response.json(headers.get("authorization"));
    },
  });
  onTestFinished(() => server.stop(true));
  const { ask } = await called(template.withConfig({ config: { url: server.url.href }, auth: AUTH }));
  expect(await ask("/ok")).toBe("Bearer a token");
  expect((await thrownBy(() => ask("/404"))).cause).toBeInstanceOf(NonRetryableError);
  expect((await thrownBy(() => ask("/500"))).cause).not.toBeInstanceOf(NonRetryableError);
});

test("its trigger starts runs", async () => {
  const engine = testEngine();
  const { promise, resolve } = Promise.withResolvers<unknown>();
  engine
    .define({ id: "ticks" })
    .onService(template.withConfig({ config: { url: "http://127.0.0.1" }, auth: AUTH }), "onTick", { everyMs: 1 })
    .action("tick", (ctx) => resolve(ctx.payload));
  await engine.start();
  expect(await promise).toEqual({ tick: 1 });
});
