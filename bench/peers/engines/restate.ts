/**
 * Restate: a server that keeps a log of what every handler did, and calls this program for the handlers. The program
 * registers itself with the server, and starts runs through the server's ingress.
 */
import * as restate from "@restatedev/restate-sdk";
import * as clients from "@restatedev/restate-sdk-clients";
import { type Open, SLEEP_MS, type State } from "../lib/engine.ts";

export const open: Open = async (context) => {
  const [url = "", admin = "", port = ""] = context.server.split(" ");
  const bench = restate.service({
    name: "bench",
    handlers: {
      steps: async (ctx: restate.Context, run: number) => {
        for (const number of [1, 2, 3]) await ctx.run(`step-${number}`, async () => context.step(run, number));
      },
      sleeper: async (ctx: restate.Context) => {
        context.asleep();
        await ctx.sleep(SLEEP_MS);
      },
    },
  });
  await restate.serve({ services: [bench], port: Number(port) });
  const registered = await fetch(`${admin}/deployments`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ uri: `http://127.0.0.1:${port}`, force: true }),
  });
  if (!registered.ok) throw new Error(`the handlers could not be registered: ${await registered.text()}`);

  const ingress = clients.connect({ url });
  const calls = ingress.serviceClient(bench);
  const sends = ingress.serviceSendClient(bench);
  return {
    execute: async (run) => await calls.steps(run),
    start: async (run) => {
      // With a key the outcome is kept, and can be asked for.
      const options = clients.rpc.sendOpts<number>({ idempotencyKey: `run-${run}` });
      return (await sends.steps(run, options)).invocationId;
    },
    sleep: () => sends.sleeper(),
    state: async (id) => stateOf(await fetch(`${url}/restate/invocation/${id}/output`)),
    stop: async () => {},
  };
};

async function stateOf(answer: Response): Promise<State> {
  const text = await answer.text();
  if (answer.ok) return "ended";
  if (answer.status === 404) return "unknown";
  if (answer.status === 470) return "open"; // Restate's own status: not ready.
  if (answer.status === 500) return "failed";
  throw new Error(`${answer.status}: ${text}`);
}
