import { FileError } from "../errors.ts";
import type { FileReader } from "./file-reader.ts";

type Node = typeof process;

/** Node's modules for files; an error that says what to do where there are none. */
export function nodeFiles(what: string) {
  const { getBuiltinModule } = (globalThis as { process?: Partial<Node> }).process ?? {};
  if (getBuiltinModule === undefined)
    throw new FileError(
      `Cannot ${what}: there are no files in a browser. Use the functions that take or give a Uint8Array.`,
    );
  return { fs: getBuiltinModule("node:fs"), path: getBuiltinModule("node:path") };
}

/** Does something with files; a failure names it, with what the system says. */
export function withFiles<T>(what: string, use: (node: ReturnType<typeof nodeFiles>) => T): T {
  const node = nodeFiles(what);
  try {
    return use(node);
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    throw new FileError(`Cannot ${what}: ${error.message}`, { cause: error });
  }
}

/** The path that a place of this machine has; null for an address, for what is in a page's storage, and in a page. */
export function localPath(place: string | URL): string | null {
  const { getBuiltinModule } = (globalThis as { process?: Partial<Node> }).process ?? {};
  if (getBuiltinModule === undefined) return null;
  if (place instanceof URL || place.startsWith("file:"))
    return new URL(place).protocol === "file:" ? getBuiltinModule("node:url").fileURLToPath(place) : null;
  return /^(https?|blob|data|opfs):/i.test(place) ? null : place;
}

/** A path inside a folder. */
export const joinPath = (folder: string, name: string): string =>
  nodeFiles(`name a file in ${folder}`).path.join(folder, name);

/** The folder that a path is in. */
export const folderOf = (path: string): string => nodeFiles(`find the folder of ${path}`).path.dirname(path);

/** All bytes of a file; throws `FileError` where it cannot be read. */
export const readFile = (path: string): Uint8Array =>
  withFiles(`read ${path}`, ({ fs }) => fs.readFileSync(path));

/** Puts bytes in a file, in place of what it held. */
export const writeFile = (path: string, bytes: Uint8Array): void =>
  withFiles(`write ${path}`, ({ fs }) => fs.writeFileSync(path, bytes));

/** Puts bytes behind those that a file has. */
export const appendFile = (path: string, bytes: Uint8Array): void =>
  withFiles(`write ${path}`, ({ fs }) => fs.appendFileSync(path, bytes));

/** Removes a file, if it is there. */
export const removeFile = (path: string): void =>
  withFiles(`remove ${path}`, ({ fs }) => fs.rmSync(path, { force: true }));

const leaving = new Set<string>();
let watching = false;

/** Has files removed when the program ends; gives what takes that back. A program that is killed leaves them. */
export function removeAtExit(paths: readonly string[]): () => void {
  const { fs } = nodeFiles("remove files");
  for (const path of paths) leaving.add(path);
  if (!watching)
    process.once("exit", () => {
      for (const path of leaving)
        try {
          fs.rmSync(path, { force: true });
        } catch {
          // There is nobody left to tell.
        }
    });
  watching = true;
  return () => {
    for (const path of paths) leaving.delete(path);
  };
}

/** Makes a file that only this user may read, in a folder or where the system has temporary ones; gives its path. */
export const temporaryFile = (prefix: string, folder: string | null): string =>
  withFiles(`make a file in ${folder ?? "the system's folder for temporary ones"}`, ({ fs, path }) => {
    const place = folder ?? process.getBuiltinModule("node:os").tmpdir();
    const at = path.join(place, `${prefix}-${crypto.randomUUID()}.bin`);
    fs.writeFileSync(at, "", { flag: "wx", mode: 0o600 });
    return at;
  });

/** Whether a path is a folder; throws `FileError` where there is nothing. */
export const isFolder = (path: string): boolean =>
  withFiles(`read ${path}`, ({ fs }) => fs.statSync(path).isDirectory());

/** The names of what is in a folder, sorted. */
export const namesIn = (folder: string): string[] =>
  withFiles(`read ${folder}`, ({ fs }) => fs.readdirSync(folder).sort());

/** The most that one call reads: the system's limit is a little below 2 GiB. */
const maxRead = 2 ** 30;

/** Opens a file to be read by position; throws `FileError` where it is none. */
export function openFile(path: string): FileReader {
  return withFiles(`read ${path}`, ({ fs }) => {
    // Before it is opened: opening a pipe waits for somebody to write.
    if (!fs.statSync(path).isFile()) throw new FileError(`Cannot read ${path}: it is not a file`);
    const file = fs.openSync(path, "r");
    let open = true;
    return {
      size: fs.fstatSync(file).size,
      read: (into, from) =>
        withFiles(`read ${path}`, () => {
          let done = 0;
          while (done < into.length) {
            const count = fs.readSync(file, into, done, Math.min(maxRead, into.length - done), from + done);
            if (count === 0) break;
            done += count;
          }
          return done;
        }),
      close() {
        if (open) fs.closeSync(file);
        open = false;
      },
    };
  });
}

/** The last name in a path. */
export const baseName = (path: string): string => nodeFiles(`name ${path}`).path.basename(path);

/** A text that is another one as soon as a file has been written to, or another file is in its place. */
export const fileVersion = (path: string): string =>
  withFiles(`read ${path}`, ({ fs }) => {
    const { dev, ino, size, mtimeNs, ctimeNs } = fs.statSync(path, { bigint: true });
    return [path, dev, ino, size, mtimeNs, ctimeNs].join(":");
  });

/** How many bytes a file has, and when it was written to, in milliseconds; null where there is none. */
export const fileFacts = (path: string): { size: number; modified: number } | null =>
  withFiles(`read ${path}`, ({ fs }) => {
    const found = fs.statSync(path, { throwIfNoEntry: false });
    return found === undefined ? null : { size: found.size, modified: found.mtimeMs };
  });

/** Whether two paths lead to one file that is there. */
export const samePlace = (a: string, b: string): boolean =>
  withFiles(`read ${a}`, ({ fs }) => {
    const [one, other] = [a, b].map((path) => fs.statSync(path, { throwIfNoEntry: false }));
    return one !== undefined && other !== undefined && one.dev === other.dev && one.ino === other.ino;
  });

/** Makes a folder, and those that it is in, where they are not there. */
export const makeFolder = (path: string): void =>
  withFiles(`make the folder ${path}`, ({ fs }) => void fs.mkdirSync(path, { recursive: true }));

/** Whether a path is a file, and no link to one. */
export const isPlainFile = (path: string): boolean =>
  withFiles(`read ${path}`, ({ fs }) => fs.lstatSync(path, { throwIfNoEntry: false })?.isFile() ?? false);
