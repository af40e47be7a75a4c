/** No spelling of a path, however it is mounted or sent, gets past the auth of a management route. */
import { describe, expect, test } from "bun:test";
import type { Cronflow } from "cronflow-ffi";
import { Hono } from "hono";
import { managed, TOKEN } from "../management/managed.testing.ts";
import type { Route } from "../management/route.ts";
import { ROUTES } from "../management/table.ts";
import { rawStatus } from "./raw.testing.ts";

const RIGHT = `Bearer ${TOKEN}`;
const CREDENTIALS: Readonly<Record<string, string | undefined>> = {
  none: undefined,
  "another token": `Bearer ${TOKEN}x`,
  "a part of the token": `Bearer ${TOKEN.slice(0, -1)}`,
  "another scheme": `Basic ${TOKEN}`,
  "the token alone": TOKEN,
  empty: "",
  "two tokens": `Bearer ${TOKEN}, Bearer ${TOKEN}`,
};

/** Paths that somebody may read as `path`, and somebody else not. */
const TRICKS: Readonly<Record<string, (path: string) => string>> = {
  plain: (path) => path,
  "up from elsewhere": (path) => `/x/..${path}`,
  "encoded dots": (path) => `/x/%2e%2e${path}`,
  "half encoded dots": (path) => `/x/.%2E${path}`,
  "up within": (path) => path.replace("/cronflow", "/cronflow/x/.."),
  "up from the open health": (path) => `/health/..${path}`,
  "up from the open health, encoded": (path) => `/health/%2e%2e${path}`,
  "up from a webhook": (path) => `/adds/..${path}`,
  "encoded slash": (path) => path.replace("/cronflow/", "/cronflow%2f"),
  "encoded slash in front": (path) => `/%2f${path.slice(1)}`,
  "encoded slash at the end": (path) => `${path}%2f`,
  "health behind an encoded slash": (path) => `${path}%2f..%2f..%2fhealth`,
  "two slashes": (path) => `/${path}`,
  "two slashes within": (path) => path.replace("/cronflow/", "/cronflow//"),
  "a dot": (path) => path.replace("/cronflow/", "/cronflow/./"),
  "a dot in front": (path) => `/.${path}`,
  "slash at the end": (path) => `${path}/`,
  "dot at the end": (path) => `${path}.`,
  "upper case": (path) => path.toUpperCase(),
  "upper case prefix": (path) => path.replace("/cronflow", "/Cronflow"),
  "parameter of the segment": (path) => path.replace("/cronflow", "/cronflow;x"),
  "parameter at the end": (path) => `${path};x=/health`,
  "up as a parameter": (path) => `/health/..;${path}`,
  "zero byte": (path) => `${path}%00`,
  "zero byte after health": (path) => `/health%00${path}`,
  "encoded letter": (path) => path.replace("/cronflow", "/%63ronflow"),
  "twice encoded letter": (path) => path.replace("/cronflow", "/%2563ronflow"),
  backslash: (path) => path.replace("/cronflow/", "/cronflow\\"),
  "backslash in front": (path) => `\\${path.slice(1)}`,
  "encoded backslash": (path) => path.replace("/cronflow/", "/cronflow%5c"),
  "broken encoding": (path) => `${path}%`,
  "overlong encoding": (path) => path.replace("/cronflow", "/%c1%a3ronflow"),
  question: (path) => `${path}?/health`,
  "encoded question": (path) => `${path}%3f/health`,
  "encoded hash": (path) => `${path}%23/health`,
  "tab within": (path) => path.replace("/cronflow", "/cron%09flow"),
};

const PATHS = ROUTES.map((route) => ({ route, path: `/cronflow${route.path.replace(/:\w+/g, "x")}` }));

type Send = (method: string, path: string, authorization: string | undefined) => Promise<number>;

/** All ways in which requests come to the routes. */
const WAYS: Readonly<Record<string, (engine: Cronflow) => Send>> = {
  "the fetch handler": (engine) => sender((request) => engine.fetch(request)),
  "the routes": (engine) => sender((request) => engine.routes().fetch(request)),
  "a prefix of another app": (engine) => {
    const app = new Hono().route("/prefix", engine.routes());
    return sender((request) => app.fetch(request), "/prefix");
  },
  "a prefix that is taken off": (engine) => {
    const app = new Hono().mount("/prefix", engine.fetch);
    return sender((request) => app.fetch(request), "/prefix");
  },
  "a socket": (engine) => (method, path, authorization) => raw(engine, `${method} ${path} HTTP/1.1`, authorization),
  "a socket, with whole addresses": (engine) => (method, path, authorization) =>
    raw(engine, `${method} http://localhost${path} HTTP/1.1`, authorization),
};

