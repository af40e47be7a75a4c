/** Moderation, tested: who decides, and what nobody's answer means. */
import { expect, test } from "bun:test";
import { createCronflow } from "cronflow-ffi";
import { never } from "cronflow-ffi/testing";
import { defineModeration } from "./moderation.ts";

const told: string[] = [];
const moderation = defineModeration(createCronflow(), {
  score: async (text) => text.length / 10,
  ask: async (postId, _text, token) => void told.push(`${postId} ${token}`),
  publish: async () => {},
  patience: "2d",
});
const post = { postId: "p1", text: "12345" };
const scored = (score: number) => moderation.test().mockStep("score", score).trigger(post);

test.each([
  [0.1, "published by the score"],
  [0.95, "refused by the score"],
])("a score of %d decides by itself", async (score, verdict) => {
  await scored(score).expectStep("moderator").toBeSkipped().expectRun().toCompleteWith(verdict).run();
});

test("a moderator decides what is between", async () => {
  await scored(0.5).approve({ by: "ada" }).expectRun().toCompleteWith("published by ada").run();
  await scored(0.5)
    .reject()
    .expectStep("publish")
    .toBeSkipped()
    .expectRun()
    .toCompleteWith("refused by a moderator")
    .run();
  expect(told.length).toBeGreaterThan(0);
});

test("nobody's answer is a no", async () => {
  await scored(0.5)
    .advance("2d")
    .expectStep("publish")
    .toBeSkipped()
    .expectRun()
    .toCompleteWith("refused by the clock")
    .run();
});

test("a moderator may answer after the process has died", async () => {
  await scored(0.5).advance("1d").crash().approve().expectRun().toCompleteWith("published by a moderator").run();
});

test("when the classifier hangs or fails, a person looks", async () => {
  const hanging = moderation.test().mockStep("score", never).trigger(post).advance("10m");
  await hanging
    .expectStep("score")
    .toHaveBeenCalledTimes(5)
    .expectStep("score")
    .toFailWith("timeout")
    .expectRun()
    .toWait()
    .approve()
    .expectRun()
    .toComplete()
    .run();
  const failing = moderation.test().mockStep("score", () => {
    throw new Error("out of memory");
  });
  await failing.trigger(post).advance("1m").expectStep("score").toHaveOutput(0.5).approve().run();
});

test("wherever the process dies, the verdict is the same", async () => {
  await moderation.test().trigger(post).approve({ by: "ada" }).runWithCrashes();
});
