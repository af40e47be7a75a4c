import { expect, onTestFinished, test } from "bun:test";
import { NonRetryableError } from "cronflow-ffi";
import { called, thrownBy } from "../lib/called.testing.ts";
import { github } from "./index.ts";

function githubServer(answer: (request: Request, json: unknown) => Response) {
  const seen: unknown[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const text = await request.text();
      const json: unknown = text === "" ? undefined : JSON.parse(text);
      seen.push([request.method, new URL(request.url).pathname, json]);
      return answer(request, json);
    },
  });
  onTestFinished(() => server.stop(true));
  return { seen, config: { baseUrl: `${server.url.href}api/v3` } };
}

const auth = { token: "github_pat_0123456789" };
const repository = { owner: "octo", repo: "a b" };

test("issues are made, read, changed and commented", async () => {
  const { seen, config } = githubServer((request, json) => {
    expect(request.headers.get("authorization")).toBe(`Bearer ${auth.token}`);
    expect(request.headers.get("accept")).toBe("application/vnd.github+json");
    expect(request.headers.get("x-github-api-version")).toBe("2022-11-28");
    return Response.json({ number: 7, title: "T", state: "open", html_url: "u", ...(json as object) });
  });
  const { createIssue, getIssue, updateIssue, comment } = await called(github.withConfig({ config, auth }));
  expect(await createIssue({ ...repository, title: "Bug", labels: ["bug"] })).toMatchObject({
    number: 7,
    title: "Bug",
  });
  expect((await getIssue({ ...repository, number: 7 })).state).toBe("open");
  expect((await updateIssue({ ...repository, number: 7, state: "closed" })).state).toBe("closed");
  await comment({ ...repository, number: 7, body: "done" });
  const issues = "/api/v3/repos/octo/a%20b/issues";
  expect(seen).toEqual([
    ["POST", issues, { title: "Bug", labels: ["bug"] }],
    ["GET", `${issues}/7`, undefined],
    ["PATCH", `${issues}/7`, { state: "closed" }],
    ["POST", `${issues}/7/comments`, { body: "done" }],
  ]);
});

test("any request can be made; an answer without a body is undefined", async () => {
  const { seen, config } = githubServer(() => new Response(null, { status: 204 }));
  const { request } = await called(github.withConfig({ config, auth }));
  expect(await request("/repos/o/r/dispatches", { method: "POST", json: { event_type: "x" } })).toBeUndefined();
  expect(seen).toEqual([["POST", "/api/v3/repos/o/r/dispatches", { event_type: "x" }]]);
});

test.each<[number, Record<string, string>, boolean]>([
  [404, {}, true],
  [403, {}, true],
  [403, { "x-ratelimit-remaining": "0" }, false],
  [403, { "retry-after": "60" }, false],
  [429, {}, false],
  [500, {}, false],
  [301, { location: "http://127.0.0.1/" }, true],
])("an answer %d %j is an error, final: %p", async (status, headers, isFinal) => {
  const { config } = githubServer(() => Response.json({ message: "because" }, { status, headers }));
  const { getIssue } = await called(github.withConfig({ config, auth }));
  const error = await thrownBy(() => getIssue({ ...repository, number: 1 }));
  expect(error.message).toBe(`github.getIssue: GET /repos/octo/a%20b/issues/1 answered ${status}: because`);
  expect([error.code, error.cause instanceof NonRetryableError]).toEqual([`HTTP_${status}`, isFinal]);
});
