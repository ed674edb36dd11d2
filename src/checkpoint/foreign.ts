/** What files that are often taken for safetensors begin with. */
const beginnings: readonly (readonly [bytes: string, what: string])[] = [
  ["PK\u0003\u0004", "pickle"],
  ["\u0080\u0002", "pickle"],
  ["\u0080\u0003", "pickle"],
  ["\u0080\u0004", "pickle"],
  ["\u0080\u0005", "pickle"],
  ["version https://git-lfs", "a Git LFS pointer, not the file itself: get that with git lfs pull"],
  ["GGUF", "a GGUF file, not safetensors"],
  ["\u0089HDF\r\n", "an HDF5 file, as Keras writes them, not safetensors"],
  ["\u0093NUMPY", "a NumPy array, not safetensors"],
  ["<!doctype", "a page of HTML: what was downloaded is not the file"],
  ["<html", "a page of HTML: what was downloaded is not the file"],
  ["<head", "a page of HTML: what was downloaded is not the file"],
  ["<?xml", "XML: what was downloaded is not the file"],
  ["{", "JSON, not safetensors"],
  ["[", "JSON, not safetensors"],
];

/** How many bytes of a file say what it is. */
export const beginningBytes = 32;

/** What to say of Python's pickles; the name is that of the file. */
const pickle = (path: string): string =>
  `${path} is a file of torch.save (a pickle), not safetensors. thaw never unpickles: that runs any code which is in ` +
  "the file. Convert it where you trust it, in Python: " +
  `state = torch.load("${nameOf(path)}", map_location="cpu", weights_only=True); ` +
  "safetensors.torch.save_file({name: t.clone() for name, t in state.items()}, " +
  `"${nameOf(path).replace(/\.[^.]*$/, "")}.safetensors")`;

const nameOf = (path: string): string =>
  path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);

/** What a file is instead of safetensors, by its first bytes, and what to do about it; null where that is not known. */
export function foreignFormat(path: string, bytes: Uint8Array): string | null {
  const text = String.fromCharCode(...bytes.subarray(0, beginningBytes));
  // Text, which has no zeros as the length of a header has, may be in either case, and begin with a mark of UTF-8 and
  // lines that say nothing.
  const isText = !text.slice(0, 8).includes("\0");
  const plain = isText
    ? text
        .replace(/^\u00ef\u00bb\u00bf/, "")
        .trimStart()
        .toLowerCase()
    : "";
  const what = beginnings.find(
    ([beginning]) => text.startsWith(beginning) || plain.startsWith(beginning),
  )?.[1];
  if (what === undefined) return null;
  return what === "pickle" ? pickle(path) : `${path} is ${what}`;
}

/** Whether a name is one that torch.save's files have. */
export const isPickleName = (name: string): boolean => /\.(bin|pt|pth|ckpt|pkl)$/.test(name);
