/** Against a server that speaks like S3. */
import { expect, onTestFinished, test } from "bun:test";
import S3rver from "@20minutes/s3rver";
import { NonRetryableError } from "cronflow-ffi";
import { temporaryDirectory } from "../../runtime/testing/engines.ts";
import { called, thrownBy } from "../lib/called.testing.ts";
import { s3 } from "./index.ts";

const BUCKET = "bucket";
/** Those that the server knows. */
const AUTH = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" };

async function s3Server({ allowMismatchedSignatures = false } = {}) {
  const server = new S3rver({
    port: 0,
    address: "127.0.0.1",
    silent: true,
    directory: temporaryDirectory(),
    allowMismatchedSignatures,
    configureBuckets: [{ name: BUCKET, configs: [] }],
  });
  const { port } = await server.run();
  onTestFinished(() => server.close());
  return { bucket: BUCKET, region: "us-east-1", endpoint: `http://127.0.0.1:${port}` };
}

test("objects are put, read, asked for and deleted", async () => {
  const service = await called(s3.withConfig({ config: await s3Server(), auth: AUTH }));
  expect(await service.put("a/ü.txt", "hello", { type: "text/plain" })).toEqual({ key: "a/ü.txt", size: 5 });
  expect(await service.put("a/bytes", new Uint8Array([0, 255]))).toEqual({ key: "a/bytes", size: 2 });
  expect(await service.text("a/ü.txt")).toBe("hello");
  expect(await service.bytes("a/bytes")).toEqual(new Uint8Array([0, 255]));
  expect([await service.exists("a/bytes"), await service.exists("a/none")]).toEqual([true, false]);
  expect(await (await fetch(service.presign("a/bytes"))).bytes()).toEqual(new Uint8Array([0, 255]));
  await service.delete("a/bytes");
  expect(await service.exists("a/bytes")).toBe(false);
});

test("objects are listed by the beginning of their keys", async () => {
  // Bun signs the path of a bucket in a way that this server takes for wrong.
  const config = await s3Server({ allowMismatchedSignatures: true });
  const service = await called(s3.withConfig({ config, auth: AUTH }));
  for (const key of ["a/1", "a/2", "b/1"]) await service.put(key, key);
  const listed = await service.list("a/");
  expect(listed.map(({ key, size }) => [key, size])).toEqual([
    ["a/1", 3],
    ["a/2", 3],
  ]);
  expect(Date.parse(listed[0]?.lastModified ?? "")).toBeGreaterThan(0);
  expect((await service.list("a/", { after: "a/1" })).map(({ key }) => key)).toEqual(["a/2"]);
  expect(await service.list("none")).toEqual([]);
});

test("what is not there, and a wrong key, are final; a server that is not there is not", async () => {
  const config = await s3Server();
  const service = await called(s3.withConfig({ config, auth: AUTH }));
  const missing = await thrownBy(() => service.text("a/none"));
  expect(missing).toMatchObject({ code: "NoSuchKey", cause: expect.any(NonRetryableError) });
  expect(missing.message).toStartWith("s3.text: `a/none`: ");
  const stranger = await called(s3.withConfig({ config, auth: { ...AUTH, secretAccessKey: "not the right one" } }));
  const refused = await thrownBy(() => stranger.put("a", "x"));
  expect(refused).toMatchObject({ code: "SignatureDoesNotMatch", cause: expect.any(NonRetryableError) });
  const nowhere = await called(s3.withConfig({ config: { ...config, endpoint: "http://127.0.0.1:1" }, auth: AUTH }));
  const gone = await thrownBy(() => nowhere.put("a", "x"));
  expect(gone.cause).not.toBeInstanceOf(NonRetryableError);
});
