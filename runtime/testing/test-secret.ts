/** A secret that a test gives, in the place of where it would be found. */
import { InvalidError } from "../errors.ts";
import { keepSecret, SHORTEST_SECRET } from "../services/secrets/known.ts";
import { SecretReference } from "../services/secrets/reference.ts";

export class TestSecret extends SecretReference {
  readonly #value: string;

  constructor(name: string, value: string) {
    super(`env:${name}`);
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
