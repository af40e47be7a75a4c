/** How the host learns that the core has committed something. */
import type { Core } from "./native/binding.ts";

/** How often one looks where nothing tells. */
const LOOK_EVERY_MS = 1;

export interface WakeUp {
  /** Whether an answer is due: as long as it is, the process lives. */
  hold(isPending: boolean): void;
  close(): void;
}

/** An inline core has answered when a request was submitted. */
export const NONE: WakeUp = { hold: () => {}, close: () => {} };

/** The wake-up of a core: its socket, or where it has none (Windows), a look from time to time while an answer is due. */
export async function wakeUpOf(core: Core, look: () => void, onError: (error: Error) => void): Promise<WakeUp> {
  if (core.about.inline) return NONE;
  return core.about.wake_fd === null ? new Looks(look) : adopt(core.about.wake_fd, look, onError);
}

async function adopt(fd: number, look: () => void, onError: (error: Error) => void): Promise<WakeUp> {
  const socket = await Bun.connect({
    fd,
    socket: { data: look, error: (_socket: unknown, error: Error) => onError(error) },
    // The types do not know that a socket can be adopted.
  } as unknown as Bun.TCPSocketConnectOptions<unknown>);
  let isReferenced = true;
  return {
    hold: (isPending) => {
      if (isPending === isReferenced) return;
      isReferenced = isPending;
      if (isPending) socket.ref();
      else socket.unref();
    },
    close: () => socket.end(),
  };
}

class Looks implements WakeUp {
  #next: Timer | undefined;

  constructor(readonly look: () => void) {}

  hold(isPending: boolean): void {
    if (!isPending) return this.close();
    this.#next ??= setTimeout(() => {
      this.#next = undefined;
      this.look();
    }, LOOK_EVERY_MS);
  }

  close(): void {
    clearTimeout(this.#next);
    this.#next = undefined;
  }
}
