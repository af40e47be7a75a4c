import { expect, test } from "bun:test";
import { testEngine } from "../testing/engines.ts";
import { recordingLog } from "./webhook/webhook.testing.ts";

const thrown = (): never => {
  throw new Error("no");
};

test.each(["/cronflow/approvals/very-private", "/cronflow/runs/%0Aerror%20forged", "/cronflow/%0Aerror%20forged"])(
  "what fails is logged without what the sender wrote: %s",
  async (path) => {
    const { lines, log } = recordingLog();
    const engine = testEngine({ auth: thrown, log });
    await engine.start();
    const answer = await engine.fetch(new Request(`http://localhost${path}`));
    expect(answer.status).toBe(500);
    const failures = lines.filter((line) => line.startsWith("error GET /cronflow/"));
    expect(failures).toHaveLength(1);
    expect(failures[0]).not.toMatch(/very-private|forged|\n/);
  },
);
