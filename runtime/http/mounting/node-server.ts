/**
 * The library that speaks HTTP in Node's manner, with `node:http` behind it: loaded by those who use it. Bundlers move
 * what is imported by `import()` to the start of a program, but leave a literal `require` where it is; so the build of
 * the package keeps this file out of its chunks, as it does `platform.ts`.
 */
export function nodeServer(): typeof import("@hono/node-server") {
  return require("@hono/node-server") as typeof import("@hono/node-server");
}
