import { FileError, SafetensorsError } from "../../base/errors.ts";
import { joinBytes } from "../../base/join-bytes.ts";
import { arrivingTensors } from "../arriving-tensors.ts";
import { foreignFormat } from "../foreign.ts";
import { filesOfIndex, joinSources } from "../open.ts";
import { maxHeaderBytes } from "../safetensors-header.ts";
import { usualNames } from "../usual-names.ts";
import { type Absent, type Arriving, ArrivingReader, watched } from "./arriving.ts";
import type { Folder } from "./folder.ts";
import { progressOf, type Transfer } from "./place.ts";

/** What a folder is whose files come one after the other. */
interface Opening {
  readonly name: string;
  readonly transfer: Transfer;
  nameOf(file: string): string;
  /** Opens a file in it, or of no name what the folder itself is; or says why it is not there. */
  open(file: string): Promise<Arriving | Absent>;
}

const isAbsent = (found: Arriving | Absent): found is Absent => "absent" in found;

/** A folder at an address, or in the storage of a page. Its files are asked for by their names, as it has no list. */
export function arrivingFolder(opening: Opening): Folder {
  const { name, transfer, nameOf, open } = opening;
  const absent = new Map<string, string>();
  /** Small files, which are asked for more than once. */
  const small = new Map<string, Promise<Uint8Array | null>>();

  async function opened(file: string): Promise<Arriving | null> {
    const found = await open(file);
    if (!isAbsent(found)) return found;
    absent.set(file, found.absent);
    return null;
  }

  async function readSmall(file: string, mostBytes: number): Promise<Uint8Array | null> {
    const found = await opened(file);
    if (found === null) return null;
    const what = nameOf(file);
    const tooMany = (bytes: string) =>
      new FileError(`${what} has ${bytes} bytes; ${mostBytes} at most are read`);
    const reader = new ArrivingReader(watched(`load ${what}`, found, transferOf(transfer)));
    try {
      if (found.size !== null && found.size > mostBytes) throw tooMany(String(found.size));
      const parts: Uint8Array[] = [];
      const length = await reader.each(mostBytes + 1, (part) => void parts.push(part));
      if (length > mostBytes) throw tooMany(`more than ${mostBytes}`);
      const bytes = joinBytes(parts);
      // Servers of pages answer with one whatever is asked for.
      if (!isPage(bytes)) return bytes;
      absent.set(file, "what came is a page of HTML");
      return null;
    } finally {
      await reader.close();
    }
  }

  const read = (file: string, mostBytes: number): Promise<Uint8Array | null> => {
    const found = small.get(file) ?? readSmall(file, mostBytes);
    small.set(file, found);
    return found;
  };

  /** The tensors of one of several files, or null where it is not there. `done` bytes came before. */
  async function tensorsOf(file: string, told: Transfer) {
    const found = await opened(file);
    if (found === null) return null;
    const what = nameOf(file);
    return arrivingTensors(what, watched(`load ${what}`, found, told));
  }

  async function tensorsOfIndex(index: string, bytes: Uint8Array) {
    const files = filesOfIndex(nameOf(index), bytes);
    const sources = [];
    const told = inAll(transfer);
    try {
      for (const file of new Set(files.values())) {
        const source = await tensorsOf(file, told);
        if (source === null) throw new SafetensorsError(`${nameOf(index)} names ${file}; ${sayAbsent(file)}`);
        sources.push(source);
      }
      return joinSources(nameOf(index), files, nameOf, sources);
    } catch (error) {
      for (const source of sources) source.close();
      throw error;
    }
  }

  const sayAbsent = (file: string): string =>
    `there is no ${file} at ${name} (${absent.get(file) ?? "it was not asked for"})`;

  return {
    name,
    nameOf,
    read,
    lacks: (file) => `T${sayAbsent(file).slice(1)}`,
    async which(files) {
      const found = await Promise.all(files.map(async (file) => ((await read(file, 2 ** 26)) ? [file] : [])));
      return new Set(found.flat());
    },
    isThere: async () => (await read("config.json", 2 ** 26)) !== null,
    async hasWeights() {
      const found = await opened("model.safetensors");
      if (found !== null) await new ArrivingReader(found).close();
      return found !== null;
    },
    async tensors() {
      if (name.split(/[?#]/)[0]!.endsWith(".safetensors")) {
        const source = await tensorsOf("", transfer);
        if (source !== null) return source;
        throw new FileError(`Cannot load ${name}: ${absent.get("")}`);
      }
      for (const file of usualNames) {
        if (file.endsWith(".json")) {
          const bytes = await read(file, maxHeaderBytes);
          if (bytes !== null) return tensorsOfIndex(file, bytes);
          continue;
        }
        const source = await tensorsOf(file, transfer);
        if (source !== null) return source;
      }
      throw new SafetensorsError(
        `There is no .safetensors file at ${name}: for ${usualNames[0]}, ${absent.get(usualNames[0]!)}`,
      );
    },
    folder: (inner) =>
      arrivingFolder({
        name: nameOf(inner),
        transfer,
        nameOf: (file) => nameOf(`${inner}/${file}`),
        open: (file) => open(`${inner}/${file}`),
      }),
  };
}

const isPage = (bytes: Uint8Array): boolean => foreignFormat("", bytes)?.includes("HTML") ?? false;

/** Small files do not count: progress is that of weights. */
const transferOf = ({ signal }: Transfer): Transfer => (signal === undefined ? {} : { signal });

/** Progress of several files as that of one, whose size is not known. */
function inAll(transfer: Transfer): Transfer {
  const { onProgress } = transfer;
  if (onProgress === undefined) return transfer;
  const progress = progressOf(transfer, null);
  let [before, current] = [0, 0];
  return {
    ...transferOf(transfer),
    onProgress({ loaded }) {
      if (loaded < current) before += current;
      current = loaded;
      progress(before + loaded);
    },
  };
}
