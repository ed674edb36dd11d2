import { parseJson } from "../base/bounded-json.ts";
import { SafetensorsError } from "../base/errors.ts";
import { type FileReader, folderOf, isFolder, joinPath, namesIn, openFile } from "../base/storage/index.ts";
import type { Resident } from "../engine/trace.ts";
import { beginningBytes, foreignFormat, isPickleName } from "./foreign.ts";
import { shown } from "./header-text.ts";
import {
  headerLength,
  maxHeaderBytes,
  parseHeader,
  prefixBytes,
  type SafetensorsHeader,
  type TensorEntry,
} from "./safetensors-header.ts";
import { indexEnd, usualNames } from "./usual-names.ts";

/** A tensor of a source: where it is, and in which file. */
export interface SourceEntry extends TensorEntry {
  /** Path of the file. */
  readonly file: string;
}

/** Tensors in files, to be read piece by piece. */
export interface TensorSource {
  readonly entries: ReadonlyMap<string, SourceEntry>;
  /** Of several files: that on which they agree. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Whether the headers are those that were written; null where they do not say, as only checkpoints do. */
  readonly intact: boolean | null;
  /** Fills `into` with the bytes of a tensor from one of its bytes on; gives how many there were. */
  read(name: string, into: Uint8Array, fromByte: number): number;
  /** A tensor that is in the backend's memory already, to be taken over, once; null: it must be read. */
  take?(name: string): Resident | null;
  /** Closes the files. */
  close(): void;
}

/**
 * Opens a safetensors file, the index of several (`*.safetensors.index.json`), or a folder that holds one or the other,
 * as Hugging Face writes them. Only headers are read; files may be of any size. Throws `SafetensorsError` for what is
 * broken, truncated or ambiguous, `FileError` for what cannot be read.
 */
export function openTensors(path: string): TensorSource {
  const file = isFolder(path) ? fileOf(path) : path;
  return file.endsWith(".json") && !beginsAsTensors(file) ? openIndex(file) : openFiles([file]);
}

/** Whether a file begins with the length of a header, and the header: as such a length, any text is far too large. */
function beginsAsTensors(path: string): boolean {
  const file = openFile(path);
  try {
    const start = new Uint8Array(prefixBytes + 1);
    file.read(start, 0);
    const length = new DataView(start.buffer).getBigUint64(0, true);
    return length > 0 && length <= maxHeaderBytes && start[prefixBytes] === "{".charCodeAt(0);
  } finally {
    file.close();
  }
}

/** The tensors in the bytes of a file, which errors call by its name. */
export function bytesSource(bytes: Uint8Array, file = "the bytes given"): TensorSource {
  const { tensors, metadata, intact } = explained(file, bytes, () => parseHeader(bytes, bytes.length));
  return {
    entries: new Map([...tensors].map(([name, entry]) => [name, { ...entry, file }])),
    metadata,
    intact,
    read(name, into, fromByte) {
      const { begin, end } = tensors.get(name)!;
      const wanted = bytes.subarray(begin + fromByte, Math.min(end, begin + fromByte + into.length));
      into.set(wanted);
      return wanted.length;
    },
    close() {},
  };
}

/** The file, or the index, that a folder is about. */
function fileOf(folder: string): string {
  const all = namesIn(folder);
  const names = all.filter((name) => name.endsWith(".safetensors") || name.endsWith(indexEnd));
  const usual = usualNames.find((name) => names.includes(name));
  const indices = names.filter((name) => name.endsWith(indexEnd));
  const candidates = usual !== undefined ? [usual] : indices.length > 0 ? indices : names;
  if (candidates.length === 1) return joinPath(folder, candidates[0]!);
  const pickle = all.find(isPickleName);
  throw new SafetensorsError(
    candidates.length === 0
      ? `There is no .safetensors file in the folder ${folder}${pickle === undefined ? "" : `; ${pickle} is a pickle, which thaw never reads`}`
      : `The folder ${folder} has ${candidates.length} files that could be meant: ${candidates.join(", ")}. Name one of them.`,
  );
}

function openIndex(path: string): TensorSource {
  const wanted = filesOfIndex(path, readBounded(path));
  const folder = folderOf(path);
  const source = openFiles([...new Set(wanted.values())].map((name) => joinPath(folder, name)));
  try {
    checkIndex(path, wanted, (name) => joinPath(folder, name), source);
  } catch (error) {
    source.close();
    throw error;
  }
  return source;
}

/** Throws where tensors are in other files than an index says. */
function checkIndex(
  path: string,
  wanted: ReadonlyMap<string, string>,
  nameOf: (file: string) => string,
  source: TensorSource,
): void {
  const missing = [...wanted].filter(([tensor, name]) => source.entries.get(tensor)?.file !== nameOf(name));
  if (missing.length === 0) return;
  const [tensor, name] = missing[0]!;
  throw new SafetensorsError(
    `${path} says that ${shown(tensor)} is in ${name}; it is not` +
      (missing.length > 1 ? `, and ${missing.length - 1} more are not where it says` : ""),
  );
}

