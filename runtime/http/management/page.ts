/** The pages on which people answer a request for approval. No script, nothing from elsewhere; all values are escaped. */
import { html, raw } from "hono/html";
import type { HtmlEscapedString } from "hono/utils/html";
import type { PausedWorkflow } from "../../records.ts";

type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

const STYLE = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { max-width: 40rem; margin: 3rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dt { opacity: .7; }
dd { margin: 0; overflow-wrap: anywhere; }
pre { padding: .8rem; overflow: auto; border: 1px solid #8886; border-radius: .4rem; }
label, textarea { display: block; width: 100%; box-sizing: border-box; margin-bottom: .6rem; font: inherit; }
button { padding: .5rem 1.2rem; margin-right: .6rem; font: inherit; }
`;
const STYLE_HASH = new Bun.CryptoHasher("sha256").update(STYLE).digest("base64");

/** What pages are sent with. The policy allows the style below and the form, nothing else. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  "Content-Security-Policy": `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  // The address has the token in it, so no other site is told it. Not `no-referrer`: browsers would then send the form
  // with `Origin: null`, which cannot be told from that of another site.
  "Referrer-Policy": "same-origin",
  "X-Frame-Options": "DENY",
};

/** A request for approval, with the form if it is still open. */
export function requestPage(request: PausedWorkflow): Html {
  const { description, workflowId, runId, step, status, metadata, pausedAt, expiresAt } = request;
  const title = description ?? `Approve ${step}?`;
  return page(
    title,
    html`
      <dl>
        <dt>Workflow</dt><dd>${workflowId}</dd>
        <dt>Run</dt><dd>${runId}</dd>
        <dt>Step</dt><dd>${step}</dd>
        <dt>Since</dt><dd>${pausedAt.toISOString()}</dd>
        ${expiresAt === undefined ? "" : html`<dt>Until</dt><dd>${expiresAt.toISOString()}</dd>`}
      </dl>
      ${metadata === undefined ? "" : html`<pre>${JSON.stringify(metadata, undefined, 2)}</pre>`}
      ${status === "open" ? FORM : html`<p>This request is ${STATUS[status]}.</p>`}`,
  );
}

/** The answer is recorded. */
export function answeredPage({ approved }: { readonly approved: boolean }): Html {
  return page(approved ? "Approved" : "Rejected", html`<p>Your answer is recorded. You can close this page.</p>`);
}

/** Why there is nothing to see, or the answer was not taken. */
export function refusalPage({ code, message }: { readonly code: string; readonly message: string }): Html {
  return page(REFUSED[code] ?? "That did not work", html`<p>${message}</p>`);
}

const STATUS: Record<PausedWorkflow["status"], string> = {
  open: "open",
  approved: "approved",
  rejected: "rejected",
  expired: "too old: nobody answered in time",
  cancelled: "no longer needed: its run went on or ended without an answer",
};

const REFUSED: Readonly<Record<string, string>> = {
  token_unknown: "There is no such request",
  token_used: "This request was answered before",
  token_expired: "This request is too old",
  run_stuck: "This cannot be answered now",
};

/** Without an `action` it goes to the page's own address. */
const FORM = html`
  <form method="post">
    <label for="comment">Comment</label>
    <textarea id="comment" name="comment" rows="3" maxlength="10000"></textarea>
    <button name="approved" value="true">Approve</button>
    <button name="approved" value="false">Reject</button>
  </form>`;

function page(title: string, content: Html): Html {
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="robots" content="noindex">
    <title>${title}</title>
    <style>${raw(STYLE)}</style>
  </head>
  <body>
    <h1>${title}</h1>
    ${content}
  </body>
</html>`;
}
