/** Webhooks of tests: engines that serve them, and requests to them. */
import type { Cronflow, EngineOptions } from "cronflow-ffi";
import { testEngine } from "../../testing/engines.ts";

/** A started engine with these workflows. */
export async function serving(define: (engine: Cronflow) => unknown, options: EngineOptions = {}): Promise<Cronflow> {
  const engine = testEngine(options);
  define(engine);
  await engine.start();
  return engine;
}

/** A JSON request; a text or bytes are sent as they are. */
export function request(
  path: string,
  body: unknown = {},
  headers: Readonly<Record<string, string>> = {},
  method = "POST",
): Request {
  const isReady = typeof body === "string" || body instanceof Uint8Array || body instanceof ReadableStream;
  return new Request(`http://localhost${path}`, {
    method,
    headers: { "content-type": "application/json", ...headers },
    ...(method !== "GET" && method !== "HEAD" && { body: isReady ? (body as string) : JSON.stringify(body) }),
  });
}

/** What a sender sees: status, headers of interest, and the body. */
export async function answerOf(answering: Response | Promise<Response>): Promise<Seen> {
  const response = await answering;
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === "" ? undefined : JSON.parse(text) };
}

export interface Seen {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** Logged lines, as text. */
export function recordingLog(): { readonly lines: string[]; readonly log: NonNullable<EngineOptions["log"]> } {
  const lines: string[] = [];
  const write =
    (level: string) =>
    (message: string, ...details: unknown[]) => {
      lines.push([level, message, ...details.map(String)].join(" "));
    };
  return { lines, log: { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") } };
}
