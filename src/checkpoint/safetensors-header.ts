import { SafetensorsError } from "../base/errors.ts";
import { headerIntact } from "./header-sum.ts";
import { HeaderText, shown } from "./header-text.ts";

/** Where a tensor is in a file. */
export interface TensorEntry {
  /** As the file says it: `F32`, `BF16`, `I64`, `F8_E4M3`… */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** The place of its first byte in the file. */
  readonly begin: number;
  /** The place after its last byte in the file. */
  readonly end: number;
}

/** What a safetensors file says of itself. */
export interface SafetensorsHeader {
  /** In the file's own order. */
  readonly tensors: Map<string, TensorEntry>;
  /** Free text by name; an object without a prototype, so that any name is only a name. */
  readonly metadata: Record<string, string>;
  /** Whether the header is the one that was written; null where it does not say, as only checkpoints do. */
  readonly intact: boolean | null;
}

/** The longest header that is read, as in the format's reference implementation. */
export const maxHeaderBytes = 100_000_000;
/** The length of a header stands in this many bytes before it. */
export const prefixBytes = 8;
/** The name under which a header has its metadata. */
export const metadataName = "__metadata__";
/** The most names of a file's metadata, of which writers have a few. */
const maxMetadata = 2 ** 16;
/** The most dimensions of a tensor, as in PyTorch. */
const maxRank = 64;
/** Elements beyond this could not be counted in bits; no file holds so many. */
const maxNumel = 2 ** 50;

/** Bits of an element of each dtype of the format. */
const bitsOf: ReadonlyMap<string, number> = new Map([
  ...["F4"].map((name) => [name, 4] as const),
  ...["F6_E2M3", "F6_E3M2"].map((name) => [name, 6] as const),
  ...["BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"].map(
    (name) => [name, 8] as const,
  ),
  ...["I16", "U16", "F16", "BF16"].map((name) => [name, 16] as const),
  ...["I32", "U32", "F32"].map((name) => [name, 32] as const),
  ...["I64", "U64", "F64", "C64"].map((name) => [name, 64] as const),
]);

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The length of the header of a file of `fileSize` bytes, of which `bytes` are the first; checked, so it can be read. */
export function headerLength(bytes: Uint8Array, fileSize: number): number {
  if (bytes.length < prefixBytes || fileSize < prefixBytes)
    throw new SafetensorsError(
      `A safetensors file begins with the 8 bytes of its header's length; this one has ${Math.min(bytes.length, fileSize)} bytes. It is truncated, or no safetensors file.`,
    );
  const view = new DataView(bytes.buffer, bytes.byteOffset, prefixBytes);
  const length = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  if (length > maxHeaderBytes)
    throw new SafetensorsError(
      `The file says that its header has ${length} bytes; ${maxHeaderBytes} is the most. It is no safetensors file, or a hostile one.`,
    );
  if (length > fileSize - prefixBytes)
    throw new SafetensorsError(
      `The file says that its header has ${length} bytes, but it has only ${fileSize - prefixBytes} after the first 8. It is truncated, or no safetensors file.`,
    );
  return length;
}

/**
 * The header of a safetensors file of `fileSize` bytes, of which `bytes` are the first, at least to the header's end.
 * Everything that it says is checked: tensors lie side by side and fill the file, each as large as its shape and dtype
 * make it, no name comes twice, metadata is text. A dtype that the format does not have (yet) passes where its size can
 * be one of whole bytes: such a tensor can be read as bytes. Throws `SafetensorsError`.
 */
