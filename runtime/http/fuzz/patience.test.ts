import { expect, test } from "bun:test";
import { Patience } from "./patience.ts";

test("what takes too long is told of, what is done in time is not", async () => {
  const patience = new Patience(1);
  const over: string[] = [];
  const done = patience.begin(() => over.push("done"));
  done();
  await new Promise<void>((resolve) =>
    patience.begin(() => {
      over.push("late");
      resolve();
    }),
  );
  patience.end();
  expect(over).toEqual(["late"]);
});
