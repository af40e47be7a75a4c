import { expect, test } from "bun:test";
import { jsonPlan } from "./plan.ts";
import { bytesOf, firstAnswer } from "./socket.ts";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

test("a request as it goes over the wire", () => {
  const plan = jsonPlan("w", "POST", "/w?a=b", { a: 1 });
  const head = "POST /w?a=b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\ncontent-type: application/json\r\n";
  expect(text(bytesOf(plan))).toBe(`${head}Content-Length: 7\r\n\r\n{"a":1}`);
  const chunks = '3\r\n{"a\r\n4\r\n":1}\r\n';
  expect(text(bytesOf({ ...plan, delivery: "pieces" }))).toBe(
    `${head}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`,
  );
  expect(text(bytesOf({ ...plan, delivery: "broken" }))).toEndWith(`${chunks}zz\r\n`);
});

test("the first answer of what comes back", () => {
  expect(firstAnswer("")).toBeUndefined();
  expect(firstAnswer("HTTP/1.1 200 OK\r\nContent-Le")).toBeUndefined();
  expect(firstAnswer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}")).toBeUndefined();
  expect(firstAnswer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")).toBeUndefined();
  const whole = "HTTP/1.1 200 OK\r\nContent-Type: a:b\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 400 Bad\r\n\r\n";
  const seen = { status: 200, headers: { "content-type": "a:b", "content-length": "2" }, text: "{}" };
  expect(firstAnswer(whole)).toEqual(seen);
  expect(firstAnswer(`HTTP/1.1 100 Continue\r\n\r\n${whole}`)).toEqual(seen);
  const pieces = "HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n";
  expect(firstAnswer(pieces)).toMatchObject({ status: 404, text: "{}" });
});
