import { digestOf, node } from "./node.ts";

/** What ends an object file that was written whole: this, and the digest of everything before it. */
const mark = "thaw-sealed-2:";
const lengthOfSeal = mark.length + 64;

const sealOf = (bytes: Uint8Array): string => mark + digestOf(bytes);

/** Appends the seal; loaders do not look beyond what they need. */
export function seal(file: string): void {
  const { fs } = node();
  fs.appendFileSync(file, sealOf(fs.readFileSync(file)));
}

/** Whether a file is as it was when it was sealed. */
export function isSealed(file: string): boolean {
  const bytes = node().fs.readFileSync(file);
  const end = bytes.length - lengthOfSeal;
  return end >= 0 && bytes.toString("latin1", end) === sealOf(bytes.subarray(0, end));
}
