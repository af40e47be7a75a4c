/** What is asked of the provider; each path reads what it needs. */
interface Body {
  readonly key: string;
  readonly card: string;
  readonly product: string;
  readonly amount: number;
  readonly paymentId: string;
  readonly text: string;
}

/** A payment provider of one process: what it has done under a key it does not do again. */
export class FakeProvider {
  /** Called when a charge has been made; the answer is sent when it has returned. */
  onCharged: () => Promise<void> | void = () => {};
  readonly balance = { charged: 0, refunded: 0 };
  /** Requests to charge, repeated ones included. */
  chargeRequests = 0;
  readonly #done = new Map<string, unknown>();
  readonly #receipts = new Map<string, PromiseWithResolvers<string>>();
  readonly #server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => this.#answer(request) });

  get url(): string {
    return this.#server.url.href;
  }

  /** What a payment's receipt says, once it is sent. */
  receipt(paymentId: string): Promise<string> {
    return this.#receiptOf(paymentId).promise;
  }

  stop(): Promise<void> {
    return this.#server.stop(true);
  }

  async #answer(request: Request): Promise<Response> {
    const body = (await request.json()) as Body;
    switch (new URL(request.url).pathname) {
      case "/risk":
        return Response.json(body.card === "stolen" ? 0.99 : 0.1);
      case "/stock":
        return Response.json(body.product === "unicorn" ? 0 : 5);
      case "/charge": {
        this.chargeRequests += 1;
        const charge = this.#once(body.key, () => {
          this.balance.charged += body.amount;
          return { chargeId: `charge-${this.#done.size + 1}` };
        });
        await this.onCharged();
        return Response.json(charge);
      }
      case "/refund":
        this.#once(body.key, () => {
          this.balance.refunded += 1;
        });
        return Response.json(null);
      case "/ship":
        if (body.product === "piano") return new Response("the piano does not fit through the door", { status: 409 });
        return Response.json(null);
      case "/receipt":
        this.#receiptOf(body.paymentId).resolve(body.text);
        return Response.json(null);
      default:
        return new Response("no such path", { status: 404 });
    }
  }

  #once<T>(key: string, work: () => T): T {
    if (!this.#done.has(key)) this.#done.set(key, work());
    return this.#done.get(key) as T;
  }

  #receiptOf(paymentId: string): PromiseWithResolvers<string> {
    let receipt = this.#receipts.get(paymentId);
    if (receipt === undefined) {
      receipt = Promise.withResolvers<string>();
      this.#receipts.set(paymentId, receipt);
    }
    return receipt;
  }
}
