import { expect, test } from "bun:test";
import { chart } from "./chart.ts";
import type { Measured, Result } from "./measure.ts";
import { measuredOf } from "./measured.testing.ts";

const rects = (svg: string): number[] =>
  [...svg.matchAll(/<rect x="330"[^>]* width="([\d.]+)"/g)].map(([, width]) => Number(width));

test("ten times the runs per second is one decade more, whatever the scale", () => {
  const [one, ten, hundred] = rects(chart([measuredOf({ rates: [10, 100, 1_000] })])) as [number, number, number];
  expect(ten / one).toBeCloseTo(2, 1);
  expect(hundred / one).toBeCloseTo(3, 1);
});

test("says everything in words, too, and has a title", () => {
  const svg = chart([measuredOf({ title: "A & B", rates: [1.5, 64, 12_345] })]);
  expect(svg).toContain('role="img" aria-labelledby="title description"');
  expect(svg).toContain("A &amp; B, default: 1.5 at 1 in flight, 64 at 64 in flight, 12,300 at 1000 in flight.");
});

test("a setting that a power cut can rob is pale", () => {
  const pale = (survivesPowerCut: boolean): number =>
    chart([measuredOf({ rates: [1, 1, 1], survivesPowerCut })]).split('class="weak"').length - 1;
  expect(pale(false) - pale(true)).toBe(3);
});

test("what could not be measured has no bar worth the name, and says so", () => {
  const failed: Result<never> = { error: "it does not start" };
  const measured: Measured = { ...measuredOf({ rates: [1, 1, 1] }), runs: [failed, failed, failed] };
  expect(chart([measured])).toContain("not measured at 1 in flight");
});
