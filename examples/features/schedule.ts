/** Start runs by the clock of a time zone. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const ran = Promise.withResolvers<boolean>();

engine
  .define({ id: "report" })
  .onSchedule("0 9 * * MON-FRI", { name: "office", timezone: "Europe/Berlin" })
  .onSchedule("30 18 L * *", { misfire: "all", overlap: "queue" }) // The last day of each month.
  .step("write", () => "a report");
engine
  .define({ id: "clock" })
  .onSchedule("* * * * * *", { name: "each second" })
  .action("tick", (ctx) => {
    const at = new Date(ctx.trigger.scheduledAt ?? "");
    ran.resolve(at.getMilliseconds() === 0 && at.getTime() <= Date.now());
  });

await engine.start();
console.log("a run at a full second, not early:", await ran.promise);
const berlin = new Intl.DateTimeFormat("en-GB", { timeZone: "Europe/Berlin", timeStyle: "short" });
for (const { name, cron, timezone, next, misfire, overlap } of await engine.schedules({ workflowId: "report" })) {
  console.log(name, "|", cron, timezone, "|", misfire, overlap);
  if (name === "office") console.log(next.map((instant) => berlin.format(instant)).join(" "));
}
// Instants that come while the workflow is paused start nothing.
await engine.pause("clock");

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// a run at a full second, not early: true
// office | 0 9 * * MON-FRI Europe/Berlin | once allow
// 09:00 09:00 09:00 09:00 09:00
// 30 18 L * * UTC | 30 18 L * * UTC | all queue
