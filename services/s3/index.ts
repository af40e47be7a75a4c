/** Objects in S3, and in what speaks like it, by Bun's client. */
import { S3Client } from "bun";
import { defineService } from "cronflow-ffi";
import { flag, httpUrl, object, optional, otherwise, text } from "../lib/fields.ts";
import { final } from "../lib/final.ts";

export interface S3Object {
  readonly key: string;
  readonly size: number;
  readonly lastModified: string;
}

/** Codes that say that no further attempt helps. */
const FINAL = new Set([
  "AccessDenied",
  "InvalidAccessKeyId",
  "InvalidBucketName",
  "NoSuchBucket",
  "NoSuchKey",
  "SignatureDoesNotMatch",
]);

export const s3 = defineService({
  id: "s3",
  name: "S3",
  version: "1",
  schema: {
    config: object({
      bucket: text,
      /** Default: Amazon's of the region. */
      endpoint: optional(httpUrl),
      region: optional(text),
      /** Whether the bucket is a part of the host's name. Default false. */
      virtualHostedStyle: otherwise(flag, false),
    }),
    auth: object({ accessKeyId: text, secretAccessKey: text, sessionToken: optional(text) }),
  },
  setup: ({ config, auth }) => {
    const client = new S3Client({ ...withoutAbsent(config), ...withoutAbsent(auth) });
    return {
      actions: {
        /** Writes an object and tells how many bytes it has. */
        put: (key: string, data: string | Uint8Array<ArrayBuffer>, options: { readonly type?: string } = {}) =>
          named(key, async () => ({ key, size: await client.write(key, data, options) })),
        text: (key: string) => named(key, () => client.file(key).text()),
        bytes: (key: string) => named(key, () => client.file(key).bytes()),
        exists: (key: string) => named(key, () => client.exists(key)),
        delete: (key: string) => named(key, () => client.delete(key)),
        /** At most 1,000 objects whose key begins like this. */
        list: (prefix = "", options: { readonly after?: string } = {}) =>
          named(prefix, async (): Promise<readonly S3Object[]> => {
            const { after } = options;
            const { contents = [] } = await client.list({ prefix, ...(after !== undefined && { startAfter: after }) });
            return contents.map(({ key, size = 0, lastModified = "" }) => ({ key, size, lastModified }));
          }),
        /** An address by which anyone can get the object, or put it. Default: for an hour. */
        presign: (key: string, options: { readonly method?: "GET" | "PUT"; readonly expiresSeconds?: number } = {}) =>
          client.presign(key, { method: options.method ?? "GET", expiresIn: options.expiresSeconds ?? 3_600 }),
      },
    };
  },
});

/** The client's messages do not say which object they speak of. */
async function named<T>(key: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    const text = `\`${key}\`: ${message}`;
    if (code !== undefined && FINAL.has(code)) throw final(text, code, error);
    throw Object.assign(new Error(text, { cause: error }), code === undefined ? {} : { code });
  }
}

/** A field that is there and `undefined` is something else to the client than one that is not there. */
function withoutAbsent<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}
