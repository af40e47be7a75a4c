/** A value in a message for people, whatever it is. */
export function shown(value: unknown): string {
  switch (typeof value) {
    case "function":
      return "a function";
    case "bigint":
      return `${value}n`;
    case "number":
    case "symbol":
      return String(value);
    default:
      return value instanceof Date && Number.isNaN(value.getTime()) ? "an invalid Date" : json(value);
  }
}

function json(value: unknown): string {
  try {
    return String(JSON.stringify(value));
  } catch {
    return Bun.inspect(value, { depth: 1 });
  }
}
