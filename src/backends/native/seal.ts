import { node } from "./node.ts";

/** What ends an object file that was written whole: this, and the digest of everything before it. */
const mark = "thaw-sealed-1:";
const bytesAtEnd = mark.length + 32;

const digest = (bytes: Uint8Array): Buffer => node().crypto.createHash("sha256").update(bytes).digest();

/** Appends the seal; loaders do not look beyond what they need. */
export function seal(file: string): void {
  const { fs } = node();
  fs.appendFileSync(file, Buffer.concat([Buffer.from(mark), digest(fs.readFileSync(file))]));
}

/** Whether a file is as it was when it was sealed. */
export function isSealed(file: string): boolean {
  const bytes = node().fs.readFileSync(file);
  const end = bytes.length - bytesAtEnd;
  if (end < 0) return false;
  return (
    bytes.subarray(end, end + mark.length).equals(Buffer.from(mark)) &&
    bytes.subarray(end + mark.length).equals(digest(bytes.subarray(0, end)))
  );
}
