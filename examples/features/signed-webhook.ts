/** Only who has the secret may send, and a message that is delivered twice starts one run. */
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow, verify } from "cronflow-ffi";
import { z } from "zod";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const secret = Buffer.from("a secret of 24 bytes or so");

engine
  .define({ id: "mail" })
  .onWebhook("/mail", {
    // As standardwebhooks.com says; there are also github, stripe, slack, hmac, and functions of your own.
    verify: verify.standardWebhooks({ secret: `whsec_${secret.toString("base64")}` }),
    schema: z.object({ type: z.string() }),
  })
  .step("read", (ctx) => ctx.payload.type);

// The sender does not hear why it was refused, the log does.
const log = { ...console, warn: (line: string) => console.log(line) };
await engine.start({ port: 0, auth: "a-token-that-nobody-guesses", log });
const first = await send("msg_1", { type: "mail.bounced" });
console.log(first.status, await engine.result(first.body.runId));
const again = await send("msg_1", { type: "mail.bounced" });
console.log(again.status, again.body.runId === first.body.runId);
console.log((await send("msg_1", { type: "mail.opened" })).body.error?.code);
console.log((await send("msg_2", { type: "mail.opened" }, Buffer.from("a guess"))).status);
console.log((await send("msg_3", { type: "mail.opened" }, secret, Date.now() - 3_600_000)).status);

await engine.stop();
rmSync(directory, { recursive: true });

async function send(id: string, event: object, key = secret, sentMs = Date.now()) {
  const [body, time] = [JSON.stringify(event), Math.floor(sentMs / 1_000)];
  const code = createHmac("sha256", key).update(`${id}.${time}.${body}`).digest("base64");
  const answer = await fetch(new URL("/mail", engine.url), {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": String(time),
      "webhook-signature": `v1,${code}`,
    },
    body,
  });
  return { status: answer.status, body: (await answer.json()) as { runId: string; error?: { code: string } } };
}

// Output:
// 202 mail.bounced
// 200 true
// delivery_conflict
// POST /mail: a message was refused: the signature does not match
// 401
// POST /mail: a message was refused: the time is not near
// 401
