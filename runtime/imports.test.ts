/** What the drawing in docs/ARCHITECTURE.md says of the rooms, as far as imports show it. Types may look up. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";

const ROOT = import.meta.dir;
const transpiler = new Bun.Transpiler({ loader: "ts" });

/** The modules that each module needs when it runs, by their paths. */
const imports = new Map(
  readdirSync(ROOT, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !/\.(test|testing|d)\.ts$/.test(file))
    .map((file) => join(ROOT, file))
    .map((file) => [file, importsOf(file)] as const),
);

/** As it is written in an import. */
function nameOf(file: string): string {
  return relative(ROOT, file).replaceAll(sep, "/");
}

function importsOf(file: string): string[] {
  const found = transpiler.scanImports(readFileSync(file, "utf8"));
  return found.filter(({ path }) => path.startsWith(".")).map(({ path }) => join(dirname(file), path));
}

test("no module needs itself, by whatever way", () => {
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, way: readonly string[]): void => {
    if (way.includes(file)) {
      cycles.push([...way.slice(way.indexOf(file)), file].map(nameOf).join(" → "));
    } else if (!done.has(file)) {
      for (const next of imports.get(file) ?? []) visit(next, [...way, file]);
      done.add(file);
    }
  };
  for (const file of imports.keys()) visit(file, []);
  expect(imports.size).toBeGreaterThan(100);
  expect(cycles).toEqual([]);
});

test.each([
  ["native", /^(?!native|clock|errors)/],
  ["definition", /^(native\/(?!generated|binding)|http|testing|app|session|pump|executor|builder)/],
  ["builder", /^(http\/(?!verify|webhook\/error)|testing|app|session|pump|executor)/],
  ["http", /^(testing|app|builder|index)/],
  ["services", /^(http|testing|app|builder|session|pump|executor|index)/],
])("%s needs nothing of the rooms above it", (room, above) => {
  const up = [...imports]
    .map(([file, needed]) => [nameOf(file), needed] as const)
    .filter(([file]) => file.startsWith(`${room}/`) && !file.includes("/fuzz/"))
    .flatMap(([file, needed]) => needed.map((each) => `${file} → ${nameOf(each)}`));
  expect(up.length).toBeGreaterThan(0);
  expect(up.filter((arrow) => above.test(arrow.split(" → ")[1] as string))).toEqual([]);
});

test("native code never calls into JavaScript", () => {
  const users = [...imports.keys()].filter((file) => readFileSync(file, "utf8").includes("JSCallback"));
  expect(users).toEqual([]);
});
