/** A host with one poison step among innocent ones. */
import { createCronflow } from "cronflow-ffi";

const [database = "", phase = ""] = process.argv.slice(2);
const engine = createCronflow({ database });
engine.define({ id: "poison" }).step("kills", () => process.kill(process.pid, "SIGKILL"));
engine.define({ id: "innocent" }).step("works", async (ctx) => {
  await Bun.sleep(5);
  return ctx.payload;
});
await engine.start();
if (phase === "first") {
  const innocent = Array.from({ length: 40 }, (_, each) => engine.trigger("innocent", each));
  await Promise.all([...innocent, engine.trigger("poison")]);
}
while (
  (await engine.list({ status: "running" })).runs.length + (await engine.list({ status: "pending" })).runs.length >
  0
) {
  await Bun.sleep(5);
}
await engine.stop();
