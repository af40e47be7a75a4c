/** The issues example, tested over HTTP without a socket: signatures, events, and a maintainer who answers or does not. */
import { beforeEach, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { createCronflow } from "cronflow-ffi";
import { type TestApp, testApp } from "cronflow-ffi/testing";
import { defineIssues } from "./issues.ts";

const webhookSecret = "It's a secret of the test";
const world = { labels: [] as string[], comments: new Map<string, string>(), mails: [] as string[] };
beforeEach(() => {
  world.labels.length = 0;
  world.comments.clear();
  world.mails.length = 0;
});

const engine = createCronflow({ approvals: "token" });
defineIssues(
  engine,
  {
    webhookSecret,
    label: async (issue, label) => void world.labels.push(`#${issue} ${label}`),
    comment: async (issue, text, key) => void world.comments.set(key, `#${issue}: ${text}`),
    mail: async (_subject, link) => void world.mails.push(link),
  },
  () => new URL("http://localhost"),
);

function sendIssue(app: TestApp, number: number, title: string, secret = webhookSecret): Promise<Response> {
  const body = JSON.stringify({ action: "opened", issue: { number, title, user: { login: "ada" } } });
  const signature = createHmac("sha256", secret).update(body).digest("hex");
  return app.fetch("/webhooks/github", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-github-event": "issues",
      "x-github-delivery": crypto.randomUUID(),
      "x-hub-signature-256": `sha256=${signature}`,
    },
    body,
  });
}

test("whoever opens an issue is greeted, and nobody is asked about a question", async () => {
  await using app = testApp(engine);
  expect((await sendIssue(app, 1, "How do I start?")).status).toBe(202);
  expect([...world.comments.values()]).toEqual(["#1: Thank you, ada!"]);
  expect(await app.runs("triage")).toEqual([]);
});

test("a maintainer who is asked by mail answers by the link", async () => {
  await using app = testApp(engine);
  await sendIssue(app, 2, "Crash on start");
  const [link = ""] = world.mails;
  expect((await app.fetch(link)).status).toBe(200);
  const answer = await app.fetch(link, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ approved: true, comment: "now" }),
  });
  expect(answer.status).toBeLessThan(300);
  expect(world.labels).toEqual(["#2 urgent"]);
});

test("when nobody answers, the label says so", async () => {
  await using app = testApp(engine);
  await sendIssue(app, 3, "Data lost");
  await app.crash();
  await app.advance("2d");
  expect(world.labels).toEqual(["#3 unanswered"]);
});

test("what is not signed by GitHub starts nothing", async () => {
  await using app = testApp(engine);
  expect((await sendIssue(app, 4, "Crash", "another secret")).status).toBe(401);
  expect(await app.runs()).toEqual([]);
});

test("a message that GitHub sends again is not greeted again", async () => {
  await using app = testApp(engine);
  await sendIssue(app, 5, "Hello");
  await sendIssue(app, 5, "Hello");
  expect(await app.runs("greet")).toHaveLength(1);
});
