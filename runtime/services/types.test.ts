/** What the compiler knows of services: `tsc` fails when an expected error is none, and when a type is not the one named. */
import { expect, test } from "bun:test";
import { type ActionsOf, createCronflow, defineService, type Emit, secret } from "cronflow-ffi";
import { z } from "zod";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function isType<Expected>() {
  return <Actual>(_value: Actual, _same: Same<Expected, Actual>): void => {};
}

const ledger = defineService({
  id: "ledger",
  schema: {
    config: z.object({ url: z.string(), limit: z.coerce.number(), tags: z.array(z.string()).optional() }),
    auth: z.object({ token: z.string() }),
  },
  setup: ({ config, auth, signal }) => {
    isType<number>()(config.limit, true);
    isType<string>()(auth.token, true);
    isType<AbortSignal>()(signal, true);
    // @ts-expect-error no such field
    config.colour;
    return {
      actions: {
        total: (account: string, since?: Date) => account.length + (since === undefined ? 0 : 1),
        book: async (entry: { readonly amount: number }) => ({ id: `e${entry.amount}`, at: new Date() }),
        first: <T>(items: readonly T[]): T | undefined => items[0],
      },
      triggers: {
        onEntry: (emit: Emit<{ id: string; at: Date }>, options: { readonly account: string }) => {
          void emit({ id: options.account, at: new Date() });
        },
        onClose: async (emit: Emit<number>) => () => emit(1),
        onRate: (emit: Emit<string>, options?: { readonly every?: number }) => void emit(String(options?.every)),
      },
      stop: async () => {},
    };
  },
});
process.env["CRONFLOW_TYPES_TOKEN"] = "a token for types only";
const given = { config: { url: "https://x.test", limit: 1 }, auth: { token: secret("env:CRONFLOW_TYPES_TOKEN") } };
const books = ledger.withConfig(given);
const second = ledger.withConfig({ ...given, as: "second" });

declare module "cronflow-ffi" {
  interface GlobalServices {
    clockwork: ActionsOf<typeof clockwork>;
  }
}
const clockwork = defineService({
  id: "clockwork",
  setup: () => ({ actions: { tick: (n: number) => n + 1 } }),
}).withConfig();

test("types flow from schema and setup to ctx.services, wherever handlers stand", () => {
  createCronflow({ services: [clockwork] })
    .define({
      id: "types",
      services: [books, second],
      hooks: { onFailure: (ctx) => isType<number>()(ctx.services.ledger.total("a"), true) },
    })
    .step("total", (ctx) => {
      isType<number>()(ctx.services.ledger.total("a"), true);
      isType<number>()(ctx.services.second.total("a", new Date()), true);
      isType<number>()(ctx.services.clockwork.tick(1), true);
      isType<string | undefined>()(ctx.services.ledger.first(["a"]), true);
      // @ts-expect-error no such service
      ctx.services.third;
      // @ts-expect-error no such action
      ctx.services.ledger.nothing;
      // @ts-expect-error wrong argument
      ctx.services.ledger.total(1);
      return ctx.services.ledger.book({ amount: 1 });
    })
    .step("recorded", (ctx) => {
      isType<string>()(ctx.last.at, true);
      return ctx.last.id;
    })
    .onError((ctx) => String(ctx.services.ledger.total(ctx.error.message)))
    .if((ctx) => ctx.services.ledger.total(ctx.last) > 1)
    .action("note", (ctx) => ctx.services.second.total(ctx.last))
    .endIf()
    .parallel([
      (ctx) => ctx.services.ledger.total("p"),
      (flow) => flow.step("b", (ctx) => ctx.services.ledger.total("b")),
    ])
    .forEach(
      "each",
      (ctx) => [ctx.services.ledger.total("i")],
      (_item, flow) =>
        flow
          .step("in", (ctx) => {
            isType<number>()(ctx.item, true);
            return ctx.services.ledger.total("in");
          })
          .batch("inner", { items: [1], size: 1 }, (_batch, inner) =>
            inner.step("deep", (ctx) => {
              // @ts-expect-error a batch has no item
              ctx.item;
              return ctx.services.second.total("deep");
            }),
          ),
    )
    .while(
      "loop",
      (ctx) => ctx.services.ledger.total("w") > 100,
      (ctx) => ctx.last,
    )
    .waitForEvent("paid", { filter: (_event, ctx) => ctx.services.ledger.total("f") > 0 })
    .sleep((ctx) => ctx.services.ledger.total("s"))
    .humanInTheLoop({ onPause: (ctx, token) => ctx.services.ledger.total(token) })
    .subflow("child", "other", (ctx) => ctx.services.ledger.total("x"));
  createCronflow()
    .define({ id: "none" })
    .step("x", (ctx) => {
      // @ts-expect-error this workflow has no services
      ctx.services.ledger;
      // @ts-expect-error and no secrets
      ctx.secrets;
      return ctx.services.clockwork.tick(1);
    });
});

test("a configuration is what the schemas take, with secrets for texts", () => {
  const never = (): void => {
    ledger.withConfig({
      config: { url: secret("env:URL"), limit: "5", tags: [secret("file:/x")] },
      auth: { token: "t" },
    });
    // @ts-expect-error the url is no text
    ledger.withConfig({ config: { url: 5, limit: 1 }, auth: { token: "t" } });
    // @ts-expect-error no auth
    ledger.withConfig({ config: { url: "u", limit: 1 } });
    // @ts-expect-error nothing at all
    ledger.withConfig();
    // @ts-expect-error neither a variable nor a file
    secret("NAME");
    const free = defineService({
      id: "free",
      schema: { config: z.object({ n: z.number().optional() }) },
      setup: ({ config, auth }) => {
        isType<number | undefined>()(config.n, true);
        isType<undefined>()(auth, true);
        return { actions: {} };
      },
    });
    free.withConfig();
    free.withConfig({ config: { n: 1 } });
    isType<"free">()(free.withConfig().key, true);
    isType<"as">()(free.withConfig({ as: "as" }).key, true);
    // @ts-expect-error an action is a function
    defineService({ id: "bad", setup: () => ({ actions: { x: 5 } }) });
  };
  expect(never).toBeFunction();
});

test("what a trigger emits is the payload, as it is read again", () => {
  createCronflow()
    .define({ id: "triggers" })
    .onService(books, "onEntry", { account: "a" })
    .onService(books, "onClose")
    .step("x", (ctx) => isType<{ id: string; at: string } | number>()(ctx.payload, true));
  const never = (): void => {
    const workflow = createCronflow().define({ id: "wrong" });
    workflow.onService(books, "onRate");
    workflow.onService(books, "onRate", { every: 5 });
    // @ts-expect-error no such trigger
    workflow.onService(books, "onNothing");
    // @ts-expect-error the account is missing
    workflow.onService(books, "onEntry");
    // @ts-expect-error it takes no options
    workflow.onService(books, "onClose", {});
  };
  expect(never).toBeFunction();
});

test("secrets of a workflow are texts", () => {
  createCronflow()
    .define({ id: "secrets", secrets: { key: secret("env:KEY") } })
    .step("x", (ctx) => {
      isType<string>()(ctx.secrets.key, true);
      // @ts-expect-error no such secret
      ctx.secrets.other;
    })
    .forEach("each", [1], (_item, flow) => flow.step("in", (ctx) => ctx.secrets.key.length));
});
