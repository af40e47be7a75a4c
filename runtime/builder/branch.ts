/**
 * A branch, or the body of a `while`, is a handler or a function that builds a flow. They look alike, so this looks
 * closer. Handlers do their work when they are called, and that is not at definition: only what speaks to its
 * parameter as one speaks to a flow is called, and a handler that does is stopped at the first thing it asks of its
 * context.
 */
import { invalid } from "../definition/check.ts";
import type { AnyHandler, NodeSpec } from "../definition/node.ts";
import type { Sequence } from "../definition/sequence.ts";
import { InvalidError } from "../errors.ts";
import { isThenable } from "./functions.ts";
import { isFlowMethod, METHODS, type Method } from "./methods.ts";

export type Branch = (start: never) => unknown;

/** What a flow function is given. */
type Flow = { readonly sequence: Sequence } & Readonly<Record<Method, unknown>>;

/** What a handler is stopped by. Nobody but this file sees it. */
const IS_HANDLER = Symbol("the function is a handler");

/** Lets a branch build into the flow; `undefined` when the branch is a handler, and nothing is built. */
export function builtBy(branch: Branch, flow: Flow): readonly NodeSpec[] | undefined {
  if (!mayBuild(branch)) return undefined;
  const { sequence } = flow;
  const before = sequence.registry.count;
  if (tryFlow(branch, flow)) return sequence.close();
  sequence.registry.rollBack(before);
  return undefined;
}

/**
 * A branch that is a handler. One that hands its context on to what builds a flow is told so: what it asks its context for,
 * the compiler lets it, because it cannot tell the two either.
 *
 * @param where For the message: "Workflow `x`, parallel `p`, number 2: branch 1 of `p`".
 */
export function handlerOf(branch: Branch, where: string): AnyHandler {
  // What cannot return a flow, or does not look at what it is given, builds none.
  if (branch.length === 0 || !isPlain(branch)) return branch as AnyHandler;
  return (context) =>
    branch(
      new Proxy(context, {
        get(target, name) {
          // With itself as receiver: its getters read what is private to it.
          const value: unknown = Reflect.get(target, name, target);
          if (value !== undefined || !isFlowMethod(name)) return value;
          throw invalid(
            `${where} was taken for a handler, and it calls .${name}() as one that builds a flow. Its text must call a flow's method on its parameter: write \`(flow) => build(flow).step(…)\`, or build in place.`,
          );
        },
      }) as never,
    );
}

const CALL = `\\s*\\??\\.\\s*(?:${METHODS.join("|")})\\s*\\(`;
const ANY_CALL = new RegExp(CALL);
/** The name of the first parameter of an arrow, a function or a method; none when it is taken apart. */
const PARAMETER = /^(?:function\b[^(]*\(|[\w$]+\s*\(|\(?)\s*([A-Za-z_$][\w$]*)/;

/**
 * Whether the function speaks to its parameter as to a flow. One that only hands it on, `(flow) => build(flow)`, does
 * not: nor do most handlers, and they must not be called.
 */
export function mayBuild(branch: Branch): boolean {
  if (branch.length === 0 || !isPlain(branch)) return false;
  const source = Function.prototype.toString.call(branch);
  if (!ANY_CALL.test(source)) return false;
  const parameter = PARAMETER.exec(source)?.[1]?.replaceAll("$", "\\$");
  if (parameter === undefined) return false;
  // Handlers call `console.log` and `list.forEach` too: it matters whose method is called.
  const speaks = [
    `(?<![\\w$.])${parameter}${CALL}`,
    // Of what a helper made of it: `audited(flow).step(…)`.
    `\\(\\s*${parameter}\\s*(?:,[^()]*)?\\)${CALL}`,
    // Of another name it was given, whichever that is.
    `=\\s*${parameter}\\s*[;,\\n)]`,
  ];
  return new RegExp(speaks.join("|")).test(source);
}

/** Async functions and generators cannot return a flow. */
function isPlain(branch: Branch): boolean {
  return Object.prototype.toString.call(branch) === "[object Function]";
}

function tryFlow(branch: Branch, flow: Flow): boolean {
  const { sequence } = flow;
  let isHandler = false;
  const probe = new Proxy(flow, {
    get(target, name) {
      if (isFlowMethod(name)) return (target[name] as () => unknown).bind(target);
      isHandler = true;
      throw IS_HANDLER;
    },
  });
  let returned: unknown;
  try {
    returned = branch(probe as never);
  } catch (error) {
    // A handler may fail before it asks anything; what fails while it builds is a wrong definition.
    if (isHandler || (sequence.nodes.length === 0 && !(error instanceof InvalidError))) return false;
    throw error;
  }
  if (isHandler) return false;
  if (returned === flow || returned === probe) return true;
  if (isThenable(returned)) returned.then(undefined, () => {});
  // `ctx.cancel()` is a word of handlers, too.
  const isBuilt = sequence.nodes.some(({ kind }) => kind !== "cancel") || returned instanceof flow.constructor;
  if (!isBuilt) return false;
  throw invalid(
    `${sequence.workflow}: ${sequence.where} returns something else than the flow it was given. Return that flow, with what you add to it.`,
  );
}
