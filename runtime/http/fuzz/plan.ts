/** A request before it is sent: everything of it may be wrong. */

/** Text in here stands for bytes: one character, one byte. */
export interface Plan {
  /** What it began as, before anything was changed. */
  readonly name: string;
  method: string;
  /** Path and query. */
  target: string;
  /** In order; a name may come several times. */
  headers: [name: string, value: string][];
  body: Uint8Array | undefined;
  /** Whether the body comes in pieces, and breaks off. */
  delivery: "whole" | "pieces" | "broken";
  /** Puts in what is made of the body: a signature. */
  readonly seal?: (plan: Plan) => void;
  /** The body that was signed. */
  sealed?: Uint8Array;
}

const encoder = new TextEncoder();

export function jsonPlan(name: string, method: string, target: string, value: unknown): Plan {
  const body = value === undefined ? undefined : encoder.encode(JSON.stringify(value));
  const headers: Plan["headers"] = body === undefined ? [] : [["content-type", "application/json"]];
  return { name, method, target, headers, body, delivery: "whole" };
}

/** Where it goes, if that is an address. */
export function addressOf({ target }: Plan): string {
  return target.startsWith("http://") ? target : `http://localhost${target}`;
}

/** Replaces a header, or adds it. */
export function setHeader(plan: Plan, name: string, value: string): void {
  dropHeader(plan, name);
  plan.headers.push([name, value]);
}

export function dropHeader(plan: Plan, name: string): void {
  plan.headers = plan.headers.filter(([other]) => other.toLowerCase() !== name);
}

/** How to make it again. */
export function described({ name, method, target, headers, body, delivery }: Plan): string {
  const shown = body && `${body.length} bytes, ${JSON.stringify(Buffer.from(body).toString("latin1").slice(0, 2_000))}`;
  return `${name}: ${JSON.stringify({ method, target: target.slice(0, 2_000), headers, body: shown, delivery })}`;
}
