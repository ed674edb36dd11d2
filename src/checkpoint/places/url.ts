import { FileError, HttpError } from "../../base/errors.ts";
import { failed, type Place, placeNamed, progressOf, type Transfer } from "./place.ts";

/** What goes with requests to an address. */
export interface UrlOptions {
  /** Headers, such as `{ Authorization: "Bearer …" }`. */
  headers?: Readonly<Record<string, string>>;
  /** How bytes are sent there; default `"PUT"`. */
  method?: "PUT" | "POST";
  /** Whether cookies go along to other origins, as `fetch` has it. */
  credentials?: "omit" | "same-origin" | "include";
}

/**
 * A place at an address: bytes are got from there, and sent there by `PUT`. In a page an address may be relative to it.
 * Reading and writing throw `HttpError` for an answer that is no success, with its `status`; `FileError` where there
 * is none.
 */
export function atUrl(url: string | URL, options: UrlOptions = {}): Place {
  const name = String(url);
  const ask = async (what: string, transfer: Transfer, more: RequestInit): Promise<Response> => {
    const { headers = {}, credentials } = options;
    const init: RequestInit = { headers, ...more };
    if (credentials !== undefined) init.credentials = credentials;
    if (transfer.signal !== undefined) init.signal = transfer.signal;
    let response: Response;
    try {
      response = await fetch(name, init);
    } catch (cause) {
      throw failed(what, cause, transfer, whyNot(name));
    }
    if (response.ok) return response;
    await response.body?.cancel();
    throw new HttpError(
      `Cannot ${what}: the server answered ${response.status}${response.statusText && ` ${response.statusText}`}${remedyOf(response.status)}`,
      { status: response.status },
    );
  };
  return placeNamed(name, {
    async read(transfer) {
      const what = `load ${name}`;
      return bytesOf(await ask(what, transfer, { method: "GET" }), what, transfer);
    },
    async write(bytes, transfer) {
      const progress = progressOf(transfer, bytes.length);
      progress(0);
      const body = new Blob([bytes as BlobPart], { type: "application/octet-stream" });
      const answer = await ask(`save to ${name}`, transfer, { method: options.method ?? "PUT", body });
      await answer.body?.cancel();
      progress(bytes.length);
    },
  });
}

/** Why an address may not be reached at all; `fetch` does not say. */
function whyNot(name: string): string {
  if (!URL.canParse(name) && typeof document === "undefined")
    return "; it is no URL, and there is no page that it could be relative to: load() and save() take paths of files";
  return "; see whether the address is right, the server reachable, and, at another origin, whether it sends Access-Control-Allow-Origin";
}

function remedyOf(status: number): string {
  if (status === 401 || status === 403)
    return "; it wants to know who asks: atUrl(url, { headers: { Authorization: … } })";
  if (status === 404 || status === 410) return "; there is no such file: see whether the address is right";
  if (status === 405) return "; it does not take this method there: atUrl(url, { method: … }) sends another";
  if (status === 413) return "; it takes no file of this size";
  return status === 429 || status >= 500 ? "; try again later" : "";
}

/** The bytes of an answer, as they come. */
async function bytesOf(response: Response, what: string, transfer: Transfer): Promise<Uint8Array> {
  // Of what is sent compressed, the length is that of what is sent.
  const length =
    response.headers.get("content-encoding") === null ? response.headers.get("content-length") : null;
  const total = length !== null && /^\d+$/.test(length) ? Number(length) : null;
  const progress = progressOf(transfer, total);
  progress(0);
  const parts: Uint8Array[] = [];
  let loaded = 0;
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); part !== undefined && !part.done; part = await reader!.read()) {
    parts.push(part.value);
    loaded += part.value.length;
    progress(loaded);
  }
  // Nothing tells a connection that was cut from one that has ended, but the length.
  if (total !== null && loaded < total)
    throw new FileError(
      `Cannot ${what}: ${loaded} of ${total} bytes came, then the connection ended; try again`,
    );
  if (loaded !== total) progressOf(transfer, loaded)(loaded);
  return joined(parts, loaded);
}

/** Parts in one array; each goes as soon as it has been copied. */
function joined(parts: Uint8Array[], length: number): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
