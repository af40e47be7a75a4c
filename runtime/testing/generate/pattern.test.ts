/** Texts made of patterns match them. */
import { expect, test } from "bun:test";
import { textOf } from "./pattern.ts";
import { Random } from "./random.ts";

test.each([
  "^[a-z]{2,4}-\\d+$",
  "^(?:foo|ba[rz]){1,3}$",
  "^([ab])\\1$",
  "^(?<half>\\w{3})-\\k<half>$",
  "^[^\\d\\s]{5}\\.?\\x41\\u0042\\u{43}$",
  "^\\S+@\\S+$",
  "^(a|b|)(c{0}|d{2,})?e*$",
  "^[\\w.-]{1,5}[\\]\\\\^-]$",
  "^.{3}$",
  "^\\p{3}$".replace("\\p", "p"),
])("%s", (pattern) => {
  for (let seed = 0; seed < 100; seed += 1) {
    const text = textOf(pattern, new Random(seed));
    expect([pattern, text, new RegExp(pattern, "u").test(text)]).toEqual([pattern, text, true]);
  }
});