export function parseHeader(bytes: Uint8Array, fileSize: number): SafetensorsHeader {
  const length = headerLength(bytes, fileSize);
  const dataStart = prefixBytes + length;
  if (bytes.length < dataStart)
    throw new SafetensorsError(
      `parseHeader: ${bytes.length} bytes were given, the header ends at ${dataStart}`,
    );
  // Spaces before it would let two readers see two different headers.
  if (bytes[prefixBytes] !== 123)
    throw new SafetensorsError('A safetensors header begins with "{"; this is no safetensors file.');
  const text = new HeaderText(decode(bytes.subarray(prefixBytes, dataStart)));
  const tensors = new Map<string, TensorEntry>();
  const metadata: Record<string, string> = Object.create(null);
  text.object("the header", (name) => {
    if (name === metadataName)
      text.object(
        "the metadata",
        (key) => {
          metadata[key] = text.string("a value of the metadata");
        },
        maxMetadata,
      );
    else tensors.set(name, readEntry(text, name, dataStart));
  });
  text.end();
  checkLayout(tensors, dataStart, fileSize);
  return { tensors, metadata, intact: headerIntact(bytes.subarray(0, dataStart), metadata) };
}

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new SafetensorsError(
      "The safetensors header is not UTF-8. The file is damaged, or is no safetensors file.",
      { cause },
    );
  }
}

function readEntry(text: HeaderText, name: string, dataStart: number): TensorEntry {
  const what = shown(name);
  let dtype: string | null = null;
  let shape: number[] | null = null;
  let offsets: number[] | null = null;
  text.object(what, (key) => {
    if (key === "dtype") dtype = text.string(`the dtype of ${what}`);
    else if (key === "shape") shape = text.numbers(`the shape of ${what}`, maxRank);
    else if (key === "data_offsets") offsets = text.numbers(`the offsets of ${what}`, 2);
    else throw text.error(`${what} has ${shown(key)}, which tensors do not have`);
  });
  if (dtype === null || shape === null || (offsets as number[] | null)?.length !== 2)
    throw text.error(`${what} has not a dtype, a shape and two data_offsets`);
  const [from, to] = offsets as unknown as [number, number];
  const problem =
    to < from ? `ends at ${to}, before it begins at ${from}` : sizeProblem(dtype, shape, to - from);
  if (problem !== null) throw new SafetensorsError(`The safetensors header is broken: ${what} ${problem}.`);
  return { dtype, shape, begin: dataStart + from, end: dataStart + to };
}

/** Why a tensor of this dtype and shape cannot have so many bytes; null where it can. */
function sizeProblem(dtype: string, shape: readonly number[], bytes: number): string | null {
  let numel = 1;
  for (const size of shape) {
    // Before a zero makes it small again: the sizes themselves must be such as a tensor can have.
    if (size > maxNumel || numel * Math.max(size, 1) > maxNumel)
      return `has more elements than a file can hold: [${shape}]`;
    numel *= size;
  }
  const bits = bitsOf.get(dtype);
  const given = bytes * 8;
  if (bits !== undefined)
    return numel * bits === given
      ? null
      : `is ${dtype} of shape [${shape}], which takes ${(numel * bits) / 8} bytes; its offsets leave ${bytes}`;
  if (!/^[A-Z][A-Z0-9_]{0,31}$/.test(dtype)) return `is of ${shown(dtype)}, which is no dtype`;
  const fits = numel === 0 ? bytes === 0 : bytes > 0 && given % numel === 0;
  return fits
    ? null
    : `is of unknown ${dtype} and shape [${shape}], for which ${bytes} bytes cannot be right`;
}

/** Checks that the tensors, one after the other, are all of the file: no byte of two, no byte of none. */
function checkLayout(tensors: ReadonlyMap<string, TensorEntry>, dataStart: number, fileSize: number): void {
  const inOrder = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let at = dataStart;
  for (const [name, { begin, end }] of inOrder) {
    if (begin !== at)
      throw new SafetensorsError(
        `The safetensors header is broken: ${shown(name)} begins at byte ${begin} of the file, ` +
          `${begin < at ? "inside another tensor" : `and bytes from ${at} on belong to none`}.`,
      );
    at = end;
  }
  if (at > fileSize)
    throw new SafetensorsError(
      `The safetensors file is truncated: its tensors end at byte ${at}, the file at ${fileSize}. Get it again.`,
    );
  if (at < fileSize)
    throw new SafetensorsError(
      `The safetensors file has ${fileSize - at} bytes after its last tensor, which belong to none.`,
    );
}
