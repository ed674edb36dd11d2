import { type nodeFiles, withFiles } from "./files.ts";
import { createTemporary, takeOver, targetOf } from "./target.ts";

type Fs = ReturnType<typeof nodeFiles>["fs"];

/** A file that is being written, under another name until it is whole. */
export interface Unfinished {
  readonly file: number;
  readonly temporary: string;
  /** What it will be called, and the folder of that. */
  readonly target: string;
  readonly folder: string;
  /** Whether `file` is still open: its number may soon be another file's. */
  open: boolean;
}

/**
 * Writes a file, all of it or nothing: to a temporary file in the same folder, synced, then renamed. Until the rename,
 * whatever stops the program or fills the disk, the file that was there stays as it was. A link stays a link, and the
 * file that it leads to is replaced, with its mode and owner; other hard links to that file keep what was in it. `write`
 * is given what appends bytes, which may be changed once it returns. Throws `FileError`, and whatever `write` throws.
 */
export function writeAtomically(path: string, write: (append: (bytes: Uint8Array) => void) => void): void {
  const unfinished = beginFile(path);
  withFiles(`write ${path}`, ({ fs }) => {
    try {
      write((bytes) => appendTo(fs, unfinished.file, bytes));
      settle(fs, unfinished);
    } catch (error) {
      discard(fs, unfinished);
      throw error;
    }
  });
}

/** As `writeAtomically`, of a text. */
export const writeText = (path: string, text: string): void =>
  writeAtomically(path, (append) => append(new TextEncoder().encode(text)));

/** Makes the temporary file of a write to a path. */
export function beginFile(path: string): Unfinished {
  return withFiles(`write ${path}`, (node) => {
    const target = targetOf(node, path);
    const { file, path: temporary } = createTemporary(node, target);
    const unfinished = {
      file,
      temporary,
      target: target.path,
      folder: node.path.dirname(target.path),
      open: true,
    };
    try {
      takeOver(node, file, target);
    } catch (error) {
      discard(node.fs, unfinished);
      throw error;
    }
    return unfinished;
  });
}

// These are text for another thread too: they use nothing but their arguments.

/** Appends all of some bytes, however few the system takes at a time. */
export function appendTo(fs: Fs, file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; )
    done += fs.writeSync(file, bytes, done, Math.min(2 ** 30, bytes.length - done));
}

/** Has what was written reach the disk, and puts it in its place. */
export function settle(fs: Fs, unfinished: Unfinished): void {
  const { file, temporary, target, folder } = unfinished;
  fs.fsyncSync(file);
  unfinished.open = false;
  fs.closeSync(file);
  fs.renameSync(temporary, target);
  // Windows does not sync folders, and needs not.
  if (process.platform === "win32") return;
  let entry: number | null = null;
  try {
    entry = fs.openSync(folder, "r");
    fs.fsyncSync(entry);
  } catch (error) {
    // The file is in its place; some systems do not sync folders, or do not let this one be read.
    const { code = "" } = error as { code?: string };
    if (!["EINVAL", "ENOTSUP", "EACCES", "EPERM", "EISDIR"].includes(code)) throw error;
  } finally {
    if (entry !== null) fs.closeSync(entry);
  }
}

/** Takes away what is left of a write that has failed. */
export function discard(fs: Fs, { file, temporary, open }: Unfinished): void {
  if (open) fs.closeSync(file);
  fs.rmSync(temporary, { force: true });
}
