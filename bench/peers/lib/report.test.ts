import { expect, test } from "bun:test";
import { measuredOf } from "./measured.testing.ts";
import { report } from "./report.ts";

const cells = (line: string): string[] => line.split("|").map((cell) => cell.trim());

/** The row of the only engine in the first or second table. */
function rowOf(text: string, table: number): Record<string, string> {
  const lines = (text.split("\n\n")[table] as string).split("\n");
  const header = cells(lines[0] as string);
  return Object.fromEntries(cells(lines[2] as string).map((cell, at) => [header[at], cell]));
}

test("each sleeper's share of memory and disk", () => {
  const row = rowOf(report([measuredOf({ rates: [1, 2, 3] })]), 1);
  expect(row["KiB of memory each"]).toBe("1");
  expect(row["KiB of disk each"]).toBe("2");
});

test("what could not be measured has a footnote, the same error one only", () => {
  const error = { error: "it does not start" };
  const text = report([{ ...measuredOf({ rates: [1, 2, 3] }), webhook: error, crash: error }]);
  expect(rowOf(text, 0)["webhooks/s, 16 connections"]).toBe("[1]");
  expect(rowOf(text, 1)["lost"]).toBe("[1]");
  expect(text.match(/it does not start/g)).toHaveLength(1);
});

test("runs that are still open after the patience have no time until they ended", () => {
  const measured = measuredOf({ rates: [1, 2, 3] });
  const crash = { value: { acknowledged: 250, lost: 1, failed: 2, open: 3, incomplete: 0, twice: 0, seconds: 90 } };
  const row = rowOf(report([{ ...measured, crash }]), 1);
  expect(row["failed, or open after 90 s"]).toBe("5");
  expect(row["s until all have ended"]).toBe("-");
});

test("a promise to survive a power cut is doubted when nothing is synced", () => {
  const measured = measuredOf({ rates: [1, 2, 3] });
  expect(rowOf(report([measured]), 0)["survives a power cut"]).toBe("yes");
  const unsynced = { ...measured, syncs: [{ value: 0.01 }, { value: 0 }] };
  expect(rowOf(report([unsynced]), 0)["survives a power cut"]).toBe("promised, but it does not sync");
});
