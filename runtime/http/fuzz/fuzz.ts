/** Attacks an engine of its own with as many requests as are asked for, and tells what it did that it must not do. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requestOf, seenOf } from "./direct.ts";
import { generalFault, misbehaviour, type Private, type Seen } from "./judge.ts";
import { type Memory, memoryInUse } from "./memory.ts";
import { Patience } from "./patience.ts";
import { described, type Plan } from "./plan.ts";
import { Random } from "./random.ts";
import { anyRequest } from "./requests.ts";
import { bytesOf, exchange, firstAnswer, isFinished, scrambled } from "./socket.ts";
import { Tally } from "./tally.ts";
import { Target, TOKEN } from "./target.ts";

export interface FuzzOptions {
  readonly seed: number;
  readonly requests: number;
  readonly onProgress?: (done: number) => void;
}

export interface Report {
  /** What the engine did that it must not do, with the request if there was one. */
  readonly faults: readonly string[];
  readonly tally: Tally;
  /** After a third of the requests, when all caches are full, and at the end. */
  readonly memory: readonly [third: Memory, end: Memory];
}

const LANES = 64;
/** One half of them to the engine's own server, the other to one of Node's. */
const ON_SOCKETS = 1 / 40;
const SCRAMBLED = 0.3;
/** Longer than anything may take: `requestTimeout` is a fraction of it. */
const HANGING_SECONDS = 20;
const ENOUGH_FAULTS = 10;

export async function fuzz({ seed, requests, onProgress }: FuzzOptions): Promise<Report> {
  const directory = mkdtempSync(join(tmpdir(), "cronflow-fuzz-"));
  const attack = new Attack(seed, join(directory, "fuzz.db"));
  try {
    await attack.begin();
    const third = Math.floor(requests / 3);
    await attack.send(0, third, onProgress);
    const before = await memoryInUse();
    await attack.send(third, requests, onProgress);
    const memory = [before, await memoryInUse()] as const;
    await attack.checkHealth();
    return { faults: attack.faults, tally: attack.tally, memory };
  } finally {
    await attack.end();
    rmSync(directory, { recursive: true });
  }
}

class Attack {
  readonly faults: string[] = [];
  readonly tally = new Tally();
  readonly #seed: number;
  readonly #target: Target;
  readonly #hidden: Private;
  readonly #onUncaught = (error: unknown): void => this.#blame("nobody caught", String((error as Error).stack));
  readonly #patience = new Patience(HANGING_SECONDS);
  #node: Server | undefined;
  /** Of the engine's own server, and of Node's. */
  #ports: readonly number[] = [];

  constructor(seed: number, database: string) {
    this.#seed = seed;
    this.#hidden = { database };
    this.#target = new Target(database);
  }

  async begin(): Promise<void> {
    process.on("unhandledRejection", this.#onUncaught);
    process.on("uncaughtException", this.#onUncaught);
    const { engine } = this.#target;
    await engine.start({ port: 0, hostname: "127.0.0.1", handleSignals: false });
    this.#node = createServer(engine.toNodeHandler());
    await once(this.#node.listen(0, "127.0.0.1"), "listening");
    this.#ports = [Number(engine.url?.port), (this.#node.address() as AddressInfo).port];
  }

  async end(): Promise<void> {
    this.#patience.end();
    this.#node?.close();
    this.#node?.closeAllConnections();
    await this.#target.engine.stop({ timeout: "1s" });
    process.off("unhandledRejection", this.#onUncaught);
    process.off("uncaughtException", this.#onUncaught);
  }

  /** Sends the requests of these numbers, some of them at a time. */
  async send(from: number, to: number, onProgress: FuzzOptions["onProgress"]): Promise<void> {
    let next = from;
    const lane = async (): Promise<void> => {
      while (next < to && this.faults.length < ENOUGH_FAULTS) {
        const number = next;
        next += 1;
        await this.#one(number);
        if (number % 1_000 === 0) onProgress?.(number);
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    for (const complaint of this.#target.complaints.splice(0)) this.#blame(complaint);
  }

  async #one(number: number): Promise<void> {
    const random = new Random(this.#seed, number);
    const plan = anyRequest(random, this.#target);
    const { promise: tooLong, resolve } = Promise.withResolvers<void>();
    const answeredInTime = this.#patience.begin(() => {
      this.#blame("no answer", `#${number} ${described(plan)}`);
      resolve(); // Whoever is not answered is not waited for.
    });
    try {
      const answered = random.chance(ON_SOCKETS) ? this.#onSocket(plan, random) : this.#direct(plan);
      await Promise.race([answered, tooLong]);
    } catch (error) {
      this.#blame("the handler threw", `${described(plan)} ${(error as Error).stack}`);
    } finally {
      answeredInTime();
    }
  }

  async #direct(plan: Plan): Promise<void> {
    const request = requestOf(plan);
    if (request === undefined) {
      this.tally.unmade += 1;
      return;
    }
    this.#judge(plan, await seenOf(await this.#target.engine.fetch(request)));
  }

  async #onSocket(plan: Plan, random: Random): Promise<void> {
    const isScrambled = random.chance(SCRAMBLED);
    const bytes = isScrambled ? scrambled(plan, random) : bytesOf(plan);
    const port = random.pick(this.#ports);
    const seen = firstAnswer(await exchange(port, bytes, !isScrambled && isFinished(plan)));
    // Servers refuse themselves what is no HTTP, with nothing but a status.
    if (seen === undefined || (seen.text === "" && seen.headers["content-type"] === undefined)) {
      this.tally.cutOff += 1;
    } else if (isScrambled) {
      const fault = generalFault(seen);
      if (fault !== undefined)
        this.#blame(fault, `${JSON.stringify(Buffer.from(bytes).toString("latin1"))} → ${seen.text}`);
    } else this.#judge(plan, seen);
  }

  #judge(plan: Plan, seen: Seen): void {
    this.tally.add(plan.name, seen);
    const fault = misbehaviour(plan, seen, this.#hidden);
    if (fault !== undefined) this.#blame(fault, `${described(plan)} → ${seen.status} ${seen.text.slice(0, 2_000)}`);
  }

  /** Whether the engine still does what it is there for, and nothing of the attack is left waiting. */
  async checkHealth(): Promise<void> {
    const { engine } = this.#target;
    const post = new Request("http://localhost/small", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '"still there"',
    });
    const { status, text } = await seenOf(await engine.fetch(post));
    const { runId = "" } = JSON.parse(text) as { runId?: string };
    if (status !== 202 || (await engine.result(runId)) !== "string") {
      this.#blame("it does not work any more", `${status} ${text}`);
    }
    const authorization = `Bearer ${TOKEN}`;
    const metrics = await engine.fetch(
      new Request("http://localhost/cronflow/metrics", { headers: { authorization } }),
    );
    const { pendingRequests } = (await metrics.json()) as { pendingRequests: number };
    if (pendingRequests !== 0) this.#blame(`${pendingRequests} requests are still pending`);
  }

  #blame(fault: string, what = ""): void {
    this.faults.push(`${fault}: ${what}`);
  }
}
