import { ArgumentError } from "../../base/errors.ts";
import { localPath } from "../../base/storage/index.ts";
import { arrivingFolder } from "./arriving-folder.ts";
import type { Folder } from "./folder.ts";
import { localFolder } from "./local-folder.ts";
import { openOpfs, opfsName } from "./opfs.ts";
import type { Transfer } from "./place.ts";
import { absoluteUrl, openUrl, urlWithin } from "./url.ts";

/**
 * The folder that a path or an address stands for: `https://…`, in a page also an address relative to it, or `opfs:…`, a
 * folder in the private file system of the page's origin; all else is a path of this machine. `transfer` is for what is
 * loaded of it.
 */
export function folderAt(place: string | URL, transfer: Transfer = {}): Folder {
  if (typeof place !== "string" && !(place instanceof URL))
    throw new ArgumentError(
      `A folder is ${place === null ? "null" : typeof place}; give its path, its URL, or "opfs:…"`,
    );
  const path = localPath(place);
  if (path !== null) return localFolder(path);
  const inPage = opfsName(place);
  if (inPage !== null)
    return arrivingFolder({
      name: String(place),
      transfer,
      nameOf: (file) => (file === "" ? String(place) : `${String(place).replace(/\/$/, "")}/${file}`),
      open: (file) => openOpfs(file === "" ? inPage : `${inPage}/${file}`),
    });
  const url = absoluteUrl(place);
  return arrivingFolder({
    name: String(url),
    transfer,
    nameOf: (file) => String(urlWithin(url, file)),
    open: (file) => openUrl(urlWithin(url, file), {}, transfer),
  });
}
