/** The workflows of one engine, each with its versions. */
import type { Definition } from "./definition.ts";
import { InvalidError } from "./errors.ts";

export class Definitions {
  readonly #versions = new Map<string, Definition[]>();

  /** Adds a workflow, or another version of one: the last is the current one. */
  add(definition: Definition): void {
    const { id, options } = definition;
    const others = this.#versions.get(id) ?? [];
    if (others.some((other) => other.options.version === options.version)) {
      const what =
        options.version === undefined ? `the id \`${id}\`` : `the id \`${id}\` and the version ${options.version}`;
      throw new InvalidError("definition_invalid", `Two workflows have ${what}: rename one, or give it a version.`);
    }
    this.#versions.set(id, [...others, definition]);
  }

  /** The definition that new runs begin with. */
  current(id: string): Definition | undefined {
    return this.#versions.get(id)?.at(-1);
  }

  /** The definition of a run that began with this version. */
  of(id: string, version: string | undefined): Definition | undefined {
    const versions = this.#versions.get(id);
    if (versions?.length === 1) return versions[0];
    return versions?.find(({ options }) => options.version === version) ?? versions?.at(-1);
  }

  /** All versions of each workflow, the current one last. */
  all(): Iterable<readonly Definition[]> {
    return this.#versions.values();
  }

  /** The current definition of each workflow. */
  *currents(): Iterable<Definition> {
    for (const versions of this.#versions.values()) yield versions.at(-1) as Definition;
  }
}
