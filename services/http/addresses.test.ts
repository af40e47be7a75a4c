/** Which addresses are public, however they are written. */
import { expect, test } from "bun:test";
import { NonRetryableError } from "cronflow-ffi";
import { Allowed, addressOf, isPublic } from "./addresses.ts";

const NOBODY = new Allowed([]);

test.each([
  ...[
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
  ],
  ...[
    "192.0.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "255.255.255.255",
  ],
  ...[
    "::",
    "::1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::a00:1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "ff02::1",
  ],
  ...["2001:db8::1", "2001::1", "2002:a00:1::", "3fff::1", "100::1"],
])("%s is not public", (address) => {
  expect(isPublic(address)).toBe(false);
});

test.each([
  "1.1.1.1",
  "172.15.255.255",
  "172.32.0.1",
  "100.63.255.255",
  "169.253.0.1",
  "2606:4700::1111",
  "2a00:1450::1",
])("%s is public", (address) => {
  expect(isPublic(address)).toBe(true);
});

test.each([
  ...[
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://[::ffff:7f00:1]/",
    "http://[::1]/",
  ],
  ...["http://localhost/", "http://LOCALHOST./", "http://①②⑦.0.0.1/"],
])("%s is refused, however it is spelt", async (address) => {
  const { hostname } = new URL(address);
  const error = await addressOf(hostname, NOBODY).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(NonRetryableError);
  expect(error).toMatchObject({ code: "ADDRESS_REFUSED" });
});

test("of the addresses of a name the public ones are asked, IPv4 first", async () => {
  const lookup = (...addresses: string[]) => addressOf("x.test", NOBODY, async () => addresses);
  expect(await lookup("10.0.0.1", "2606:4700::1111", "1.1.1.1")).toBe("1.1.1.1");
  expect(await lookup("10.0.0.1", "2606:4700::1111")).toBe("2606:4700::1111");
  await expect(lookup("10.0.0.1", "::1")).rejects.toThrow("x.test is not a public address");
  await expect(lookup()).rejects.toThrow("x.test is not a public address");
});

test("what is allowed is a name, an address, or a network", async () => {
  const allowed = new Allowed(["Internal.test", "10.0.0.0/8", "::1"]);
  const lookup = async () => ["192.168.1.1"];
  expect(await addressOf("internal.test", allowed, lookup)).toBe("192.168.1.1");
  expect(await addressOf("10.200.0.1", allowed)).toBe("10.200.0.1");
  expect(await addressOf("[::1]", allowed)).toBe("::1");
  await expect(addressOf("other.test", allowed, lookup)).rejects.toThrow("not in `allow`");
  await expect(addressOf("11.0.0.1", allowed)).resolves.toBe("11.0.0.1");
  await expect(addressOf("192.168.1.1", allowed)).rejects.toThrow("not in `allow`");
});
