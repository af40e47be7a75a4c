import { InvalidError } from "../../errors.ts";

/**
 * What is to be recorded has a secret in it. The message says where the secret is found: it is for the program and its
 * log. Whoever has sent the value from outside is told what others are told whose value is not valid.
 */
export class SecretError extends InvalidError {
  constructor(message: string) {
    super("value_invalid", message);
  }
}
