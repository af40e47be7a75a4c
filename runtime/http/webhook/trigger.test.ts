import { expect, test } from "bun:test";
import type { WebhookOptions } from "../../definition/webhook-options.ts";
import { REDACTED_HEADERS, REDACTED_WORDS, recordedHeaders, redaction } from "./redaction.ts";
import { answerOf, request, serving } from "./webhook.testing.ts";

/** What is recorded of a request. */
async function recorded(sent: Request, options: WebhookOptions = {}, path: `/${string}` = "/w"): Promise<unknown> {
  const engine = await serving((engine) =>
    engine
      .define({ id: "w" })
      .onWebhook(path, options)
      .step("x", (ctx) => ctx.trigger),
  );
  const { body } = await answerOf(engine.fetch(sent));
  const { runId } = body as { runId: string };
  const trigger = await engine.result(runId);
  // What a handler sees is what is stored.
  expect((await engine.inspect(runId)).trigger).toEqual(trigger as never);
  return trigger;
}

test("method, path, headers, and no parameters", async () => {
  expect(await recorded(request("/w", {}, { "X-Source": "test" }, "PUT"), { method: "PUT" })).toEqual({
    type: "webhook",
    method: "PUT",
    path: "/w",
    params: {},
    query: {},
    headers: { "content-type": "application/json", "x-source": "test" },
  });
});

test("parameters of the path and of the query", async () => {
  const url = "/w/a%2Fb/%C3%BC?x=1&y=2&y=3&y=4&empty=&bad=%FF&__proto__=p&a+b=c%20d";
  expect(await recorded(request(url), {}, "/w/:first/:second")).toMatchObject({
    params: { first: "a/b", second: "ü" },
    query: { x: "1", y: ["2", "3", "4"], empty: "", bad: "\ufffd", ["__proto__"]: "p", "a b": "c d" },
  });
});

test.each(["/w/%ED%A0%80", "/w/%FF", "/w/%", "/w/%00", "/w/%22%5C"])("any path is recorded: %s", async (path) => {
  const trigger = await recorded(request(path), {}, "/w/:id");
  expect(JSON.stringify(trigger).isWellFormed()).toBe(true);
  expect(trigger).toMatchObject({ params: { id: expect.any(String) } });
});

test("the body's text if it is asked for, and only then", async () => {
  const body = ' { "a" : "ü\\u0000" } ';
  expect(await recorded(request("/w", body), { parseRawBody: true })).toMatchObject({ rawBody: body });
  expect(await recorded(request("/w", body))).not.toHaveProperty("rawBody");
});

test("credentials are not recorded, whatever the header is called", async () => {
  const secrets = [...REDACTED_HEADERS, ...REDACTED_WORDS.map((word) => `x-my-${word}-1`), "x-own"];
  const headers = Object.fromEntries(secrets.map((name) => [name, "very private"]));
  const trigger = await recorded(request("/w", {}, { ...headers, "x-plain": "seen" }), {
    headers: { redact: ["X-Own"] },
  });
  expect(JSON.stringify(trigger)).not.toContain("very private");
  expect(trigger).toMatchObject({ headers: { "x-own": "[redacted]", "x-plain": "seen" } });
});

test.each(["authorization", "cookie", "x-api-key", "x-gitlab-token", "x-client-secret", "x-session-id", "x-password"])(
  "%s is redacted",
  (name) => {
    expect(
      recordedHeaders(
        new Headers([
          [name, "v"],
          ["__proto__", "p"],
        ]),
        redaction(),
      ),
    ).toEqual({
      [name]: "[redacted]",
      ["__proto__"]: "p",
    });
  },
);

test("parameters of a query that carry credentials are redacted, too", async () => {
  const trigger = await recorded(request("/w?Token=private&api_key=private&apiKey=private&own=private&a=1&a=2", {}), {
    headers: { redact: ["own"] },
  });
  expect(trigger).toMatchObject({
    query: { Token: "[redacted]", api_key: "[redacted]", apiKey: "[redacted]", own: "[redacted]", a: ["1", "2"] },
  });
});
