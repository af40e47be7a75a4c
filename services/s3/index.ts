import { S3Client } from "bun";
import { defineService } from "cronflow-ffi";
import { flag, httpUrl, object, optional, otherwise, text } from "../lib/fields.ts";
import { final } from "../lib/final.ts";

/** An object, without what is in it. */
export interface S3Object {
  /** Its name in the bucket. */
  readonly key: string;
  /** In bytes. */
  readonly size: number;
  /** When it was written, as S3 tells it: ISO 8601. */
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

/**
 * Objects in S3, and in what speaks like it, by Bun's client.
 *
 * `config`: `bucket`; `endpoint` (default: Amazon's of the region); `region`; `virtualHostedStyle`, whether the bucket
 * is a part of the host's name (default false). `auth`: `accessKeyId`, `secretAccessKey`, and `sessionToken` of
 * temporary ones. What no further attempt helps against (a wrong key, no such bucket or object, no access) is a
 * `NonRetryableError` with S3's code.
 */
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
        /** Writes an object, of a media `type` if one is given, and tells how many bytes it has. */
        put: (key: string, data: string | Uint8Array<ArrayBuffer>, options: { readonly type?: string } = {}) =>
          named(key, async () => ({ key, size: await client.write(key, data, options) })),
        /** The whole object, as text. */
        text: (key: string) => named(key, () => client.file(key).text()),
        /** The whole object. */
        bytes: (key: string) => named(key, () => client.file(key).bytes()),
        /** Whether there is such an object. */
        exists: (key: string) => named(key, () => client.exists(key)),
        /** Removes an object. */
        delete: (key: string) => named(key, () => client.delete(key)),
        /** At most 1,000 objects whose key begins like this; `after`: only those after this key. */
        list: (prefix = "", options: { readonly after?: string } = {}) =>
          named(prefix, async (): Promise<readonly S3Object[]> => {
            const { after } = options;
            const { contents = [] } = await client.list({ prefix, ...(after !== undefined && { startAfter: after }) });
            return contents.map(({ key, size = 0, lastModified = "" }) => ({ key, size, lastModified }));
          }),
        /** An address by which anyone can get the object, or put it. Default: get it, for an hour. */
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
