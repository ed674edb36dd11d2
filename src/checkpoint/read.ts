import { currentBackend } from "../backends/index.ts";
import { allocate, bytesOf, type DType, dtypes, type TypedArray, windowsOf } from "../base/dtype.ts";
import { OutOfMemoryError, SafetensorsError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import { hostNode, Resident } from "../engine/trace.ts";
import { Tensor } from "../tensor/tensor.ts";
import { wideIntegers } from "../tensor/wide-integers.ts";
import { held, type IntegerArray, integers } from "./dtypes.ts";
import { shown } from "./header-text.ts";
import { bytesSource, openTensors, type TensorSource } from "./open.ts";

/** Elements that are converted at a time. */
const chunk = 2 ** 16;

/**
 * The tensors of a safetensors file, an index of several, or a folder, by name: what `module.loadStateDict` takes.
 * Integers other than i32, i8 and u8 become i32; one that does not fit is an error, and i64 is written back as i64.
 * Throws `SafetensorsError` for a broken file or a dtype that thaw does not have (F8…), `FileError` where one cannot be
 * read.
 */
export const readSafetensors = (path: string): Map<string, Tensor> => readTensors(openTensors(path));

/** As `readSafetensors`, of the bytes of one file: for browsers. */
export const parseSafetensors = (bytes: Uint8Array): Map<string, Tensor> => readTensors(bytesSource(bytes));

/** All tensors of a source, which it closes. */
export function readTensors(source: TensorSource): Map<string, Tensor> {
  try {
    return new Map([...source.entries.keys()].map((name) => [name, readTensor(source, name)]));
  } finally {
    source.close();
  }
}

/** One tensor of a source. */
export function readTensor(source: TensorSource, name: string): Tensor {
  const { dtype, shape, begin, end } = source.entries.get(name)!;
  const own = held.get(dtype);
  const Wide = integers.get(dtype);
  if (own === undefined && Wide === undefined)
    throw new SafetensorsError(
      `${shown(name)} is ${dtype}, which thaw does not have. Convert it before, or read its bytes with openTensors.`,
    );
  const data = memoryFor(
    name,
    own ?? "i32",
    (end - begin) / (Wide?.BYTES_PER_ELEMENT ?? dtypes[own!].bytes),
    shape,
  );
  if (Wide !== undefined) narrowInto(data, source, name, Wide);
  else
    for (const [from, length] of windowsOf(data.byteLength))
      source.read(name, bytesOf(data, from, length), from);
  if (own === "bool") checkBooleans(name, data);
  const tensor = new Tensor(hostNode(data, own ?? "i32", shape));
  if (dtype === "I64") wideIntegers.add(tensor);
  return tensor;
}

/** Bytes that are brought at a time into memory that threads share, which the system's functions do not take. */
const pieceBytes = 2 ** 20;

/**
 * One tensor of a source, read into the backend's memory, from where a parameter takes it over without a copy; null where
 * the file holds it otherwise than thaw does. Whoever asks for it frees what nobody has taken over.
 */
export function readResident(source: TensorSource, name: string): Resident | null {
  const there = source.take?.(name) ?? null;
  if (there !== null) return there;
  const { dtype, shape } = source.entries.get(name)!;
  const own = held.get(dtype);
  // Booleans are looked at one by one.
  if (own === undefined || own === "bool") return null;
  const resident = residentFor(name, own, shape);
  const { storage } = resident;
  try {
    for (const [from, length] of windowsOf(storage.byteLength)) {
      const bytes = storage.bytes(from, length)!;
      if (bytes.buffer instanceof ArrayBuffer) source.read(name, bytes, from);
      else
        for (let at = 0; at < length; at += pieceBytes) {
          const piece = new Uint8Array(Math.min(pieceBytes, length - at));
          source.read(name, piece, from + at);
          bytes.set(piece, at);
        }
    }
  } catch (error) {
    storage.park(null);
    throw error;
  }
  return resident;
}

/** Memory of the backend for a tensor of a file. */
export function residentFor(name: string, dtype: DType, shape: readonly number[]): Resident {
  const resident = new Resident(dtype, shape);
  try {
    resident.storage.binding(currentBackend());
  } catch (error) {
    if (error instanceof OutOfMemoryError) throw noMemoryFor(name, dtype, shape, error);
    throw error;
  }
  return resident;
}

const noMemoryFor = (name: string, dtype: DType, shape: readonly number[], cause: OutOfMemoryError) =>
  new OutOfMemoryError(
    `There is no memory for ${shown(name)}, ${dtype}${shapeText(shape)}: ${cause.message}`,
    { cause },
  );

function memoryFor(name: string, dtype: DType, length: number, shape: readonly number[]): TypedArray {
  try {
    return allocate(dtype, length);
  } catch (cause) {
    throw noMemoryFor(name, dtype, shape, cause as OutOfMemoryError);
  }
}

/** Reads wider or narrower integers as i32. */
function narrowInto(data: TypedArray, source: TensorSource, name: string, Wide: IntegerArray): void {
  const wide = new Wide(Math.min(chunk, data.length));
  for (let from = 0; from < data.length; from += chunk) {
    const part = wide.subarray(0, data.length - from);
    source.read(name, new Uint8Array(part.buffer, 0, part.byteLength), from * Wide.BYTES_PER_ELEMENT);
    for (let i = 0; i < part.length; i++) {
      const value = Number(part[i]);
      if ((value | 0) !== value)
        throw new SafetensorsError(
          `${shown(name)} is ${source.entries.get(name)!.dtype} and has ${part[i]} at ${from + i}, which does not fit the i32 that thaw holds it in.`,
        );
      data[from + i] = value;
    }
  }
}

function checkBooleans(name: string, data: TypedArray): void {
  const wrong = data.findIndex((byte) => byte > 1);
  if (wrong >= 0)
    throw new SafetensorsError(
      `${shown(name)} is BOOL and has the byte ${data[wrong]} at ${wrong}; booleans are 0 or 1.`,
    );
}
