/** Requests for approval, as users see them. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { ConflictError, type Cronflow, NotFoundError } from "cronflow-ffi";
import { temporaryDirectory, testEngine } from "./testing/engines.ts";

/** Gives what it is told, in the order it is told. */
function mailbox<T = string>(): { put(value: T): void; next(): Promise<T> } {
  const values: T[] = [];
  const waiting: ((value: T) => void)[] = [];
  return {
    put: (value) => {
      const take = waiting.shift();
      if (take === undefined) values.push(value);
      else take(value);
    },
    next: () => (values.length > 0 ? Promise.resolve(values.shift() as T) : new Promise((take) => waiting.push(take))),
  };
}

function approving(engine: Cronflow, timeout?: number) {
  const mail = mailbox();
  const workflow = engine
    .define({ id: "approves" })
    .step("amount", () => 5)
    .humanInTheLoop({
      name: "boss",
      description: "May we?",
      metadata: { amount: 5 },
      ...(timeout !== undefined && { timeout }),
      onPause: (_, token) => mail.put(token),
    })
    .step("end", (ctx) => ctx.last);
  return { mail, workflow };
}

test.each([
  [undefined, { approved: true, timedOut: false, status: "approved" }],
  [
    { approved: true, by: "me" },
    { approved: true, timedOut: false, status: "approved", by: "me" },
  ],
  [
    { approved: false, why: ["too dear"] },
    { approved: false, timedOut: false, status: "rejected", why: ["too dear"] },
  ],
])("resume with %p gives the answer", async (answer, expected) => {
  const engine = testEngine();
  const { mail, workflow } = approving(engine);
  await engine.start();
  const runId = await engine.trigger(workflow, undefined);
  const token = await mail.next();
  expect(token).toMatch(/^[0-9a-f]{64}$/);
  const request = { runId, workflowId: "approves", step: "boss", scope: "", status: "open", description: "May we?" };
  expect(await engine.listPausedWorkflows()).toMatchObject([{ ...request, metadata: { amount: 5 } }]);
  expect(await engine.listPausedWorkflows({ workflowId: "other" })).toEqual([]);
  await engine.resume(token, answer);
  expect(await engine.result(runId)).toEqual(expected);
  expect(await engine.listPausedWorkflows()).toEqual([]);
  expect(await engine.getPausedWorkflow(token)).toMatchObject({ runId, status: expected.status });
});

test("the three words of the answer are the engine's, whatever the answer says", async () => {
  const engine = testEngine();
  const { mail, workflow } = approving(engine);
  await engine.start();
  const runId = await engine.trigger(workflow, undefined);
  await engine.resume(await mail.next(), { approved: false, timedOut: true, status: "made up", note: "n" });
  expect(await engine.result(runId)).toMatchObject({ approved: false, timedOut: false, status: "rejected", note: "n" });
});

test("an unknown, a used and an expired token are three different errors", async () => {
  const engine = testEngine();
  const { mail, workflow } = approving(engine, 300);
  await engine.start();
  const used = await engine.trigger(workflow, undefined);
  const usedToken = await mail.next();
  await engine.resume(usedToken);
  await engine.result(used);
  const expired = await engine.trigger(workflow, undefined);
  const expiredToken = await mail.next();
  expect(await engine.result(expired)).toEqual({ approved: false, timedOut: true, status: "timeout" });
  for (const [token, code, type] of [
    ["unknown", "token_unknown", NotFoundError],
    ["", "token_unknown", NotFoundError],
    [usedToken, "token_used", ConflictError],
    [expiredToken, "token_expired", ConflictError],
  ] as const) {
    const error = await engine.resume(token).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(type);
    expect(error).toMatchObject({ code });
  }
  expect(engine.getPausedWorkflow("unknown")).rejects.toMatchObject({ code: "token_unknown" });
  expect(await engine.getPausedWorkflow(expiredToken)).toMatchObject({ status: "expired" });
});

test("the token of a cancelled run is used up", async () => {
  const engine = testEngine();
  const { mail, workflow } = approving(engine);
  await engine.start();
  const runId = await engine.trigger(workflow, undefined);
  const token = await mail.next();
  await engine.cancelRun(runId);
  expect(engine.resume(token)).rejects.toMatchObject({ code: "token_used" });
  expect(await engine.listPausedWorkflows()).toEqual([]);
});

test("of 1,000 redemptions of one token one succeeds", async () => {
  const engine = testEngine();
  const { mail, workflow } = approving(engine);
  await engine.start();
  const runId = await engine.trigger(workflow, undefined);
  const token = await mail.next();
  const answers = await Promise.allSettled(
    Array.from({ length: 1_000 }, (_, number) => engine.resume(token, { number })),
  );
  const winners = answers.flatMap(({ status }, number) => (status === "fulfilled" ? [number] : []));
  expect(winners).toHaveLength(1);
  expect(await engine.result(runId)).toMatchObject({ number: winners[0] });
  const refused = answers.flatMap((answer) => (answer.status === "rejected" ? [answer.reason.code] : []));
  expect(new Set(refused)).toEqual(new Set(["token_used"]));
});

