/** `.expectStep(name).to…` and `.expectRun().to…`, for a test of one workflow and for one of an app. */

import type { Assertion, ErrorMatch } from "./assertions.ts";
import * as assertions from "./assertions.ts";

/**
 * Takes an assertion in, and gives what the sentence goes on with. `isExact`: it counts what a death of the process
 * makes more of.
 */
export type Expect<Next> = (assertion: Assertion, isExact?: boolean) => Next;

/** What can be expected of a step. Inside loops `name` is the last iteration and all of them together, `name@3` is one. */
export class StepExpectation<Output, Next> {
  readonly #name: string;
  readonly #expect: Expect<Next>;

  constructor(name: string, expect: Expect<Next>) {
    this.#name = name;
    this.#expect = expect;
  }

  /** Its last attempt has completed; in a loop, that of every iteration. A `.cancel()`: it has ended the run. */
  toSucceed(): Next {
    return this.#expect(assertions.toSucceed(this.#name));
  }

  /** Its last attempt has failed or timed out, and no other is to come. `onError` may have given an output. */
  toFail(): Next {
    return this.#expect(assertions.toFail(this.#name));
  }

  /** The same with an error whose name or message contains a text, whose message matches a pattern, or of a class. */
  toFailWith(error: ErrorMatch): Next {
    return this.#expect(assertions.toFailWith(this.#name, error));
  }

  /** The run went past it: another branch was taken, or the run ended before it. */
  toBeSkipped(): Next {
    return this.#expect(assertions.toBeSkipped(this.#name));
  }

  /** Its handler, or the mock that stands for it, was called so often, retries included. */
  toHaveBeenCalledTimes(times: number): Next {
    return this.#expect(assertions.toHaveBeenCalledTimes(this.#name, times), true);
  }

  /** Its output is recorded as this value would be. */
  toHaveOutput(value: Output): Next {
    return this.#expect(assertions.toHaveOutput(this.#name, value));
  }
}

/** What can be expected of a run. */
export class RunExpectation<Output, Next> {
  readonly #expect: Expect<Next>;

  constructor(expect: Expect<Next>) {
    this.#expect = expect;
  }

  /** It has completed, whatever its output is. */
  toComplete(): Next {
    return this.#expect(assertions.runToBe("completed", "to complete"));
  }

  /** It has completed with an output that is recorded as this value would be. */
  toCompleteWith(output: Output): Next {
    return this.#expect(assertions.runToHaveOutput(output));
  }

  /** It has failed, whatever the error is. */
  toFail(): Next {
    return this.#expect(assertions.runToBe("failed", "to fail"));
  }

  /** It has failed with an error whose name or message contains a text, whose message matches a pattern, or of a class. */
  toFailWith(error: ErrorMatch): Next {
    return this.#expect(assertions.runToFailWith(error));
  }

  /** It was cancelled: by the workflow, by a call, or with the run that waited for it. */
  toBeCancelled(): Next {
    return this.#expect(assertions.runToBe("cancelled", "to be cancelled"));
  }

  /** It waits for a time, an event, a person or a child run. */
  toWait(): Next {
    return this.#expect(assertions.runToBe("waiting", "to wait"));
  }
}
