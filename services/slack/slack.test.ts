import { expect, onTestFinished, test } from "bun:test";
import { NonRetryableError, secret } from "cronflow-ffi";
import { called, thrownBy } from "../lib/called.testing.ts";
import { slack } from "./index.ts";

/** Slack, as far as its documentation says what it answers. */
function slackServer(answer: (sent: { path: string; json: Record<string, unknown> }) => Response) {
  const seen: { path: string; authorization: string | null; json: Record<string, unknown> }[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const json = (await request.json()) as Record<string, unknown>;
      const path = new URL(request.url).pathname;
      seen.push({ path, authorization: request.headers.get("authorization"), json });
      return answer({ path, json });
    },
  });
  onTestFinished(() => server.stop(true));
  return { seen, url: server.url.href };
}

process.env["CRONFLOW_TEST_SLACK"] = "xoxb-0123456789";
const auth = { token: secret("env:CRONFLOW_TEST_SLACK") };

test("a message goes to its channel, and tells its time stamp", async () => {
  const { seen, url } = slackServer(({ json }) =>
    Response.json({ ok: true, channel: `C-${json["channel"]}`, ts: "1.2" }),
  );
  const { send } = await called(slack.withConfig({ config: { baseUrl: `${url}api`, channel: "#usual" }, auth }));
  expect(await send({ text: "hello" })).toEqual({ channel: "C-#usual", ts: "1.2" });
  expect(
    await send({ text: "there", channel: "#other", threadTs: "1.1", blocks: [{ type: "divider" }] }),
  ).toMatchObject({
    channel: "C-#other",
  });
  const authorization = "Bearer xoxb-0123456789";
  expect(seen).toEqual([
    { path: "/api/chat.postMessage", authorization, json: { text: "hello", channel: "#usual" } },
    {
      path: "/api/chat.postMessage",
      authorization,
      json: { text: "there", channel: "#other", thread_ts: "1.1", blocks: [{ type: "divider" }] },
    },
  ]);
});

test("a webhook takes the text", async () => {
  const { seen, url } = slackServer(({ json }) =>
    json["text"] === "" ? new Response("no_text", { status: 400 }) : new Response("ok"),
  );
  const { send } = await called(slack.withConfig({ auth: { webhookUrl: `${url}services/T/B/x` } }));
  expect(await send({ text: "hello" })).toEqual({});
  expect(seen).toEqual([{ path: "/services/T/B/x", authorization: null, json: { text: "hello" } }]);
  const error = await thrownBy(() => send({ text: "" }));
  expect(error).toMatchObject({
    message: "slack.send: the webhook answered 400: no_text",
    cause: expect.any(NonRetryableError),
  });
});

test.each([
  [200, { ok: false, error: "channel_not_found" }, "channel_not_found", true],
  [200, { ok: false, error: "ratelimited" }, "ratelimited", false],
  [429, {}, "HTTP_429", false],
  [503, {}, "HTTP_503", false],
  [403, {}, "HTTP_403", true],
])("an answer %d %j is an error %s, final: %p", async (status, body, code, isFinal) => {
  const { url } = slackServer(() => Response.json(body, { status, headers: { "retry-after": "7" } }));
  const { send } = await called(slack.withConfig({ config: { baseUrl: url, channel: "c" }, auth }));
  const error = await thrownBy(() => send({ text: "x" }));
  expect([error.code, error.cause instanceof NonRetryableError]).toEqual([code, isFinal]);
  if (status === 429) expect(error.message).toContain("try again after 7 s");
});

test("without a channel, or with neither token nor webhook, nothing is sent", async () => {
  const { send } = await called(slack.withConfig({ auth }));
  expect((await thrownBy(() => send({ text: "x" }))).message).toContain("the message names no channel");
  expect((await thrownBy(() => called(slack.withConfig({ auth: {} })))).message).toBe(
    "slack.setup: give `auth.token` or `auth.webhookUrl`",
  );
});
