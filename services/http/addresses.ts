/** Which addresses a request may go to. */
import { BlockList, isIP } from "node:net";
import { final } from "../lib/final.ts";

type Subnet = readonly [network: string, prefix: number];

/** IPv4 that is not on the public Internet: this host, private, shared, link-local with its metadata services, test, multicast, reserved. */
const SPECIAL_4: readonly Subnet[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];
/** All of IPv6 that is routed in public; the rest is loopback, unique-local, link-local, multicast, or stands for IPv4. */
const GLOBAL_6: Subnet = ["2000::", 3];
/** What is special in it: protocol assignments and tunnels, which hide an IPv4 address, and documentation. */
const SPECIAL_6: readonly Subnet[] = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
];

const special = new BlockList();
for (const [network, prefix] of SPECIAL_4) special.addSubnet(network, prefix, "ipv4");
for (const [network, prefix] of SPECIAL_6) special.addSubnet(network, prefix, "ipv6");
const global6 = new BlockList();
global6.addSubnet(...GLOBAL_6, "ipv6");

/** Whether an address is on the public Internet. */
export function isPublic(address: string): boolean {
  if (isIP(address) === 4) return !special.check(address, "ipv4");
  return global6.check(address, "ipv6") && !special.check(address, "ipv6");
}

/** Hosts that may be asked although they are not public: names, addresses, and networks like `10.0.0.0/8`. */
export class Allowed {
  readonly #names = new Set<string>();
  readonly #networks = new BlockList();

  constructor(given: readonly string[]) {
    for (const one of given) {
      const [address = "", prefix] = one.split("/");
      const version = isIP(address);
      if (version === 0) this.#names.add(one.toLowerCase());
      else
        this.#networks.addSubnet(
          address,
          Number(prefix ?? (version === 4 ? 32 : 128)),
          version === 4 ? "ipv4" : "ipv6",
        );
    }
  }

  has(host: string, address: string): boolean {
    return this.#names.has(host) || this.#networks.check(address, isIP(address) === 4 ? "ipv4" : "ipv6");
  }
}

/** Gives the addresses of a name. */
export type Lookup = (host: string) => Promise<readonly string[]>;

const systemLookup: Lookup = async (host) => {
  const { lookup } = await import("node:dns/promises");
  return (await lookup(host, { all: true })).map(({ address }) => address);
};

/**
 * The address a request to this host goes to. Whoever asks connects to it and to no other: a name that is looked up
 * again may have another address then. Throws a `NonRetryableError` when the host has no address that may be asked.
 */
export async function addressOf(hostname: string, allowed: Allowed, lookup: Lookup = systemLookup): Promise<string> {
  const host = hostname
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
    .toLowerCase();
  const addresses = isIP(host) === 0 ? await lookup(host) : [host];
  const open = addresses.filter((address) => isPublic(address) || allowed.has(host, address));
  // Not every machine has IPv6.
  const address = open.find((one) => isIP(one) === 4) ?? open[0];
  if (address !== undefined) return address;
  throw final(`${host} is not a public address, and not in \`allow\``, "ADDRESS_REFUSED");
}