/** The tensors of the files of an index, each of them open, as one source. */
export function joinSources(
  path: string,
  wanted: ReadonlyMap<string, string>,
  nameOf: (file: string) => string,
  sources: readonly TensorSource[],
): TensorSource {
  const entries = new Map<string, SourceEntry>();
  const owners = new Map<string, TensorSource>();
  for (const source of sources)
    for (const [name, entry] of source.entries) {
      refuseTwice(name, entries.get(name), entry.file);
      entries.set(name, entry);
      owners.set(name, source);
    }
  const joined: TensorSource = {
    entries,
    metadata: agreed(sources.map(({ metadata }) => metadata)),
    intact: null,
    read: (name, into, fromByte) => owners.get(name)!.read(name, into, fromByte),
    take: (name) => owners.get(name)?.take?.(name) ?? null,
    close() {
      for (const source of sources) source.close();
    },
  };
  checkIndex(path, wanted, nameOf, joined);
  return joined;
}

function refuseTwice(name: string, other: SourceEntry | undefined, file: string): void {
  if (other !== undefined)
    throw new SafetensorsError(`${shown(name)} is both in ${other.file} and in ${file}`);
}

/** Names of files by tensor, in the bytes of an index. */
export function filesOfIndex(path: string, bytes: Uint8Array): Map<string, string> {
  const broken = (problem: string, options?: ErrorOptions): SafetensorsError =>
    new SafetensorsError(`${path} is no index of safetensors files: ${problem}`, options);
  let index: unknown;
  try {
    index = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError)
      throw broken(error.message, { cause: error });
    throw error;
  }
  const files = (index as { weight_map?: unknown } | null)?.weight_map;
  if (typeof files !== "object" || files === null || Array.isArray(files))
    throw broken("it has no weight_map");
  const wanted = new Map(Object.entries(files as Record<string, unknown>));
  // A name, not a path: an index must not reach out of its folder.
  for (const [tensor, name] of wanted)
    if (typeof name !== "string" || !/^[^/\\:\p{Cc}]+\.safetensors$/u.test(name))
      throw broken(
        `${shown(tensor)} is in ${typeof name === "string" ? shown(name) : typeof name}, which is not the name of a .safetensors file beside it`,
      );
  return wanted as Map<string, string>;
}

function readBounded(path: string): Uint8Array {
  const file = openFile(path);
  try {
    if (file.size > maxHeaderBytes)
      throw new SafetensorsError(`${path} has ${file.size} bytes; an index has ${maxHeaderBytes} at most`);
    return readFully(path, file, file.size);
  } finally {
    file.close();
  }
}

function openFiles(paths: readonly string[]): TensorSource {
  const files = new Map<string, FileReader>();
  const entries = new Map<string, SourceEntry>();
  const close = (): void => {
    for (const file of files.values()) file.close();
  };
  const headers: SafetensorsHeader[] = [];
  try {
    for (const path of paths) {
      const file = openFile(path);
      files.set(path, file);
      const header = readHeader(path, file);
      headers.push(header);
      for (const [name, entry] of header.tensors) {
        refuseTwice(name, entries.get(name), path);
        entries.set(name, { ...entry, file: path });
      }
    }
  } catch (error) {
    close();
    throw error;
  }
  return {
    entries,
    metadata: agreed(headers.map(({ metadata }) => metadata)),
    // Several files are no checkpoint: each of those is one file.
    intact: headers.length === 1 ? headers[0]!.intact : null,
    read(name, into, fromByte) {
      const entry = entries.get(name);
      if (entry === undefined)
        throw new SafetensorsError(`There is no tensor ${shown(name)} in ${paths.join(", ")}`);
      const count = Math.max(0, Math.min(into.length, entry.end - entry.begin - fromByte));
      const done = files.get(entry.file)!.read(into.subarray(0, count), entry.begin + fromByte);
      if (done < count)
        throw new SafetensorsError(
          `${entry.file} has become shorter since it was opened: ${shown(name)} is cut off`,
        );
      return count;
    },
    close,
  };
}

function readHeader(path: string, file: FileReader): SafetensorsHeader {
  const beginning = readFully(path, file, Math.min(beginningBytes, file.size));
  return explained(path, beginning, () => {
    const length = headerLength(beginning.subarray(0, prefixBytes), file.size);
    return parseHeader(readFully(path, file, prefixBytes + length), file.size);
  });
}

/** Parses a header; an error names the file, and says what it is instead where its first bytes show that. */
export function explained<T>(path: string, beginning: Uint8Array, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof SafetensorsError)) throw error;
    throw new SafetensorsError(foreignFormat(path, beginning) ?? `${path}: ${error.message}`, {
      cause: error,
    });
  }
}

/** The first bytes of a file. */
function readFully(path: string, file: FileReader, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  if (file.read(bytes, 0) < length)
    throw new SafetensorsError(`${path} has become shorter since it was opened`);
  return bytes;
}

/** What all records that have a name say, where they say the same. */
function agreed(records: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const merged: Record<string, string> = Object.create(null);
  const disputed = new Set<string>();
  for (const record of records)
    for (const [key, value] of Object.entries(record)) {
      if (key in merged && merged[key] !== value) disputed.add(key);
      merged[key] = value;
    }
  for (const key of disputed) delete merged[key];
  return merged;
}
