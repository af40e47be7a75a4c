/** Against a real SMTP server. */
import { expect, onTestFinished, test } from "bun:test";
import { NonRetryableError } from "cronflow-ffi";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { called, thrownBy } from "../lib/called.testing.ts";
import { email } from "./index.ts";

interface Received {
  readonly from: string | undefined;
  readonly to: readonly string[];
  readonly user: unknown;
  readonly text: string;
}

async function smtpServer(options: SMTPServerOptions = {}) {
  const received: Received[] = [];
  const server = new SMTPServer({
    disabledCommands: ["STARTTLS"],
    // The service keeps its connections; the server need not wait for them.
    closeTimeout: 1,
    authOptional: true,
    onAuth: ({ username, password }, _session, done) =>
      password === "the right one" ? done(null, { user: username }) : done(new Error("wrong password")),
    onData: (stream, { envelope, user }, done) => {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const from = envelope.mailFrom === false ? undefined : envelope.mailFrom?.address;
        received.push({
          from,
          to: envelope.rcptTo.map(({ address }) => address),
          user,
          text: Buffer.concat(chunks).toString(),
        });
        done();
      });
    },
    ...options,
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const address = server.server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return { received, config: { host: "127.0.0.1", port: address.port, from: "engine@x.test", requireTls: false } };
}

test("a mail arrives, and has the same name when it is sent again", async () => {
  const { received, config } = await smtpServer();
  const auth = { user: "engine", password: "the right one" };
  const { send } = await called(email.withConfig({ config, auth }));
  const mail = {
    to: ["a@x.test", "b@x.test"],
    bcc: "c@x.test",
    subject: "Grüße",
    text: "hello",
    html: "<b>hello</b>",
    attachments: [{ filename: "a.txt", content: "attached" }],
    idempotencyKey: "run_1:mail",
  };
  const [sent, again] = [await send(mail), await send(mail)];
  expect(sent).toMatchObject({ accepted: ["a@x.test", "b@x.test", "c@x.test"], rejected: [] });
  expect(sent.messageId).toMatch(/^<[0-9a-f]{64}@cronflow>$/);
  expect(again.messageId).toBe(sent.messageId);
  expect(received).toHaveLength(2);
  expect(received[0]).toMatchObject({
    from: "engine@x.test",
    to: ["a@x.test", "b@x.test", "c@x.test"],
    user: "engine",
  });
  const text = (received[0]?.text ?? "").replaceAll("\r\n ", " ");
  for (const line of [
    "From: engine@x.test",
    "To: a@x.test, b@x.test",
    `Message-ID: ${sent.messageId}`,
    "hello",
    "a.txt",
  ]) {
    expect(text).toContain(line);
  }
  expect(text).not.toContain("c@x.test");
});

test("a recipient that the server refuses is final, one it cannot take now is not", async () => {
  const refusing = (responseCode: number) =>
    smtpServer({ onRcptTo: (_address, _session, done) => done(Object.assign(new Error("no"), { responseCode })) });
  for (const [status, isFinal] of [
    [550, true],
    [451, false],
  ] as const) {
    const { config } = await refusing(status);
    const { send } = await called(email.withConfig({ config, auth: {} }));
    const error = await thrownBy(() => send({ to: "a@x.test", subject: "s" }));
    expect(error).toMatchObject({ code: "EENVELOPE", message: expect.stringContaining(String(status)) });
    expect(error.cause instanceof NonRetryableError).toBe(isFinal);
  }
});

test("a wrong password is final; a server that cannot do TLS is refused unless it is allowed", async () => {
  const { config, received } = await smtpServer();
  const wrong = await called(email.withConfig({ config, auth: { user: "engine", password: "the wrong one" } }));
  expect(await thrownBy(() => wrong.send({ to: "a@x.test", subject: "s" }))).toMatchObject({
    code: "EAUTH",
    cause: expect.any(NonRetryableError),
  });
  const strict = await called(email.withConfig({ config: { ...config, requireTls: true }, auth: {} }));
  expect((await thrownBy(() => strict.send({ to: "a@x.test", subject: "s" }))).message).toMatch(/TLS/i);
  expect(received).toEqual([]);
});

test("a user without a password is no configuration that begins", async () => {
  const service = email.withConfig({ config: { host: "x.test", from: "a@x.test" }, auth: { user: "u" } });
  expect((await thrownBy(() => called(service))).message).toBe(
    "email.setup: give both `auth.user` and `auth.password`, or none",
  );
});
