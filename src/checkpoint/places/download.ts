import { FileError } from "../../base/errors.ts";
import { type Place, placeNamed, progressOf } from "./place.ts";

/** A file that the browser downloads under a name: a place to save to, and not one to load from. */
export function download(name: string): Place {
  return placeNamed(name, {
    async read() {
      throw new FileError(
        `Cannot load ${name}: a download cannot be read by the page. Let the user pick the file, and load from that: loadFrom(input.files[0], …)`,
      );
    },
    async write(bytes, transfer) {
      if (typeof document === "undefined")
        throw new FileError(
          `Cannot save ${name}: only a page can start a download; send the bytes of saveToBytes() there, or save() to a path in Node`,
        );
      const url = URL.createObjectURL(new Blob([bytes as BlobPart], { type: "application/octet-stream" }));
      const link = document.createElement("a");
      link.href = url;
      link.download = name;
      link.click();
      // The browser has begun to read it by then, and holds it until it has ended.
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
      progressOf(transfer, bytes.length)(bytes.length);
    },
  });
}
