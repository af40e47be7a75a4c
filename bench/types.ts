/**
 * What types cost: the time the compiler needs to check a workflow of 100 nodes, above that of an empty one. The goal
 * is less than a second, for it is paid at every keystroke in an editor.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { round, table } from "./lib/table.ts";

const ROOT = join(import.meta.dir, "..");
// Inside the package, so that its own name resolves.
const SCRATCH = join(ROOT, ".cache", `types-${process.pid}`);
const ROUNDS = 5;
const GOAL_S = 1;

/** Groups of ten nodes, with blocks of most kinds; each reads what a node of the group before has returned. */
function workflow(nodes: number): string {
  const lines = [
    'import { createCronflow } from "cronflow-ffi";',
    'import { z } from "zod";',
    'export const workflow = createCronflow().define({ id: "large" })',
    "  .manual({ schema: z.object({ id: z.string(), amount: z.number() }) })",
    '  .step("s0", (ctx) => ({ id: ctx.payload.id, n: 0 }))',
  ];
  for (let node = 10, latest = 0; node < nodes; latest = node, node += 10) {
    const before = `ctx.steps.s${latest}.output`;
    lines.push(
      `  .if("i${node}", (ctx) => ${before}.n > ${node})`,
      `  .action("a${node}", (ctx) => ctx.log.info(${before}.id)).retry({ attempts: 3 }).timeout("5s")`,
      `  .else().step("e${node}", (ctx) => [ctx.payload.amount, ${before}]).endIf()`,
      `  .parallel({ n: (ctx) => ${before}.n, id: (flow) => flow.step("p${node}", (ctx) => ctx.payload.id) }, { name: "b${node}" })`,
      `  .forEach("f${node}", (ctx) => [ctx.last], (item, flow) => flow.step("t${node}", (ctx) => ctx.item.id + item.n))`,
      `  .sleep("1s")`,
      `  .step("s${node}", (ctx) => ({ id: ctx.last.join(), n: ctx.steps.b${node}.output.n + (ctx.steps.e${node}?.output.length ?? 0) }))`,
      `  .onError((ctx) => ({ id: ctx.error.message, n: -1 }))`,
    );
  }
  return `${lines.join("\n")};\n`;
}

/** Seconds and type instantiations of a check. */
async function check(name: string, text: string): Promise<{ seconds: number; instantiations: number }> {
  await Bun.write(join(SCRATCH, name, "workflow.ts"), text);
  const config = { extends: join(ROOT, "tsconfig.json"), files: ["workflow.ts"], include: [] };
  await Bun.write(join(SCRATCH, name, "tsconfig.json"), JSON.stringify(config));
  // One thread: else the check of this file hides behind that of the others.
  const options = ["--noEmit", "--extendedDiagnostics", "--singleThreaded", "-p", join(SCRATCH, name)];
  const { stdout } = Bun.spawnSync([join(ROOT, "node_modules/.bin/tsc"), ...options], { cwd: ROOT });
  const output = stdout.toString();
  if (output.includes("workflow.ts(")) throw new Error(`the compiler refuses the workflow:\n${output}`);
  const figure = (label: string): number =>
    Number(new RegExp(`^${label}:\\s*([\\d.,]+)`, "m").exec(output)?.[1]?.replaceAll(",", ""));
  return { seconds: figure("Check time"), instantiations: figure("Instantiations") };
}

mkdirSync(SCRATCH, { recursive: true });
try {
  const least = { empty: Number.POSITIVE_INFINITY, large: Number.POSITIVE_INFINITY };
  const instantiations = { empty: 0, large: 0 };
  for (let turn = 0; turn < ROUNDS; turn += 1) {
    for (const [name, nodes] of [
      ["empty", 1],
      ["large", 100],
    ] as const) {
      const checked = await check(name, workflow(nodes));
      least[name] = Math.min(least[name], checked.seconds);
      instantiations[name] = checked.instantiations;
    }
  }
  const difference = least.large - least.empty;
  console.log(
    table(
      ["workflow", "check time s", "type instantiations"],
      [
        ["1 node", round(least.empty), instantiations.empty],
        ["100 nodes", round(least.large), instantiations.large],
        ["difference", round(difference), instantiations.large - instantiations.empty],
      ],
    ),
  );
  console.log(`\nGoal: less than ${GOAL_S} s of difference. ${difference < GOAL_S ? "Reached." : "Missed."}`);
} finally {
  rmSync(SCRATCH, { recursive: true, force: true });
}
