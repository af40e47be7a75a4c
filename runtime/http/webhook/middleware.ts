/** The user's middleware around what a webhook does. */
import type { Context, MiddlewareHandler } from "hono";

/** Runs the layers one inside the other, `last` in the middle, and gives what they leave as the answer. */
export async function through(
  layers: readonly MiddlewareHandler[],
  context: Context,
  last: () => Promise<Response>,
): Promise<Response> {
  let reached = -1;
  const enter = async (index: number): Promise<void> => {
    if (index <= reached) throw new Error("a middleware has called next() twice");
    reached = index;
    const layer = layers[index];
    const answer = await (layer === undefined ? last() : layer(context, () => enter(index + 1)));
    if (answer instanceof Response && !context.finalized) context.res = answer;
  };
  await enter(0);
  if (!context.finalized) throw new Error("a middleware has neither answered nor waited for next()");
  return context.res;
}
