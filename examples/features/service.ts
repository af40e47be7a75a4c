/** A service of your own: configured once, started and stopped with the engine, called by `ctx.services`. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow, defineService, secret } from "cronflow-ffi";
import { z } from "zod";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });
process.env["GREETER_KEY"] = "a key nobody sees";

const greeter = defineService({
  id: "greeter",
  schema: {
    config: z.object({ greeting: z.string(), punctuation: z.string().default("!") }),
    auth: z.object({ key: z.string() }),
  },
  setup: ({ config, auth }) => {
    console.log(`set up with a key of ${auth.key.length} characters`);
    return {
      actions: {
        greet: async (name: string) => `${config.greeting}, ${name}${config.punctuation}`,
        fail: (): string => {
          throw new Error(`the key ${auth.key} is wrong`);
        },
      },
      stop: () => console.log("stopped"),
    };
  },
});
const auth = { key: secret("env:GREETER_KEY") };

const welcome = engine
  .define({
    id: "welcome",
    services: [
      greeter.withConfig({ config: { greeting: "Hello" }, auth }),
      greeter.withConfig({ config: { greeting: "Hallo", punctuation: "." }, auth, as: "german" }),
    ],
  })
  .manual({ schema: z.string() })
  .step("greet", async (ctx) => [
    await ctx.services.greeter.greet(ctx.payload),
    await ctx.services.german.greet(ctx.payload),
  ])
  .step("fail", (ctx) => ctx.services.german.fail())
  .onError((ctx) => ctx.error.message)
  .step("all", (ctx) => [...ctx.steps.greet.output, ctx.last]);

await engine.start();
console.log(await engine.execute(welcome, "Ada"));
await engine.stop();
rmSync(directory, { recursive: true });

// What is wrong is said at once, with all of it.
try {
  // @ts-expect-error the greeting is missing
  greeter.withConfig({ config: { punctuation: "?" }, auth });
} catch (error) {
  console.log((error as Error).message);
}

// Output:
// set up with a key of 17 characters
// set up with a key of 17 characters
// [ "Hello, Ada!", "Hallo, Ada.", "german.fail: the key [secret] is wrong" ]
// stopped
// stopped
// The configuration of service `greeter` is not valid: config.greeting: Invalid input: expected string, received undefined
