/**
 * A client that costs little: raw sockets, one prepared request, always one in flight on each connection. Prints what
 * it measured as JSON. `bun http-load.ts <port> <connections> <milliseconds>`
 */
import { percentile } from "./table.ts";

const [port, connections, duration] = process.argv.slice(2).map(Number) as [number, number, number];
const body = JSON.stringify({ orderId: "order-1", amount: 42, note: "as the benchmarks of others send it" });
const request = [
  "POST /hook HTTP/1.1",
  "host: 127.0.0.1",
  "content-type: application/json",
  `content-length: ${body.length}`,
  "",
  body,
].join("\r\n");

const latencies: number[] = [];
let began = 0;
let isOver = false;

/** One connection: the next request goes when the answer before is complete. */
async function connect(): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let sent = 0;
  let received = "";
  await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (socket) => {
        sent = performance.now();
        socket.write(request);
      },
      data: (socket, data) => {
        received += data.toString("latin1");
        const length = answerLength(received);
        if (length === undefined || received.length < length) return;
        if (!received.startsWith("HTTP/1.1 20")) return reject(new Error(received));
        received = "";
        const now = performance.now();
        if (began > 0) latencies.push(now - sent);
        if (isOver) {
          socket.end();
          return resolve();
        }
        sent = now;
        socket.write(request);
      },
      error: (_socket, error) => reject(error),
      close: () => resolve(),
    },
  });
  return promise;
}

/** Bytes of the answer, when its head is complete. */
function answerLength(text: string): number | undefined {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return undefined;
  const found = /content-length: (\d+)/i.exec(text.slice(0, head));
  if (found === null) throw new Error(`an answer without a length: ${text}`);
  return head + 4 + Number(found[1]);
}

const all = Promise.all(Array.from({ length: connections }, connect));
await Bun.sleep(duration / 4); // The server warms up; nothing is counted.
began = performance.now();
await Bun.sleep(duration);
isOver = true;
const seconds = (performance.now() - began) / 1_000;
const answered = latencies.length;
latencies.sort((a, b) => a - b);
await all;
console.log(
  JSON.stringify({
    perSecond: answered / seconds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
  }),
);
