/** For tests: requests whose first line goes out as it is written, which `fetch` would put in order. */
import { connect } from "node:net";

/** The status of the answer to a request line and headers; 0 when the connection was closed without one. */
export function rawStatus(port: number, line: string, headers: readonly string[] = []): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let answer = "";
  const socket = connect(port, "127.0.0.1", () => {
    socket.write([line, "Host: localhost", "Connection: close", ...headers, "", ""].join("\r\n"));
  });
  socket.on("data", (part) => {
    answer += part.toString("latin1");
  });
  socket.on("error", reject);
  socket.on("close", () => resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0)));
  return promise;
}
