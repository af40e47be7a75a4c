/** The actions of a service, as a handler of a started engine has them. */
import type { ActionsOf, AnyService } from "cronflow-ffi";
import { testEngine } from "../../runtime/testing/engines.ts";

export async function called<S extends AnyService>(service: S): Promise<ActionsOf<S>> {
  const engine = testEngine();
  const { promise, resolve } = Promise.withResolvers<ActionsOf<S>>();
  engine.define({ id: "calls", services: [service] }).step("call", (ctx) => {
    // The only service there is, under whatever name.
    resolve((ctx.services as unknown as Record<string, ActionsOf<S>>)[service.key] as ActionsOf<S>);
  });
  await engine.start();
  await engine.execute("calls");
  return promise;
}

/** What a call throws. */
export async function thrownBy(
  call: () => unknown,
): Promise<Error & { readonly code?: string; readonly cause?: unknown }> {
  try {
    await call();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("it did not throw an error");
}
