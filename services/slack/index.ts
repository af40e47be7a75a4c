import { defineService } from "cronflow-ffi";
import { type ApiAnswer, ask, statusError } from "../lib/api.ts";
import { httpUrl, object, optional, otherwise, text, timeoutMs } from "../lib/fields.ts";
import { final } from "../lib/final.ts";

/** What `ctx.services.slack.send` is given. */
export interface SlackMessage {
  /** Not for a webhook. Default: what the service is configured with. */
  readonly channel?: string;
  /** What it says; with `blocks`, what notifications show. */
  readonly text: string;
  /** https://docs.slack.dev/block-kit */
  readonly blocks?: readonly unknown[];
  /** The message to answer, in a thread. */
  readonly threadTs?: string;
  /** Give it `ctx.signal`, so that the request ends when the step does. Default: it ends by its time-out. */
  readonly signal?: AbortSignal;
}

/** What Slack says when it may work later. */
const LATER = new Set([
  "ratelimited",
  "rate_limited",
  "internal_error",
  "fatal_error",
  "service_unavailable",
  "request_timeout",
]);

/**
 * Messages in Slack: by a bot's token to any channel, or by an incoming webhook to the one it was made for.
 *
 * `config`: `channel`, where messages go that name none; `baseUrl` (default `https://slack.com/api`); `timeoutMs`,
 * milliseconds until the answer is there (default 30,000). `auth`: `token` or `webhookUrl`, one of the two. What Slack
 * refuses is a `NonRetryableError` with Slack's code, unless it may work later.
 */
export const slack = defineService({
  id: "slack",
  name: "Slack",
  version: "1",
  schema: {
    config: object({
      /** Where messages go that name no channel. */
      channel: optional(text),
      /** Default `https://slack.com/api`. */
      baseUrl: otherwise(httpUrl, "https://slack.com/api"),
      timeoutMs,
    }),
    /** One of the two. */
    auth: object({ token: optional(text), webhookUrl: optional(httpUrl) }),
  },
  setup: ({ config, auth: { token, webhookUrl } }) => {
    if ((token === undefined) === (webhookUrl === undefined)) throw final("give `auth.token` or `auth.webhookUrl`");
    const { timeoutMs } = config;
    const api = async (method: string, json: object, signal?: AbortSignal): Promise<Record<string, unknown>> => {
      const headers = { authorization: `Bearer ${token}` };
      const answer = await ask({
        url: `${config.baseUrl}/${method}`,
        method: "POST",
        headers,
        json,
        timeoutMs,
        signal,
      });
      return apiResult(method, answer);
    };
    return {
      actions: {
        /** Sends a message; tells its channel and time stamp, which names it. A webhook tells nothing. */
        send: async ({ signal, ...message }: SlackMessage): Promise<{ channel?: string; ts?: string }> => {
          const { text, blocks, threadTs: thread_ts } = message;
          const json = { text, blocks, thread_ts };
          if (webhookUrl !== undefined) {
            const answer = await ask({ url: webhookUrl, method: "POST", json, timeoutMs, signal });
            if (answer.status !== 200)
              throw statusError(answer.status, `the webhook answered ${answer.status}: ${answer.text}`);
            return {};
          }
          const channel = message.channel ?? config.channel;
          if (channel === undefined) throw final("the message names no channel, and `config.channel` neither");
          const sent = await api("chat.postMessage", { ...json, channel }, signal);
          return { channel: String(sent["channel"]), ts: String(sent["ts"]) };
        },
      },
      health: async () => {
        if (token !== undefined) await api("auth.test", {});
      },
    };
  },
});

/** Slack answers 200 also when it refuses. */
function apiResult(method: string, { status, headers, text }: ApiAnswer): Record<string, unknown> {
  if (status !== 200) {
    const after = headers.get("retry-after");
    throw statusError(status, `${method} answered ${status}${after === null ? "" : `; try again after ${after} s`}`);
  }
  const result = JSON.parse(text) as Record<string, unknown>;
  if (result["ok"] === true) return result;
  const code = String(result["error"]);
  const message = `${method} was refused: ${code}`;
  throw LATER.has(code) ? Object.assign(new Error(message), { code }) : final(message, code);
}
