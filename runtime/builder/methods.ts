/** The words of the flow language. */
export const METHODS = [
  "step",
  "action",
  "log",
  "retry",
  "timeout",
  "delay",
  "cache",
  "circuitBreaker",
  "onError",
  "if",
  "elseIf",
  "else",
  "endIf",
  "parallel",
  "race",
  "while",
  "forEach",
  "batch",
  "sleep",
  "sleepUntil",
  "waitForEvent",
  "humanInTheLoop",
  "subflow",
  "cancel",
] as const;

export type Method = (typeof METHODS)[number];

export function isFlowMethod(name: string | symbol): name is Method {
  return (METHODS as readonly (string | symbol)[]).includes(name);
}
