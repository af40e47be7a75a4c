import { checkFunction, invalid, shown } from "../definition/check.ts";
import { checkScheduleName, intervalTrigger, pollTrigger, scheduleTrigger } from "../definition/timed.ts";
import type {
  EventOptions,
  IntervalOptions,
  Poll,
  PollOptions,
  ScheduleOptions,
  TimedTrigger,
  Trigger,
} from "../definition/triggers.ts";
import type { Definition, WebhookOptions } from "../definition.ts";
import type { Duration } from "../duration.ts";
import { LIMITS } from "../native/generated.ts";
import type { Schema } from "../schema.ts";
import { ConfiguredService } from "../services/define.ts";
import type { AnyService } from "../services/types.ts";
import type { WorkflowTest, WorkflowTestOptions } from "../testing/workflow-test.ts";
import { FlowBuilder } from "./flow-builder.ts";

/** Loaded by the first test. Bundlers do not follow a name that is not written out: what is shipped carries no tests. */
const TEST_KIT = ["cronflow-ffi", "testing"].join("/");

/** What the words of a workflow do that a flow inside it does not have. */
export class WorkflowBuilder extends FlowBuilder {
  constructor(readonly definition: Definition) {
    super(definition.sequence);
  }

  get id(): string {
    return this.definition.id;
  }

  onWebhook(path: string, options: WebhookOptions = {}): this {
    return this.#add("onWebhook", { type: "webhook", path, options });
  }

  manual(options: { readonly schema?: Schema } = {}): this {
    return this.#add("manual", { type: "manual", ...options });
  }

  onSchedule(cron: string, options: ScheduleOptions = {}): this {
    return this.#addTimed("onSchedule", scheduleTrigger(this.id, cron, options));
  }

  onInterval(every: Duration, options: IntervalOptions = {}): this {
    return this.#addTimed("onInterval", intervalTrigger(this.id, every, options));
  }

  onPoll(poll: Poll, options: PollOptions): this {
    const number = this.definition.triggers.filter(({ type }) => type === "poll").length + 1;
    return this.#addTimed("onPoll", pollTrigger(this.id, number, poll, options));
  }

  onEvent(event: string, options: EventOptions = {}): this {
    if (typeof event !== "string" || event === "" || Buffer.byteLength(event) > LIMITS.NAME_LENGTH) {
      throw invalid(
        `Workflow \`${this.id}\`: the event ${shown(event)} has not from 1 to ${LIMITS.NAME_LENGTH} bytes.`,
      );
    }
    if (options.filter !== undefined) {
      checkFunction(`Workflow \`${this.id}\`, event \`${event}\``, "the `filter`", options.filter);
    }
    return this.#add("onEvent", { type: "event", event, options });
  }

  onService(service: AnyService, trigger: string, options?: unknown): this {
    const where = `Workflow \`${this.id}\`, .onService()`;
    if (!(service instanceof ConfiguredService)) {
      throw invalid(`${where}: what it is given is no service: give what its .withConfig() gives.`);
    }
    if (typeof trigger !== "string") throw invalid(`${where}: the trigger is ${shown(trigger)}; give its name.`);
    return this.#add("onService", { type: "service", service, name: trigger, options });
  }

  test(options: WorkflowTestOptions = {}): WorkflowTest {
    const kit: typeof import("../testing/index.ts") = require(TEST_KIT);
    return new kit.WorkflowTest(this.definition, options);
  }

  #addTimed(method: string, trigger: TimedTrigger): this {
    checkScheduleName(this.id, this.definition.triggers, trigger);
    return this.#add(method, trigger);
  }

  #add(method: string, trigger: Trigger): this {
    this.sequence.refuseLate(`.${method}()`);
    this.definition.triggers.push(trigger);
    return this;
  }
}
