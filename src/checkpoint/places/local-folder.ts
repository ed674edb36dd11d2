import { FileError } from "../../base/errors.ts";
import { baseName, finishWrites, isFolder, joinPath, namesIn, openFile } from "../../base/storage/index.ts";
import { openTensors } from "../open.ts";
import type { Folder } from "./folder.ts";

/** A folder of this machine. */
export function localFolder(path: string): Folder {
  /** Throws `FileError` where there is nothing. */
  const names = (): readonly string[] => {
    try {
      return isFolder(path) ? namesIn(path) : [];
    } catch (error) {
      if (!(error instanceof FileError) || !/\bENOENT\b/.test(error.message)) throw error;
      throw new FileError(`There is no folder ${path}; see whether the path is right`, { cause: error });
    }
  };
  return {
    name: path,
    nameOf: (file) => joinPath(path, file),
    async read(file, mostBytes) {
      if (!names().includes(file)) return null;
      const opened = openFile(joinPath(path, file));
      try {
        if (opened.size > mostBytes)
          throw new FileError(
            `${joinPath(path, file)} has ${opened.size} bytes; ${mostBytes} at most are read`,
          );
        const bytes = new Uint8Array(opened.size);
        opened.read(bytes, 0);
        return bytes;
      } finally {
        opened.close();
      }
    },
    lacks: (file) =>
      isFolder(path)
        ? `There is no ${file} in the folder ${path} (it holds ${few(namesIn(path))})`
        : `${path} is no folder, and has no ${file}`,
    async which(files) {
      const there = names();
      return new Set(files.filter((file) => there.includes(file)));
    },
    isThere: async () => isFolder(path),
    hasWeights: async () => names().includes("model.safetensors"),
    async tensors() {
      finishWrites();
      return openTensors(path);
    },
    folder: (name) => localFolder(joinPath(path, name)),
  };
}

/** The first few of a folder's files. */
const few = (names: readonly string[]): string =>
  names.length === 0
    ? "nothing"
    : names.slice(0, 4).map(baseName).join(", ") + (names.length > 4 ? ", …" : "");
