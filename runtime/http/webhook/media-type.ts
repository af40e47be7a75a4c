/** Which bodies a webhook can read. */
import { WebhookError } from "./error.ts";

/** Throws a 415 unless the body is JSON, as far as the headers say. @param isRaw A function parses it, whatever it is. */
export function checkMediaType(headers: Headers, isRaw: boolean): void {
  const encoding = headers.get("content-encoding");
  if (encoding !== null && encoding.toLowerCase() !== "identity") {
    throw unsupported("Send the body as it is, without a content encoding.", { "Accept-Encoding": "identity" });
  }
  if (!isRaw && !isJson(headers.get("content-type"))) {
    throw unsupported("Send JSON, with the content type application/json.");
  }
}

function isJson(contentType: string | null): boolean {
  if (contentType === null || contentType === "application/json") return true;
  const [type = "", ...parameters] = contentType.toLowerCase().split(";");
  const essence = type.trim();
  if (essence !== "application/json" && !(essence.includes("/") && essence.endsWith("+json"))) return false;
  return parameters.every((parameter) => !/^\s*charset=/.test(parameter) || /=\s*"?utf-?8"?\s*$/.test(parameter));
}

function unsupported(message: string, headers: Record<string, string> = {}): WebhookError {
  return new WebhookError(415, "unsupported_media_type", message, { headers });
}
