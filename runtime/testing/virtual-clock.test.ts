import { expect, test } from "bun:test";
import { milliseconds } from "../duration.ts";
import { durationText } from "./duration-text.ts";
import { VirtualClock } from "./virtual-clock.ts";

test("timers are called in the order in which they are due, and see the time that it is", () => {
  const clock = new VirtualClock(1_000);
  const called: string[] = [];
  const note = (name: string) => () => called.push(`${name} at ${clock.now()}`);
  clock.after(20, note("second"));
  clock.after(10, note("first"));
  const takeBack = clock.after(15, note("never"));
  clock.after(30, () => clock.after(0, note("nested")));
  takeBack();
  expect(clock.next).toBe(1_010);
  expect(clock.moveTo(1_009)).toBeFalse();
  expect(clock.moveTo(1_010)).toBeTrue();
  expect(clock.moveTo(1_030)).toBeTrue();
  expect(called).toEqual(["first at 1010", "second at 1030", "nested at 1030"]);
  expect([clock.next, clock.moveTo(500), clock.now()]).toEqual([undefined, false, 1_030]);
});

test.each([0, 1, 999, 1_000, 61_000, 3_600_000, 90_061_001, 31_536_000_000])(
  "%d ms are written as they are read",
  (ms) => {
    expect(milliseconds(durationText(ms))).toBe(ms);
  },
);
