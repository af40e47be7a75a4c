/** Stands in for GitHub and for a mailbox, and lets the demo wait for what happens there. */
import type { Forge } from "./issues.ts";

/** What was mailed about an issue. */
export interface Mail {
  readonly subject: string;
  readonly link: string;
}

export class FakeForge implements Forge {
  readonly webhookSecret: string;
  readonly #mails = new Awaited<Mail>();
  readonly #labels = new Awaited<string>();
  readonly #comments = new Map<string, string>();
  readonly #commented = new Awaited<void>();

  constructor(webhookSecret: string) {
    this.webhookSecret = webhookSecret;
  }

  async label(issue: number, label: string): Promise<void> {
    this.#labels.come(issue, label);
  }

  async comment(issue: number, text: string, key: string): Promise<void> {
    this.#comments.set(key, `#${issue}: ${text}`);
    this.#commented.come(this.#comments.size, undefined);
  }

  async mail(subject: string, link: string): Promise<void> {
    this.#mails.come(Number(/^#(\d+)/.exec(subject)?.[1]), { subject, link });
  }

  mailAbout(issue: number): Promise<Mail> {
    return this.#mails.of(issue);
  }

  labelOf(issue: number): Promise<string> {
    return this.#labels.of(issue);
  }

  /** The comments, once there are so many. */
  async comments(count: number): Promise<string[]> {
    await this.#commented.of(count);
    return [...this.#comments.values()].sort();
  }
}

/** What has come, or will come, by number. */
class Awaited<T> {
  readonly #known = new Map<number, PromiseWithResolvers<T>>();

  come(number: number, value: T): void {
    this.#entry(number).resolve(value);
  }

  of(number: number): Promise<T> {
    return this.#entry(number).promise;
  }

  #entry(number: number): PromiseWithResolvers<T> {
    let entry = this.#known.get(number);
    if (entry === undefined) {
      entry = Promise.withResolvers<T>();
      this.#known.set(number, entry);
    }
    return entry;
  }
}
