/** The REST API of GitHub: issues and comments, and any other request. */
import { defineService } from "cronflow-ffi";
import { type ApiAnswer, ask, mayHelp, statusError } from "../lib/api.ts";
import { httpUrl, object, otherwise, text, timeoutMs } from "../lib/fields.ts";

/** A repository. */
export interface Repository {
  readonly owner: string;
  readonly repo: string;
}

export interface GithubIssue {
  readonly number: number;
  readonly title: string;
  readonly state: "open" | "closed";
  readonly html_url: string;
  readonly [field: string]: unknown;
}

export interface GithubRequest {
  /** Default `"GET"`. */
  readonly method?: string;
  readonly json?: unknown;
  readonly signal?: AbortSignal;
}

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
        createIssue: ({ owner, repo, ...json }: Repository & NewIssue) =>
          request<GithubIssue>(issues({ owner, repo }), { method: "POST", json }),
        getIssue: (where: Repository & { readonly number: number }) => request<GithubIssue>(issue(where)),
        updateIssue: ({ owner, repo, number, ...json }: Repository & { readonly number: number } & IssueChanges) =>
          request<GithubIssue>(issue({ owner, repo, number }), { method: "PATCH", json }),
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

interface NewIssue {
  readonly title: string;
  readonly body?: string;
  readonly labels?: readonly string[];
  readonly assignees?: readonly string[];
}

interface IssueChanges extends Partial<NewIssue> {
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