function sender(handle: (request: Request) => Response | Promise<Response>, prefix = ""): Send {
  return async (method, path, authorization) => {
    const headers = authorization === undefined ? {} : { authorization };
    const response = await handle(new Request(`http://localhost${prefix}${path}`, { method, headers }));
    return response.status;
  };
}

function raw(engine: Cronflow, line: string, authorization: string | undefined): Promise<number> {
  const { port } = engine.url as URL;
  return rawStatus(Number(port), line, authorization === undefined ? [] : [`Authorization: ${authorization}`]);
}

/** An engine that also serves on a port. */
async function served(options: { approvals?: "token" } = {}): Promise<Cronflow> {
  const { engine } = await managed({ ...options, ...SERVE });
  return engine;
}

const SERVE = { port: 0, hostname: "127.0.0.1" };

const isSuccess = (status: number): boolean => status >= 200 && status < 400;

describe.each(Object.keys(WAYS))("through %s", (way) => {
  test("every route answers 401 without the right credentials, and something else with them", async () => {
    const send = WAYS[way]?.(await served()) as Send;
    for (const { route, path } of PATHS) {
      for (const [name, authorization] of Object.entries(CREDENTIALS)) {
        const what = `${route.method} ${path}, ${name}`;
        expect([what, await send(route.method, path, authorization)]).toEqual([what, 401]);
      }
      expect([401, 403]).not.toContain(await send(route.method, path, RIGHT));
    }
  });

  test("no route is open by way of a trick", async () => {
    const send = WAYS[way]?.(await served()) as Send;
    const open: string[] = [];
    for (const { route, path } of PATHS) {
      for (const trick of Object.values(TRICKS).map((apply) => apply(path))) {
        for (const method of new Set([route.method, "GET", "HEAD", "POST", "OPTIONS"])) {
          const status = await send(method, trick, undefined);
          if (isSuccess(status)) open.push(`${method} ${trick} → ${status}`);
        }
        if (isSuccess(await send(route.method, trick, CREDENTIALS["another token"]))) open.push(trick);
      }
    }
    expect(open).toEqual([]);
  });

  test('with approvals: "token" these two routes are open, and nothing else', async () => {
    const send = WAYS[way]?.(await served({ approvals: "token" })) as Send;
    const isOpen = ({ operationId }: Route): boolean => ["getApproval", "answerApproval"].includes(operationId);
    for (const { route, path } of PATHS) {
      const status = await send(route.method, path, undefined);
      // Open: the token `x` is unknown, or there is no answer in the body.
      expect([path, status]).toEqual([path, isOpen(route) ? (route.method === "GET" ? 404 : 415) : 401]);
      for (const other of ["PUT", "DELETE", "PATCH", "OPTIONS"]) expect(await send(other, path, undefined)).toBe(401);
    }
    for (const trick of Object.values(TRICKS)) {
      for (const path of ["/cronflow/approvals", "/cronflow/runs", "/cronflow/approvals/x/y"]) {
        expect(isSuccess(await send("GET", trick(path), undefined))).toBe(false);
      }
    }
  });
});

test("unknown paths and methods are 401, too, before anything is said of them", async () => {
  const send = WAYS["the fetch handler"]?.(await served()) as Send;
  for (const path of ["/cronflow", "/cronflow/", "/cronflow/none", "/cronflow/runs/x/y/z", "/cronflow/runs?limit=x"]) {
    for (const method of ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PROPFIND"]) {
      expect(await send(method, path, undefined)).toBe(401);
    }
  }
});

test("the body of a request without credentials is not read", async () => {
  const engine = await served();
  let isRead = false;
  const body = new ReadableStream(
    {
      pull(controller) {
        isRead = true;
        controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  const response = await engine.fetch(new Request("http://localhost/cronflow/events/x", { method: "POST", body }));
  expect([response.status, isRead]).toEqual([401, false]);
  expect(response.headers.get("www-authenticate")).toBe("Bearer");
  expect(await response.json()).toMatchObject({ error: { code: "unauthorized" } });
});

test("what is open is /health and webhooks", async () => {
  const send = WAYS["a socket"]?.(await served()) as Send;
  expect(await send("GET", "/health", undefined)).toBe(200);
  expect(await send("PUT", "/adds", undefined)).toBe(202);
});
