/** Five posts: two the score decides, one a moderator allows, one a moderator refuses, one nobody looks at. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { defineModeration } from "./moderation.ts";

const directory = mkdtempSync(join(tmpdir(), "cronflow-moderation-"));
const engine = createCronflow({ database: join(directory, "moderation.db") });
const published: string[] = [];

const moderation = defineModeration(engine, {
  score: async (text) => (text.includes("cheap watches") ? 0.95 : text.includes("!") ? 0.5 : 0.1),
  ask: async (postId, _text, token) => {
    // The moderator of this demo answers at once, except when asleep.
    if (postId !== "asleep") await engine.resume(token, { approved: postId === "loud", by: "Mo" });
  },
  publish: async (postId) => void published.push(postId),
  patience: "400ms",
});

await engine.start();
for (const [postId, text] of [
  ["quiet", "I have planted tomatoes."],
  ["spam", "Buy cheap watches"],
  ["loud", "Look at my tomatoes!"],
  ["rude", "Your tomatoes are ugly!"],
  ["asleep", "Is anybody awake!"],
] as const) {
  console.log(`${postId}: ${await engine.execute(moderation, { postId, text })}`);
}
console.log(`published: ${published.join(", ")}`);

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// quiet: published by the score
// spam: refused by the score
// loud: published by Mo
// rude: refused by Mo
// asleep: refused by the clock
// published: quiet, loud
