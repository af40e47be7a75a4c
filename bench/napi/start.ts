/** Start-up to the first answer: opens an engine in memory, has it answer once, and prints the resident memory then. */
import type { Door } from "./door.ts";

/** Without a door only the runtime starts. */
export function start(door?: Door): void {
  if (door !== undefined) {
    const core = door.open('{"database":":memory:","inline":true}');
    const answer = door.call(core, '{"now_ms":1,"commands":[{"echo":"up"}]}');
    if (!answer.includes('"up"')) throw new Error(`not the answer that was asked for: ${answer}`);
  }
  process.stdout.write(`${process.memoryUsage().rss}\n`);
}
