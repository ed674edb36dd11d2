import { SafetensorsError } from "../base/errors.ts";
import type { Resident } from "../engine/trace.ts";
import { held } from "./dtypes.ts";
import { beginningBytes } from "./foreign.ts";
import { shown } from "./header-text.ts";
import { bytesSource, explained, type TensorSource } from "./open.ts";
import { type Arriving, ArrivingReader, allOf } from "./places/arriving.ts";
import { residentFor } from "./read.ts";
import { headerLength, parseHeader, prefixBytes } from "./safetensors-header.ts";

/**
 * The tensors of a file that arrives. Each is put where it stays, in the backend's memory, as its bytes come, so that no
 * second copy of the file is made. Throws `SafetensorsError` as soon as the header shows that it is none.
 */
export async function arrivingTensors(file: string, arriving: Arriving): Promise<TensorSource> {
  const { size } = arriving;
  // Without the size of the file, its header cannot be checked before all of it is there.
  if (size === null) return bytesSource(await allOf(arriving), file);
  const reader = new ArrivingReader(arriving);
  /** What thaw holds as it is in the file. */
  const residents = new Map<string, Resident>();
  /** What it does not, by name. */
  const others = new Map<string, Uint8Array>();
  const close = (): void => {
    for (const { storage } of residents.values()) storage.park(null);
    residents.clear();
  };
  try {
    const beginning = await reader.next(Math.min(size, beginningBytes));
    const end = explained(
      file,
      beginning,
      () => prefixBytes + headerLength(beginning.subarray(0, prefixBytes), size),
    );
    const rest = await reader.next(Math.max(0, end - beginning.length));
    const start = new Uint8Array(beginning.length + rest.length);
    start.set(beginning);
    start.set(rest, beginning.length);
    const { tensors, metadata, intact } = explained(file, beginning, () => parseHeader(start, size));
    // A file of a few tensors without elements may end within what was read first.
    const behind = start.subarray(end);
    for (const [name, { dtype, shape, begin, end }] of [...tensors].sort((a, b) => a[1].begin - b[1].begin)) {
      const length = end - begin;
      const own = held.get(dtype);
      let put: (bytes: Uint8Array, at: number) => void;
      if (own === undefined || own === "bool") {
        const bytes = new Uint8Array(length);
        others.set(name, bytes);
        put = (part, at) => bytes.set(part, at);
      } else {
        const resident = residentFor(name, own, shape);
        residents.set(name, resident);
        put = (part, at) => resident.storage.bytes(at, part.length)!.set(part);
      }
      const from = begin - (start.length - behind.length);
      const early = behind.subarray(Math.min(from, behind.length), Math.min(from + length, behind.length));
      if (early.length > 0) put(early, 0);
      const came = await reader.each(length - early.length, (part, at) => put(part, early.length + at));
      if (early.length + came < length)
        throw new SafetensorsError(`${file} ends within ${shown(name)}; it is truncated`);
    }
    // What is behind the last tensor is nothing, which the end says.
    await reader.next(1);
    return {
      entries: new Map([...tensors].map(([name, entry]) => [name, { ...entry, file }])),
      metadata,
      intact,
      read(name, into, fromByte) {
        const { storage } = residents.get(name) ?? {};
        const { begin, end } = tensors.get(name)!;
        const count = Math.max(0, Math.min(into.length, end - begin - fromByte));
        const bytes =
          storage === undefined
            ? others.get(name)!.subarray(fromByte, fromByte + count)
            : storage.bytes(fromByte, count)!;
        into.set(bytes);
        return count;
      },
      take(name) {
        const resident = residents.get(name) ?? null;
        residents.delete(name);
        return resident;
      },
      close,
    };
  } catch (error) {
    close();
    await reader.close();
    throw error;
  }
}
