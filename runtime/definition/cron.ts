/** Cron expressions are read by the core, so that what is refused here and what fires there are one thing. */
import { CronflowError } from "../errors.ts";
import { Core } from "../native/binding.ts";
import { invalid } from "./check.ts";

let reader: Core | undefined;

/** Refuses a cron expression or a time zone that is wrong, naming the field. `where` begins the message. */
export function checkCron(where: string, pattern: string, timezone: string): void {
  // An engine without a file, which no thread belongs to: it only reads, and ends with the process.
  reader ??= new Core({ database: ":memory:", inline: true });
  try {
    reader.ask(`{"query":{"cron":${JSON.stringify({ pattern, timezone, limit: 1 })}}}`);
  } catch (error) {
    if (!(error instanceof CronflowError) || error.kind !== "invalid") throw error;
    throw invalid(`${where}: ${error.message}`);
  }
}
