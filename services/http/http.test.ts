import { expect, onTestFinished, test } from "bun:test";
import { join } from "node:path";
import { NonRetryableError } from "cronflow-ffi";
import { temporaryDirectory } from "../../runtime/testing/engines.ts";
import { called, thrownBy } from "../lib/called.testing.ts";
import { program } from "../lib/debian.testing.ts";
import { Allowed } from "./addresses.ts";
import { http } from "./index.ts";
import { send } from "./send.ts";

const LOOPBACK = ["127.0.0.1"];

function serving(answer: (request: Request) => Response | Promise<Response>, tls?: { key: string; cert: string }): URL {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer, ...(tls !== undefined && { tls }) });
  onTestFinished(() => server.stop(true));
  return server.url;
}

/** Tells the request that was made. */
const echo = async (request: Request): Promise<Response> => {
  const { method, url, headers } = request;
  return Response.json({
    method,
    path: new URL(url).pathname + new URL(url).search,
    body: await request.text(),
    headers,
  });
};

test("a request is sent, and its answer read as what it says that it is", async () => {
  const url = serving((request) => (request.url.endsWith("/text") ? new Response("{}") : echo(request)));
  const { get, post, request } = await called(
    http.withConfig({ config: { baseUrl: url.href, allow: LOOPBACK, headers: { "x-all": "1" } } }),
  );
  const sent = await post("/a", { n: 1 }, { query: { q: "ü&" }, headers: { "x-one": "2" } });
  expect(sent).toMatchObject({ status: 200, url: new URL("/a?q=%C3%BC%26", url).href });
  expect(sent.body).toMatchObject({
    method: "POST",
    path: "/a?q=%C3%BC%26",
    body: '{"n":1}',
    headers: { "content-type": "application/json", "x-all": "1", "x-one": "2", host: url.host },
  });
  expect((await get("text")).body).toBe("{}");
  expect((await request(url.href, { method: "put", body: "raw" })).body).toMatchObject({ method: "PUT", body: "raw" });
});

test.each([
  [400, true],
  [404, true],
  [408, false],
  [429, false],
  [500, false],
  [503, false],
])("the status %d is an error, final: %p", async (status, isFinal) => {
  const url = serving(() => Response.json({ why: "no" }, { status }));
  const { get } = await called(http.withConfig({ config: { allow: LOOPBACK } }));
  const error = await thrownBy(() => get(`${url.href}path?token=hidden`));
  expect(error).toMatchObject({
    code: `HTTP_${status}`,
    message: `http.get: GET ${url.href}path answered ${status}: {"why":"no"}`,
  });
  expect(error.cause instanceof NonRetryableError).toBe(isFinal);
  expect(await get(url.href, { throws: false })).toMatchObject({ status, body: { why: "no" } });
});

test("what is not public is refused, in redirects, too", async () => {
  let asked = 0;
  const target = serving(() => {
    asked += 1;
    return new Response("private");
  });
  const { get } = await called(http.withConfig());
  for (const address of [
    target.href,
    `http://localhost:${target.port}/`,
    "http://[::1]/",
    "http://169.254.169.254/latest/meta-data/",
  ]) {
    const error = await thrownBy(() => get(address));
    expect(error).toMatchObject({ code: "ADDRESS_REFUSED", cause: expect.any(NonRetryableError) });
  }
  // A name that is allowed redirects to what is not.
  const open = serving(() => Response.redirect(`http://127.0.0.1:${target.port}/`, 302));
  const options = {
    allowed: new Allowed(["open.test"]),
    signal: AbortSignal.timeout(5_000),
    lookup: async () => ["127.0.0.1"],
  };
  const first = { url: new URL(`http://open.test:${open.port}/`), method: "GET", headers: new Headers() };
  const error = await thrownBy(() => send(first, options));
  expect(error).toMatchObject({
    code: "ADDRESS_REFUSED",
    message: expect.stringContaining("127.0.0.1 is not a public address"),
  });
  expect(asked).toBe(0);
});

test("a name that has another address the next time it is looked up is asked at the first", async () => {
  let [asked, lookups] = [0, 0];
  const { port } = serving((request) => {
    asked += 1;
    return new Response(request.headers.get("host"));
  });
  const options = {
    allowed: new Allowed(["127.0.0.1"]),
    signal: AbortSignal.timeout(5_000),
    lookup: async () => {
      lookups += 1;
      return [lookups === 1 ? "127.0.0.1" : "169.254.169.254"];
    },
  };
  const request = { url: new URL(`http://rebind.test:${port}/`), method: "GET", headers: new Headers() };
  expect(await (await send(request, options)).response.text()).toBe(`rebind.test:${port}`);
  expect([asked, lookups]).toEqual([1, 1]);
});

