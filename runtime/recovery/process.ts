/** What tests that kill processes share: hosts, and run ids as people see them. */
import { join } from "node:path";

export interface Host {
  readonly process: Bun.Subprocess<"ignore", "pipe", "inherit">;
  readonly url: string;
}

/** Starts a program of this folder, and resolves with the address that it prints first. */
export async function spawnHost(program: string, ...given: string[]): Promise<Host> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, program), ...given], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  const first = await reader.read();
  reader.releaseLock();
  if (first.value === undefined) throw new Error(`${program} ended before it told its address`);
  return { process: child, url: new TextDecoder().decode(first.value).trim() };
}

/** The form of a run id that people see, worked out here a second time on purpose. */
export function runText(id: bigint): string {
  const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  let text = "";
  for (let place = 12n; place >= 0n; place -= 1n) text += digits[Number((id >> (5n * place)) & 31n)];
  return `run_${text}`;
}
