import { defineService } from "cronflow-ffi";
import { type ApiAnswer, ask, mayHelp, statusError } from "../lib/api.ts";
import { httpUrl, object, otherwise, text, timeoutMs } from "../lib/fields.ts";

/** A repository. */
export interface Repository {
  /** The user or the organization it belongs to. */
  readonly owner: string;
  /** Its name, without the owner. */
  readonly repo: string;
}

/** An issue, as GitHub tells it: with all its other fields, too. */
export interface GithubIssue {
  /** Its number in the repository. */
  readonly number: number;
  /** What it is about. */
  readonly title: string;
  /** Whether it is open. */
  readonly state: "open" | "closed";
  /** Its page. */
  readonly html_url: string;
  readonly [field: string]: unknown;
}

/** What a request is made of, besides its path. */
export interface GithubRequest {
  /** Default `"GET"`. */
  readonly method?: string;
  /** Sent as JSON. Default: nothing. */
  readonly json?: unknown;
  /** Give it `ctx.signal`, so that the request ends when the step does. Default: it ends by its time-out. */
  readonly signal?: AbortSignal;
}

/**
 * GitHub's REST API: issues and comments, and any other request.
 *
 * `config`: `baseUrl` (default `https://api.github.com`; that of an Enterprise Server is `https://host/api/v3`);
 * `timeoutMs`, milliseconds until the answer is there (default 30,000). `auth`: `token`. An answer of 300 or more is an
 * error, with a code like `"HTTP_404"`: a `NonRetryableError`, unless the same request may succeed later (5xx, 408,
 * 425, 429, and 403 when the limit of requests is used up).
 */
export const github = defineService({
  id: "github",
  name: "GitHub",
  version: "1",
  schema: {
    config: object({
      /** Default `https://api.github.com`; that of an Enterprise Server is `https://host/api/v3`. */
      baseUrl: otherwise(httpUrl, "https://api.github.com"),
      timeoutMs,
    }),
    auth: object({ token: text }),
  },
  setup: ({ config: { baseUrl, timeoutMs }, auth }) => {
    const headers = {
      accept: "application/vnd.github+json",
      authorization: `Bearer ${auth.token}`,
      "user-agent": "cronflow-ffi",
      "x-github-api-version": "2022-11-28",
    };
    const request = async <T = unknown>(path: `/${string}`, given: GithubRequest = {}): Promise<T> => {
      const { method = "GET", json, signal } = given;
      const answer = await ask({ url: baseUrl + path, method, headers, json, timeoutMs, signal });
      if (answer.status >= 300) throw refusal(method, path, answer);
      // What the caller knows of the answer.
      return (answer.text === "" ? undefined : JSON.parse(answer.text)) as T;
    };
    const issues = ({ owner, repo }: Repository): `/${string}` =>
      `/repos/${encodeURIComponent(owner)}/${encodeURIComponent(repo)}/issues`;
    const issue = (where: Repository & { readonly number: number }): `/${string}` => `${issues(where)}/${where.number}`;
    return {
      actions: {
        /** Any request: the path is that of https://docs.github.com/rest. */
        request,
        /** Opens an issue. */
        createIssue: ({ owner, repo, ...json }: Repository & NewIssue) =>
          request<GithubIssue>(issues({ owner, repo }), { method: "POST", json }),
        /** Reads an issue. */
        getIssue: (where: Repository & { readonly number: number }) => request<GithubIssue>(issue(where)),
        /** Changes what is given of an issue; the rest stays as it is. */
        updateIssue: ({ owner, repo, number, ...json }: Repository & { readonly number: number } & IssueChanges) =>
          request<GithubIssue>(issue({ owner, repo, number }), { method: "PATCH", json }),
        /** Writes a comment on an issue or a pull request; `body` is Markdown. Gives its id and its page. */
        comment: (where: Repository & { readonly number: number; readonly body: string }) =>
          request<{ readonly id: number; readonly html_url: string }>(`${issue(where)}/comments`, {
            method: "POST",
            json: { body: where.body },
          }),
      },
      health: () => request("/rate_limit"),
    };
  },
});

/** What an issue is opened with. */
export interface NewIssue {
  /** What it is about. */
  readonly title: string;
  /** What it says, in Markdown. Default: nothing. */
  readonly body?: string;
  /** Names of labels. Default: none. */
  readonly labels?: readonly string[];
  /** Who is to work on it, by login. Default: nobody. */
  readonly assignees?: readonly string[];
}

/** What is changed of an issue; what is left out stays as it is. */
export interface IssueChanges extends Partial<NewIssue> {
  /** Closes it, or opens it again. */
  readonly state?: "open" | "closed";
}

/** A limit of requests that is used up is a 403, too. */
function refusal(method: string, path: string, { status, headers, text }: ApiAnswer): Error {
  const isLimited = headers.get("x-ratelimit-remaining") === "0" || headers.has("retry-after");
  const isFinal = !mayHelp(status) && !(status === 403 && isLimited);
  return statusError(status, `${method} ${path} answered ${status}: ${messageIn(text)}`, isFinal);
}

function messageIn(text: string): string {
  try {
    return String((JSON.parse(text) as { message?: unknown }).message ?? text);
  } catch {
    // A proxy on the way answers HTML.
    return text.slice(0, 200);
  }
}
