import { nodeFiles, withFiles } from "./files.ts";

let nextTemporary = 1;

/**
 * Writes a file, all of it or nothing: to a temporary file in the same folder, synced, then renamed. Until the rename,
 * whatever stops the program or fills the disk, the file that was there stays as it was. `write` is given what appends
 * bytes, which may be changed once it returns. Throws `FileError`, and whatever `write` throws.
 */
export function writeAtomically(path: string, write: (append: (bytes: Uint8Array) => void) => void): void {
  withFiles(`write ${path}`, (node) => {
    const { fs } = node;
    // A link stays a link, to a new file.
    const target = fs.existsSync(path) ? fs.realpathSync(path) : path;
    const temporary = `${target}.${process.pid}-${nextTemporary++}.tmp`;
    const file = fs.openSync(temporary, "wx");
    let open = true;
    try {
      write((bytes) => append(file, bytes));
      fs.fsyncSync(file);
      fs.closeSync(file);
      open = false;
      fs.renameSync(temporary, target);
    } catch (error) {
      if (open) fs.closeSync(file);
      fs.rmSync(temporary, { force: true });
      throw error;
    }
    syncFolder(node, target);
  });
}

function append(file: number, bytes: Uint8Array): void {
  const { fs } = nodeFiles("write");
  for (let done = 0; done < bytes.length; )
    done += fs.writeSync(file, bytes, done, Math.min(2 ** 30, bytes.length - done));
}

/** Has the folder keep its new entry through a power cut; Windows has no such thing, and needs none. */
function syncFolder({ fs, path }: ReturnType<typeof nodeFiles>, target: string): void {
  if (process.platform === "win32") return;
  const folder = fs.openSync(path.dirname(target), "r");
  try {
    fs.fsyncSync(folder);
  } finally {
    fs.closeSync(folder);
  }
}
