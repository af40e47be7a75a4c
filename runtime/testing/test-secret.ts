/** Secrets that a test gives, in the place of where they would be found. */
import { InvalidError } from "../errors.ts";
import { keepSecret, SHORTEST_SECRET } from "../services/secrets/known.ts";
import { SecretReference, type SecretSource } from "../services/secrets/reference.ts";

export class TestSecret extends SecretReference {
  readonly #value: string;

  constructor(source: SecretSource, value: string) {
    super(source);
    this.#value = value;
  }

  /** It is kept as real ones are: what is logged is masked, what is recorded is refused. */
  override reveal(): string {
    if (this.#value.length < SHORTEST_SECRET) {
      throw new InvalidError("config_invalid", `${this} of the test has fewer than ${SHORTEST_SECRET} characters.`);
    }
    keepSecret(this.#value, this.toString());
    return this.#value;
  }
}

/**
 * Reads a secret as a test does: what is given by its source (`env:NAME`, `file:/path`) stands for it, others are looked
 * for where they are in earnest.
 */
export function secretReader(given: Readonly<Record<string, string>>): (reference: SecretReference) => string {
  const secrets = Object.entries(given).flatMap(([source, value]) =>
    isSource(source) ? [new TestSecret(source, value)] : [],
  );
  const bySource = new Map(secrets.map((secret) => [secret.toString(), secret]));
  return (reference) => {
    const found = bySource.get(reference.toString()) ?? reference;
    try {
      return found.reveal();
    } catch (error) {
      if (found instanceof TestSecret || !(error instanceof InvalidError)) throw error;
      const source = reference.toString().slice("secret(".length, -1);
      throw new InvalidError(error.code, `${error.message} Give the test one: { secrets: { "${source}": "…" } }.`);
    }
  };
}

function isSource(name: string): name is SecretSource {
  return name.startsWith("env:") || name.startsWith("file:");
}
