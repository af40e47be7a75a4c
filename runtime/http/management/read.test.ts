import { expect, test } from "bun:test";
import { z } from "zod";
import { testEngine } from "../../testing/engines.ts";
import { TOKEN } from "./managed.testing.ts";

type Tree = { readonly children: readonly Tree[] };
const TREE: z.ZodType<Tree> = z.object({ children: z.array(z.lazy(() => TREE)) });

test.each([
  [60, 202],
  [65, 400],
  [50_000, 400],
])("a payload of %d levels of objects is answered %d, before a schema goes into it", async (levels, status) => {
  const engine = testEngine({ auth: TOKEN });
  engine
    .define({ id: "trees" })
    .manual({ schema: TREE })
    .step("x", () => 1);
  await engine.start();
  const answer = await engine.fetch(
    new Request("http://localhost/cronflow/workflows/trees/trigger", {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}` },
      body: `{"payload":${'{"children":['.repeat(levels)}${"]}".repeat(levels)}}`,
    }),
  );
  expect(answer.status).toBe(status);
});
