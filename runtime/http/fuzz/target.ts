/** The engine that is attacked: a webhook of each kind, something to manage, and secrets that must not be seen. */
import { type Cronflow, createCronflow, type Logger, verify, type WebhookOptions } from "cronflow-ffi";
import { z } from "zod";
import { Ring } from "./ring.ts";

/** Part of every secret: where it is seen, one is out. */
export const CANARY = "k4n4rienvogel";
export const TOKEN = `${CANARY}-token-0123456789`;
export const SECRET = `${CANARY}-secret`;
/** The same for those whose secrets are base64. */
export const BASE64_SECRET = `whsec_${CANARY}AAA=`;

/** Short enough for runs of the first requests to be gone before the last come. */
const RETENTION = "2s";
const SMALL_BYTES = 256;
/** Runs with less fail: they can be taken up again. */
const LEAST_VALUE = 30;

type Tree = { readonly value?: number | undefined; readonly children?: readonly Tree[] | undefined };
const TREE: z.ZodType<Tree> = z.object({
  value: z.number().optional(),
  children: z.array(z.lazy(() => TREE)).optional(),
});
const ORDER = z.object({
  orderId: z.string().min(1).max(64),
  amount: z.number().positive(),
  tags: z.record(z.string(), z.unknown()).optional(),
  at: z.iso.datetime().optional(),
});
const SUM = z.object({ numbers: z.array(z.number()), end: z.enum(["fail", "wait", "cancel"]).optional() });

export class Target {
  readonly engine: Cronflow;
  /** Ids of runs that requests have started, some of which are gone. */
  readonly runIds = new Ring(64);
  /** Ids of runs that have failed: they can be retried. */
  readonly failedRunIds = new Ring(64);
  /** Ids of runs that wait for an approval: they can be cancelled. */
  readonly waitingRunIds = new Ring(64);
  /** Tokens of requests for approval, some of which are used. */
  readonly approvals = new Ring(64);
  /** What the engine has logged as its own failure, and lines that tell a secret. */
  readonly complaints: string[] = [];

  constructor(database: string) {
    const log: Logger = {
      debug: (...line) => this.#heard(line),
      info: (...line) => this.#heard(line),
      warn: (...line) => this.#heard(line),
      error: (...line) => {
        this.complaints.push(`logged as an error: ${textOf(line)}`);
      },
    };
    this.engine = createCronflow({
      database,
      log,
      auth: TOKEN,
      approvals: "token",
      allowedOrigins: ["https://friend.example"],
      requestTimeout: "2s",
    });
    this.#define();
  }

  #heard(line: readonly unknown[]): void {
    const text = textOf(line);
    if (text.includes(CANARY)) this.complaints.push(`a secret was logged: ${text}`);
    if (/[\r\n]/.test(text)) this.complaints.push(`more than one line was logged: ${JSON.stringify(text)}`);
  }

  #webhook(id: string, path: `/${string}`, options: WebhookOptions): void {
    this.engine
      .define({ id, retention: RETENTION })
      .onWebhook(path, options)
      .step("look", (ctx) => typeof ctx.payload);
  }

  #define(): void {
    const { engine } = this;
    this.#webhook("orders", "/orders/:customer", {
      schema: ORDER,
      idempotencyKey: (request) => request.headers.get("x-key"),
      onSuccess: ({ runId }) => this.runIds.add(runId),
      onError: () => {},
    });
    this.#webhook("removals", "/orders/:customer", { method: "DELETE", parseRawBody: true });
    this.#webhook("files", "/files/:folder/:name", { method: "PUT", parseRawBody: (raw) => raw.length });
    this.#webhook("trees", "/trees", { method: "PATCH", schema: TREE, validate: ({ value }) => value !== 13 });
    this.#webhook("small", "/small", { maxBodyBytes: SMALL_BYTES });
    this.#webhook("guarded", "/guarded", {
      headers: {
        required: { "x-kind": /^[a-z-]+$/, "x-version": "2" },
        redact: ["x-private"],
        validate: (headers) => (headers.get("x-kind") === "evil" ? "no evil" : true),
      },
      condition: (payload) => payload !== 0,
      middleware: [
        async (context, next) => {
          await next();
          context.header("x-seen", "yes");
        },
      ],
    });
    this.#webhook("hmac", "/hmac", {
      verify: verify.hmac({ secret: SECRET, header: "x-signature", timestamp: { header: "x-sent-at" }, id: "x-id" }),
    });
    this.#webhook("github", "/github", { verify: verify.github({ secret: SECRET }) });
    this.#webhook("stripe", "/stripe", { verify: verify.stripe({ secret: SECRET }) });
    this.#webhook("slack", "/slack", { verify: verify.slack({ secret: SECRET }), parseRawBody: (raw) => raw.length });
    this.#webhook("standard", "/standard", { verify: verify.standardWebhooks({ secret: BASE64_SECRET }) });
    engine
      .define({ id: "sums", retention: RETENTION })
      .onWebhook("/sums", { method: "PUT", schema: SUM, respond: "result", timeout: 25 })
      .step("sum", (ctx) => {
        if (ctx.payload.end === "fail") throw new Error("it failed");
        if (ctx.payload.end === "cancel") ctx.cancel("it need not be");
        return ctx.payload.numbers.reduce((sum, number) => sum + number / 1e9, 0);
      })
      .if("waits", (ctx) => ctx.payload.end === "wait")
      .sleep(100)
      .endIf()
      .step("give", (ctx) => ctx.last);
    engine
      .define({ id: "asks", retention: RETENTION })
      .manual()
      .onEvent("grown")
      .humanInTheLoop({
        name: "boss",
        description: "May <we>?",
        metadata: { "<b>amount</b>": '"5"' },
        timeout: "2s",
        onPause: ({ run }, token) => {
          this.approvals.add(token);
          this.waitingRunIds.add(run.id);
        },
      })
      .step("end", (ctx) => ctx.last);
    engine
      .define({ id: "adds", retention: RETENTION })
      .manual({ schema: TREE })
      .onEvent("grown", { schema: TREE })
      .onSchedule("0 2 29 2 *", { name: "leap", timezone: "UTC" })
      .step("one", (ctx) => {
        if ((ctx.payload?.value ?? 0) < LEAST_VALUE) {
          this.runIds.add(ctx.run.id);
          this.failedRunIds.add(ctx.run.id);
          throw new Error("it is too little");
        }
        return JSON.stringify(ctx.payload).length;
      })
      .step("two", (ctx) => ctx.last + 1);
  }
}

function textOf(line: readonly unknown[]): string {
  return line.map((part) => (part instanceof Error ? (part.stack ?? String(part)) : String(part))).join(" ");
}
