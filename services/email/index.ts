import { defineService } from "cronflow-ffi";
import { createTransport } from "nodemailer";
import { flag, object, optional, otherwise, text, timeoutMs, whole } from "../lib/fields.ts";
import { final } from "../lib/final.ts";

/** What `ctx.services.email.send` is given. Addresses are like `a@example.com` or `Ann <a@example.com>`. */
export interface Mail {
  /** Who gets it: an address, or several. */
  readonly to: string | readonly string[];
  /** What it is about. */
  readonly subject: string;
  /** What it says, as plain text. */
  readonly text?: string;
  /** What it says, as HTML. */
  readonly html?: string;
  /** Default: what the service is configured with. */
  readonly from?: string;
  /** Who gets a copy. Default: nobody. */
  readonly cc?: string | readonly string[];
  /** Who gets a copy that the others do not see. Default: nobody. */
  readonly bcc?: string | readonly string[];
  /** Where answers go. Default: to the sender. */
  readonly replyTo?: string;
  /** Files that go with it. Default: none. */
  readonly attachments?: readonly {
    /** What it is called in the mail. */
    readonly filename: string;
    /** What is in it: text, or bytes. */
    readonly content: string | Buffer;
  }[];
  /**
   * Give it `ctx.idempotencyKey`: a mail that is sent again has the same Message-ID, by which most mailboxes know it.
   */
  readonly idempotencyKey?: string;
}

/** What the server said of a mail that it took. */
export interface SentMail {
  /** Its Message-ID. */
  readonly messageId: string;
  /** Addresses that the server took it for. */
  readonly accepted: readonly string[];
  /** Addresses that the server refused. */
  readonly rejected: readonly string[];
}

/**
 * Mail by SMTP: `ctx.services.email.send`. Needs the package `nodemailer`, version 10 or later.
 *
 * `config`: `host`; `port` (default 587); `secure`, whether the connection begins with TLS, as on port 465 (default
 * false: by STARTTLS); `requireTls`, whether a server that cannot do STARTTLS is refused (default true); `from`, the
 * sender of mails that name none; `timeoutMs`, milliseconds that the server may be silent (default 30,000). `auth`:
 * `user` and `password`, or neither. Nothing is sent again: that is the retry policy of the step.
 */
export const email = defineService({
  id: "email",
  name: "Mail",
  version: "1",
  schema: {
    config: object({
      host: text,
      /** Default 587. */
      port: otherwise(whole(1, 65_535), 587),
      /** Whether the connection begins with TLS, as on port 465. Default false: it begins with STARTTLS if the server can. */
      secure: otherwise(flag, false),
      /** Whether a server that cannot do STARTTLS is refused. Default true. */
      requireTls: otherwise(flag, true),
      from: text,
      timeoutMs,
    }),
    auth: object({ user: optional(text), password: optional(text) }),
  },
  setup: ({ config, auth: { user, password } }) => {
    if ((user === undefined) !== (password === undefined))
      throw final("give both `auth.user` and `auth.password`, or none");
    const { host, port, secure, requireTls, timeoutMs } = config;
    const transport = createTransport({
      host,
      port,
      secure,
      requireTLS: requireTls && !secure,
      pool: true,
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      disableFileAccess: true,
      disableUrlAccess: true,
      ...(user !== undefined && password !== undefined && { auth: { user, pass: password } }),
    });
    return {
      actions: {
        /** Sends a mail. An answer 5xx of the server is a `NonRetryableError`. */
        send: async ({ idempotencyKey, ...mail }: Mail): Promise<SentMail> => {
          const messageId = idempotencyKey === undefined ? {} : { messageId: `<${hash(idempotencyKey)}@cronflow>` };
          try {
            const sent = await transport.sendMail({ from: config.from, ...copied(mail), ...messageId });
            return {
              messageId: sent.messageId,
              accepted: sent.accepted.map(address),
              rejected: sent.rejected.map(address),
            };
          } catch (error) {
            throw refusal(error);
          }
        },
      },
      health: () => transport.verify(),
      stop: () => transport.close(),
    };
  },
});

/** Lists that nodemailer may change. */
function copied({ to, cc, bcc, attachments, ...rest }: Omit<Mail, "idempotencyKey">) {
  const list = (given: string | readonly string[]): string | string[] =>
    typeof given === "string" ? given : [...given];
  return {
    ...rest,
    to: list(to),
    ...(cc !== undefined && { cc: list(cc) }),
    ...(bcc !== undefined && { bcc: list(bcc) }),
    ...(attachments !== undefined && { attachments: attachments.map((one) => ({ ...one })) }),
  };
}

function address(given: string | { address: string }): string {
  return typeof given === "string" ? given : given.address;
}

function hash(text: string): string {
  return Bun.SHA256.hash(text, "hex");
}

/** A server that answers 5xx means it for good. */
function refusal(error: unknown): unknown {
  const { responseCode, code } = error as { responseCode?: unknown; code?: string };
  if (typeof responseCode !== "number" || responseCode < 500) return error;
  return final((error as Error).message, code, error);
}
