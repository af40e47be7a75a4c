/**
 * SIGTERM and SIGINT. The engines of a process are stopped together, however many copies of this package have started
 * them, and the signal ends the process once, when the last one has stopped.
 */
interface Engine {
  stop(): Promise<void>;
}

/** What all copies of this package in this process share. */
interface Signals {
  /** Stops an engine when a signal comes; gives what is to be called when it has stopped. */
  readonly add: (engine: Engine) => () => void;
}

const SIGNALS = ["SIGTERM", "SIGINT"] as const;
const KEY = Symbol.for("cronflow-ffi.signals");
const shared = globalThis as { [KEY]?: Signals };
shared[KEY] ??= createSignals();

/** Stops an engine when a signal comes; gives what is to be called when it has stopped. */
export const stopOnSignals: Signals["add"] = shared[KEY].add;

function createSignals(): Signals {
  const engines = new Set<Engine>();

  const stopAll = async (): Promise<void> => {
    // More may start meanwhile.
    while (engines.size > 0) await Promise.all([...engines].map((engine) => stopped(engine)));
  };
  const stopped = (engine: Engine): Promise<void> =>
    engine
      .stop()
      .catch((error) => console.error("cronflow: an engine did not stop in order:", error)) // The process ends all the same.
      .then(() => remove(engine));

  const onSignal = async (signal: NodeJS.Signals): Promise<void> => {
    const isOurs = process.listenerCount(signal) === 1;
    // The same signal once more ends the process at once. Others who listen may first look whether they are alone.
    setImmediate(() => process.off(signal, onSignal));
    await stopAll();
    if (isOurs && process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };

  const add = (engine: Engine): void => {
    engines.add(engine);
    for (const signal of SIGNALS) process.off(signal, onSignal).prependListener(signal, onSignal);
  };
  const remove = (engine: Engine): void => {
    engines.delete(engine);
    if (engines.size === 0) for (const signal of SIGNALS) process.off(signal, onSignal);
  };
  return {
    add: (engine) => {
      add(engine);
      return () => remove(engine);
    },
  };
}
