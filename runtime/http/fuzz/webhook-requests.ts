/** Requests to the webhooks of the target that are right, each with its signature. */
import { createHmac } from "node:crypto";
import { jsonPlan, type Plan, setHeader } from "./plan.ts";
import type { Random } from "./random.ts";
import { BASE64_SECRET, SECRET } from "./target.ts";

type Maker = (random: Random) => Plan;

const EMPTY = new Uint8Array();
const seconds = (): string => String(Math.floor(Date.now() / 1_000));

/** HMAC-SHA256 over the pieces. */
function code(pieces: readonly (string | Uint8Array)[], encoding: "hex" | "base64", key: string | Buffer = SECRET) {
  const hmac = createHmac("sha256", key);
  for (const piece of pieces) hmac.update(piece);
  return hmac.digest(encoding);
}

function sealed(plan: Plan, seal: (plan: Plan, body: Uint8Array) => void): Plan {
  const sealing = (sealing: Plan): void => {
    sealing.sealed = sealing.body ?? EMPTY;
    seal(sealing, sealing.sealed);
  };
  const signed = { ...plan, seal: sealing };
  sealing(signed);
  return signed;
}

/** Few, so that messages come twice. */
const messageId = (random: Random): string => `m${random.int(200)}`;

export const WEBHOOK_REQUESTS: readonly Maker[] = [
  (random) => {
    const order = { orderId: random.word(), amount: 1 + random.int(1_000), tags: { [random.word()]: random.word() } };
    const plan = jsonPlan("orders", "POST", `/orders/${random.word()}?ref=${random.word()}`, order);
    if (random.chance(0.5)) setHeader(plan, "x-key", `key-${random.int(1_000)}`);
    return plan;
  },
  (random) => jsonPlan("removals", "DELETE", `/orders/${random.word()}`, { why: random.word() }),
  (random) => {
    const plan = jsonPlan("files", "PUT", `/files/${random.word()}/${random.word()}.bin`, undefined);
    plan.body = random.bytes(random.int(64));
    setHeader(plan, "content-type", "application/octet-stream");
    return plan;
  },
  (random) => jsonPlan("trees", "PATCH", "/trees", { value: random.int(20), children: [{ children: [] }, {}] }),
  (random) => jsonPlan("small", "POST", "/small", random.word(300)),
  (random) => {
    const plan = jsonPlan("guarded", "POST", "/guarded", random.int(3));
    setHeader(plan, "x-kind", random.pick(["plain", "good-kind", "evil"]));
    setHeader(plan, "x-version", "2");
    return plan;
  },
  (random) => jsonPlan("sums", "PUT", "/sums", { numbers: [random.int(100), 0.5] }),
  (random) => jsonPlan("sums", "PUT", "/sums", { numbers: [], end: random.pick(["fail", "wait", "cancel"]) }),
  (random) => {
    const id = messageId(random);
    return sealed(jsonPlan("hmac", "POST", "/hmac", { id }), (plan, body) => {
      const time = seconds();
      setHeader(plan, "x-id", id);
      setHeader(plan, "x-sent-at", time);
      setHeader(plan, "x-signature", code([`${id}.${time}.`, body], "hex"));
    });
  },
  (random) =>
    sealed(jsonPlan("github", "POST", "/github", { id: messageId(random) }), (plan, body) => {
      setHeader(plan, "x-hub-signature-256", `sha256=${code([body], "hex")}`);
    }),
  (random) =>
    sealed(jsonPlan("stripe", "POST", "/stripe", { id: messageId(random) }), (plan, body) => {
      const time = seconds();
      setHeader(plan, "stripe-signature", `t=${time},v1=${code([`${time}.`, body], "hex")}`);
    }),
  (random) =>
    sealed(jsonPlan("slack", "POST", "/slack", { event_id: messageId(random) }), (plan, body) => {
      const time = seconds();
      setHeader(plan, "x-slack-request-timestamp", time);
      setHeader(plan, "x-slack-signature", `v0=${code([`v0:${time}:`, body], "hex")}`);
    }),
  (random) => {
    const id = messageId(random);
    return sealed(jsonPlan("standard", "POST", "/standard", { id }), (plan, body) => {
      const time = seconds();
      const key = Buffer.from(BASE64_SECRET.slice("whsec_".length), "base64");
      setHeader(plan, "webhook-id", id);
      setHeader(plan, "webhook-timestamp", time);
      setHeader(plan, "webhook-signature", `v1,${code([`${id}.${time}.`, body], "base64", key)}`);
    });
  },
];
