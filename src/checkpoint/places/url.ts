import { FileError, HttpError } from "../../base/errors.ts";
import { refuseOptions } from "../../base/options.ts";
import { type Absent, type Arriving, allOf, watched } from "./arriving.ts";
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
  refuseOptions("atUrl", options, { headers: null, method: null, credentials: null });
  const name = String(url);
  const ask = async (what: string, transfer: Transfer, more: RequestInit): Promise<Response> => {
    const response = await answer(name, what, options, transfer, more);
    await refuse(response, what);
    return response;
  };
  return placeNamed(name, {
    async read(transfer) {
      const what = `load ${name}`;
      return allOf(watched(what, arrivingOf(await ask(what, transfer, { method: "GET" })), transfer));
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

/** What an address answers, whatever that is. */
async function answer(
  name: string,
  what: string,
  { headers = {}, credentials }: UrlOptions,
  transfer: Transfer,
  more: RequestInit,
): Promise<Response> {
  const init: RequestInit = { headers, ...more };
  if (credentials !== undefined) init.credentials = credentials;
  if (transfer.signal !== undefined) init.signal = transfer.signal;
  try {
    return await fetch(name, init);
  } catch (cause) {
    throw failed(what, cause, transfer, whyNot(name));
  }
}

/** Throws for an answer that is no success. */
async function refuse(response: Response, what: string): Promise<void> {
  if (response.ok) return;
  await response.body?.cancel();
  throw new HttpError(
    `Cannot ${what}: the server answered ${response.status}${response.statusText && ` ${response.statusText}`}${remedyOf(response.status)}`,
    { status: response.status },
  );
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

/** An answer's bytes as they come. */
function arrivingOf(response: Response): Arriving {
  // Of what is sent compressed, the length is that of what is sent.
  const length =
    response.headers.get("content-encoding") === null ? response.headers.get("content-length") : null;
  return {
    size: length !== null && /^\d+$/.test(length) ? Number(length) : null,
    parts: (async function* () {
      const reader = response.body?.getReader();
      try {
        for (let part = await reader?.read(); part !== undefined && !part.done; part = await reader!.read())
          yield part.value;
      } finally {
        // Of what nobody wants any more, no more is sent.
        await reader?.cancel();
      }
    })(),
  };
}

/** A file at an address as it arrives, or why there is none; throws as `atUrl` for any other answer. */
export async function openUrl(url: URL, options: UrlOptions, transfer: Transfer): Promise<Arriving | Absent> {
  const name = String(url);
  const what = `load ${name}`;
  const response = await answer(name, what, options, transfer, { method: "GET" });
  const { status, statusText, headers } = response;
  // Where files cannot be listed, some servers say of one that is not there that it is forbidden.
  const isAbsent = [403, 404, 410].includes(status);
  const isPage = response.ok && /^text\/html\b/.test(headers.get("content-type") ?? "");
  if (!isAbsent && !isPage) {
    await refuse(response, what);
    return arrivingOf(response);
  }
  await response.body?.cancel();
  if (isPage) return { absent: "what came is a page of HTML" };
  return { absent: `the server answered ${status}${statusText && ` ${statusText}`}`, status };
}

/** An address as a whole: in a page, one that is relative to it. Throws `FileError` for what is none. */
export function absoluteUrl(place: string | URL): URL {
  const { document, location } = globalThis as { document?: Document; location?: Location };
  const base = document?.baseURI ?? location?.href;
  if (URL.canParse(place, base)) return new URL(place, base);
  throw new FileError(`Cannot load ${String(place)}: it is no URL${base === undefined ? "" : ` at ${base}`}`);
}

/** The address of a file within that of a folder, whose query it has too; of no name, that of the folder itself. */
export function urlWithin(folder: URL, file: string): URL {
  if (file === "") return folder;
  const url = new URL(folder);
  const names = file.split("/").map((name) => encodeURIComponent(name));
  url.pathname = `${url.pathname.replace(/\/$/, "")}/${names.join("/")}`;
  return url;
}