test("a certificate is that of the name, though its address is connected to", async () => {
  const directory = temporaryDirectory();
  const [key, cert] = [join(directory, "key.pem"), join(directory, "cert.pem")];
  const made = Bun.spawnSync([
    ...[
      program("openssl", "openssl"),
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-days",
      "2",
    ],
    ...["-keyout", key, "-out", cert, "-subj", "/CN=secure.test", "-addext", "subjectAltName=DNS:secure.test"],
  ]);
  expect(made.exitCode).toBe(0);
  const ca = await Bun.file(cert).text();
  const { port } = serving(() => new Response("secure"), { key: await Bun.file(key).text(), cert: ca });
  const options = {
    allowed: new Allowed(LOOPBACK),
    signal: AbortSignal.timeout(5_000),
    lookup: async () => ["127.0.0.1"],
    ca,
  };
  const ask = (host: string) =>
    send({ url: new URL(`https://${host}:${port}/`), method: "GET", headers: new Headers() }, options);
  expect(await (await ask("secure.test")).response.text()).toBe("secure");
  expect(await thrownBy(() => ask("other.test"))).toMatchObject({ code: "ERR_TLS_CERT_ALTNAME_INVALID" });
});

test("redirects are followed as browsers do, and credentials do not go to others", async () => {
  const other = serving(echo);
  const url = serving((request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/see") return new Response(null, { status: 303, headers: { location: "/echo" } });
    if (pathname === "/same") return new Response(null, { status: 307, headers: { location: "/echo" } });
    if (pathname === "/away") return new Response(null, { status: 308, headers: { location: other.href } });
    if (pathname === "/loop") return new Response(null, { status: 302, headers: { location: "/loop" } });
    if (pathname === "/file") return new Response(null, { status: 302, headers: { location: "file:///etc/passwd" } });
    return echo(request);
  });
  const { post, get } = await called(
    http.withConfig({ config: { baseUrl: url.href, allow: LOOPBACK, headers: { authorization: "Bearer x" } } }),
  );
  expect((await post("/see", { n: 1 })).body).toMatchObject({
    method: "GET",
    body: "",
    headers: { authorization: "Bearer x" },
  });
  expect((await post("/same", { n: 1 })).body).toMatchObject({ method: "POST", body: '{"n":1}' });
  const away = await post("/away", { n: 1 });
  expect(away.body).toMatchObject({ method: "POST", body: '{"n":1}' });
  expect((away.body as { headers: object }).headers).not.toHaveProperty("authorization");
  expect(await thrownBy(() => get("/loop"))).toMatchObject({ code: "TOO_MANY_REDIRECTS" });
  expect(await thrownBy(() => get("/file"))).toMatchObject({ code: "PROTOCOL_REFUSED" });
});

test("an answer that takes too long, is too large, or is not what it says, is an error", async () => {
  const url = serving((request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/late") return new Promise<Response>(() => {});
    if (pathname === "/slow")
      return new Response(new ReadableStream({ start: (controller) => controller.enqueue("x") }));
    if (pathname === "/json") return new Response("{", { headers: { "content-type": "application/problem+json" } });
    return new Response("x".repeat(2_000));
  });
  const config = { baseUrl: url.href, allow: LOOPBACK, maxBytes: 1_000, timeoutMs: 50 };
  const { get } = await called(http.withConfig({ config }));
  for (const path of ["/late", "/slow"])
    expect((await thrownBy(() => get(path))).cause).toMatchObject({ name: "TimeoutError" });
  const signal = AbortSignal.abort(new Error("the step is over"));
  expect((await thrownBy(() => get("/late", { signal }))).message).toContain("the step is over");
  expect(await thrownBy(() => get("/large"))).toMatchObject({
    code: "BODY_TOO_LARGE",
    cause: expect.any(NonRetryableError),
  });
  expect(await thrownBy(() => get("/json"))).toMatchObject({ code: "BODY_INVALID" });
});

test.each(["ftp://1.1.1.1/", "file:///etc/passwd", "http://user:password@1.1.1.1/", "nowhere"])(
  "%s is refused",
  async (address) => {
    const { get } = await called(http.withConfig());
    const error = await thrownBy(() => get(address));
    expect(error.cause).toBeInstanceOf(NonRetryableError);
    expect(error.message).not.toContain("password@");
  },
);
