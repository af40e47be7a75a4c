/** Plays GitHub, a maintainer with a browser, and a maintainer with a program. */
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { FakeForge } from "./forge.ts";
import { defineIssues } from "./issues.ts";

const [secret, operator] = ["It's a Secret to Everybody", "a-token-that-nobody-guesses"];
const directory = mkdtempSync(join(tmpdir(), "cronflow-issues-"));
const log = { ...console, warn: (line: string) => console.log(`   log: ${line}`) };
const engine = createCronflow({ database: join(directory, "issues.db"), auth: operator, approvals: "token", log });
const forge = new FakeForge(secret);
const here = () => engine.url as URL; // It is served as long as this demo runs.

defineIssues(engine, forge, here);
await engine.start({ port: 0, hostname: "127.0.0.1" });

console.log("1. GitHub tells of an issue, tells it again, and tells of a comment; a stranger makes one up");
const crash = issue(1, "It crashes at noon");
console.log(`   opened: ${await deliver("issues", crash)}`);
console.log(`   again: ${await deliver("issues", crash)}`);
console.log(`   a comment: ${await deliver("issue_comment", { ...crash, action: "created" })}`);
console.log(`   a stranger: ${await deliver("issues", issue(2, "Everything is lost"), "a guess")}`);

console.log("2. A maintainer opens the link of the mail, and presses a button");
const mail = await forge.mailAbout(1);
console.log(`   ${mail.subject}`);
const page = await fetch(mail.link, { headers: { accept: "text/html" } });
const buttons = [...(await page.text()).matchAll(/<h1>(.*?)<\/h1>|<button.*?>(.*?)<\/button>/g)];
console.log(`   ${page.status} ${buttons.map(([, title, button]) => title ?? `[${button}]`).join(" ")}`);
const answer = new URLSearchParams({ comment: "At noon!", approved: "true" });
const pressed = await fetch(mail.link, { method: "POST", headers: { origin: here().origin }, body: answer });
console.log(`   ${pressed.status} ${/<h1>(.*?)<\/h1>/.exec(await pressed.text())?.[1]}`);
console.log(`   #1 is ${await forge.labelOf(1)}`);

console.log("3. Another is answered by a program, in JSON");
await deliver("issues", issue(3, "My keys are lost"));
const { link } = await forge.mailAbout(3);
const [json, no] = [{ "content-type": "application/json" }, JSON.stringify({ approved: false })];
for (const attempt of ["first", "second"]) {
  const response = await fetch(link, { method: "POST", headers: json, body: no });
  const { approved, error } = (await response.json()) as { approved?: boolean; error?: { code: string } };
  console.log(`   ${attempt}: ${response.status} ${error?.code ?? `approved: ${approved}`}`);
}
console.log(`   #3 is ${await forge.labelOf(3)}`);

console.log("4. An operator looks at what was done; nobody else may");
const list = await look<{ runs: { runId: string }[] }>("/runs?workflowId=triage", operator);
for (const { runId } of list.body.runs) {
  await engine.result(runId);
  const { body: run } = await look<{ status: string; output: object }>(`/runs/${runId}`, operator);
  console.log(`   ${run.status} ${JSON.stringify(run.output)}`);
}
console.log(`   with a guess: ${(await look("/runs", "a guess")).status}`);
console.log(`   comments: ${(await forge.comments(2)).join(" | ")}`);

await engine.stop();
rmSync(directory, { recursive: true });

/** What GitHub sends of an issue that was opened. */
function issue(number: number, title: string) {
  return { action: "opened", issue: { number, title, user: { login: "ada" } } };
}

/** Sends an event as GitHub does, and gives the answer's status; a run that was started is waited for. */
async function deliver(event: string, content: object, key = secret): Promise<string> {
  const body = JSON.stringify(content);
  const signature = `sha256=${createHmac("sha256", key).update(body).digest("hex")}`;
  const headers = { "content-type": "application/json", "x-github-event": event, "x-hub-signature-256": signature };
  const response = await fetch(new URL("/webhooks/github", here()), { method: "POST", headers, body });
  const { runId, skipped } = (await response.json()) as { runId?: string; skipped?: boolean };
  if (runId !== undefined) await engine.result(runId);
  return `${response.status}${skipped === true ? ", skipped" : ""}`;
}

/** Asks the management API. */
async function look<Answer>(path: string, token: string): Promise<{ status: number; body: Answer }> {
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(new URL(`/cronflow${path}`, here()), { headers });
  return { status: response.status, body: (await response.json()) as Answer };
}

// Output:
// 1. GitHub tells of an issue, tells it again, and tells of a comment; a stranger makes one up
//    opened: 202
//    again: 200
//    a comment: 200, skipped
//    log: POST /webhooks/github: a message was refused: the signature does not match
//    a stranger: 401
// 2. A maintainer opens the link of the mail, and presses a button
//    #1 It crashes at noon
//    200 Is this urgent? [Approve] [Reject]
//    200 Approved
//    #1 is urgent
// 3. Another is answered by a program, in JSON
//    first: 200 approved: false
//    second: 409 token_used
//    #3 is later
// 4. An operator looks at what was done; nobody else may
//    completed {"issue":3,"label":"later"}
//    completed {"issue":1,"label":"urgent","note":"At noon!"}
//    with a guess: 401
//    comments: #1: Thank you, ada! | #3: Thank you, ada!