test("onPause that fails is tried again with the same token; so is one whose process died", async () => {
  const database = join(temporaryDirectory(), "pause.db");
  const mail = mailbox();
  const define = (engine: Cronflow, onPause: (token: string) => unknown) =>
    engine
      .define({ id: "pauses" })
      .humanInTheLoop({ onPause: (_, token) => onPause(token) })
      .retry({ attempts: 3, backoff: { delay: 0 } });
  const before = testEngine({ database });
  let calls = 0;
  define(before, (token) => {
    mail.put(token);
    calls += 1;
    return calls === 1 ? Promise.reject(new Error("the mail server is down")) : new Promise(() => {});
  });
  await before.start();
  const runId = await before.trigger("pauses");
  const tokens = [await mail.next(), await mail.next()];
  await before.stop({ timeout: 0 });
  const after = testEngine({ database });
  define(after, (token) => mail.put(token));
  await after.start();
  tokens.push(await mail.next());
  expect(new Set(tokens).size).toBe(1);
  await after.resume(tokens[0] as string, { by: "me" });
  expect(await after.result(runId)).toMatchObject({ approved: true, by: "me" });
});

test("an answer before onPause has ended counts", async () => {
  const engine = testEngine();
  const reasons: string[] = [];
  engine.define({ id: "quick" }).humanInTheLoop({
    onPause: async (ctx, token) => {
      ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason.name));
      await engine.resume(token, { early: true });
    },
  });
  await engine.start();
  expect(await engine.execute("quick")).toMatchObject({ approved: true, early: true });
});

test("onPause that fails for good fails the approval, and onError saves it", async () => {
  const engine = testEngine();
  const onPause = (): never => {
    throw new Error("no mail server");
  };
  engine.define({ id: "fails" }).humanInTheLoop({ onPause });
  engine
    .define({ id: "saved" })
    .humanInTheLoop({ onPause })
    .onError((ctx) => ({ saved: ctx.error.message }));
  await engine.start();
  expect(engine.execute("fails")).rejects.toThrow("no mail server");
  expect(await engine.execute("saved")).toEqual({ saved: "no mail server" });
  expect(await engine.listPausedWorkflows()).toEqual([]);
});

test("onTimeout is called when nobody has answered, and changes no answer", async () => {
  const engine = testEngine();
  const calls: unknown[] = [];
  engine
    .define({ id: "late" })
    .step("x", () => "before")
    .humanInTheLoop({
      timeout: 5,
      onTimeout: (ctx) => {
        calls.push(ctx.last);
        return { approved: true };
      },
    });
  await engine.start();
  expect(await engine.execute("late")).toEqual({ approved: false, timedOut: true, status: "timeout" });
  expect(calls).toEqual(["before"]);
});

test("each item of a loop has a request of its own, and approvalUrl makes the address of the token", async () => {
  const engine = testEngine();
  const mail = mailbox<{ item: string; token: string; url: string | undefined }>();
  const workflow = engine.define({ id: "each" }).forEach(
    "l",
    ["a", "b"],
    (item, flow) =>
      flow
        .humanInTheLoop({
          name: "ask",
          approvalUrl: (token) => `https://example.com/${token}`,
          onPause: (ctx, token) => mail.put({ item: ctx.item, token, url: ctx.approvalUrl }),
        })
        .step("x", (ctx) => `${item}: ${ctx.last.status}`),
    { concurrency: 2 },
  );
  await engine.start();
  const runId = await engine.trigger(workflow, undefined);
  const requests = [await mail.next(), await mail.next()].sort((one, other) => one.item.localeCompare(other.item));
  const [a, b] = requests as [(typeof requests)[0], (typeof requests)[0]];
  expect(a.token).not.toBe(b.token);
  expect(a.url).toBe(`https://example.com/${a.token}`);
  expect((await engine.listPausedWorkflows()).map(({ scope }) => scope).sort()).toEqual(["0", "1"]);
  expect(await engine.listPausedWorkflows({ limit: 1 })).toHaveLength(1);
  await engine.resume(b.token, { approved: false });
  await engine.resume(a.token);
  expect(await engine.result(runId)).toEqual(["a: approved", "b: rejected"]);
});

test("an approval that waits survives a restart; its token answers the next process", async () => {
  const database = join(temporaryDirectory(), "approval.db");
  const before = testEngine({ database });
  const { mail } = approving(before);
  await before.start();
  const runId = await before.trigger("approves");
  const token = await mail.next();
  await before.stop();
  const after = testEngine({ database });
  approving(after);
  await after.start();
  expect(await after.getPausedWorkflow(token)).toMatchObject({ runId, status: "open" });
  await after.resume(token);
  expect(await after.result(runId)).toMatchObject({ approved: true });
});

test("the token is not in the database file", async () => {
  const directory = temporaryDirectory();
  const engine = testEngine({ database: join(directory, "secret.db") });
  const { mail, workflow } = approving(engine);
  await engine.start();
  await engine.trigger(workflow, undefined);
  const token = await mail.next();
  for await (const file of new Bun.Glob("secret.db*").scan({ cwd: directory })) {
    expect((await Bun.file(join(directory, file)).text()).includes(token)).toBe(false);
  }
});
