import { FileError } from "../errors.ts";
import type { nodeFiles } from "./files.ts";

type Node = ReturnType<typeof nodeFiles>;

/** The file that a write to a path puts another in place of. */
export interface Target {
  /** Where it is, once links have been followed. */
  readonly path: string;
  /** What of the file that is there stays as it is; null: there is none yet. */
  readonly replaced: { readonly mode: number; readonly uid: number; readonly gid: number } | null;
}

/** Links that are followed, as many as Linux follows. */
const maxLinks = 40;

/**
 * Finds the file that is meant by a path, as opening it for writing would: links are followed, also one to a file that
 * is not there yet. Throws `FileError` for what is there and is no regular file, or is protected from being written: to
 * rename another file over it would do what no write does.
 */
export function targetOf({ fs, path: paths }: Node, path: string): Target {
  const refuse = (problem: string): FileError => new FileError(`Cannot write ${path}: ${problem}`);
  if (path === "") throw refuse("it is no name; give the path of a file");
  if (/[/\\]$/.test(path) && path.endsWith(paths.sep))
    throw refuse("it names a folder; give the path of a file");
  let at = paths.resolve(path);
  for (let links = 0; ; links++) {
    // What a link says is relative to where it really is.
    at = paths.join(fs.realpathSync(paths.dirname(at)), paths.basename(at));
    const found = fs.lstatSync(at, { throwIfNoEntry: false });
    if (found === undefined) return { path: at, replaced: null };
    if (!found.isSymbolicLink()) {
      if (!found.isFile())
        throw refuse(
          `${at === path ? "it" : at} is ${kindOf(found)}, which a file would take the place of; give the path of a file`,
        );
      fs.accessSync(at, fs.constants.W_OK);
      return { path: at, replaced: found };
    }
    if (links === maxLinks) throw refuse("its links lead to each other and to no file");
    at = paths.resolve(paths.dirname(at), fs.readlinkSync(at));
  }
}

function kindOf(found: { isDirectory(): boolean; isFIFO(): boolean; isSocket(): boolean }): string {
  if (found.isDirectory()) return "a folder";
  if (found.isFIFO()) return "a pipe";
  return found.isSocket() ? "a socket" : "a device";
}

/** Names that are tried before it is given up: each is free unless a random number of 64 bits came twice. */
const tries = 100;
/** Bytes of a target's name in that of its temporary file: a name has 255 at most. */
const maxBase = 200;

/** What the names of temporary files end with. */
export const temporaryEnd = /\.thaw-[0-9a-f]{16}\.tmp$/;

/** Makes a new file beside a target, that nobody can read who could not read the file it is to replace. */
export function createTemporary(
  { fs, path: paths }: Node,
  { path, replaced }: Target,
): { file: number; path: string } {
  const name = paths.basename(path);
  const base =
    new TextEncoder().encode(name).length > maxBase ? [...name].slice(0, maxBase / 4).join("") : name;
  for (let left = tries; ; left--) {
    const random = crypto.getRandomValues(new Uint8Array(8));
    const end = [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const temporary = paths.join(paths.dirname(path), `${base}.thaw-${end}.tmp`);
    try {
      const file = fs.openSync(temporary, "wx", replaced === null ? 0o666 : 0o600);
      return { file, path: temporary };
    } catch (error) {
      // Another name is tried, whoever has this one: it may be in use.
      if ((error as { code?: string }).code !== "EEXIST" || left === 1) throw error;
    }
  }
}

/** Gives a temporary file the owner and the mode of what it replaces; throws `FileError` where that is not allowed. */
export function takeOver({ fs }: Node, file: number, { path, replaced }: Target): void {
  if (replaced === null || process.platform === "win32") return;
  const { mode, uid, gid } = replaced;
  const own = fs.fstatSync(file);
  if (own.uid !== uid || own.gid !== gid)
    try {
      fs.fchownSync(file, uid, gid);
    } catch (cause) {
      throw new FileError(
        `Cannot write ${path}: it belongs to user ${uid} and group ${gid}, in whose name this process may not make a file. Save it under another name, or remove it first.`,
        { cause },
      );
    }
  // After the owner: a change of that takes bits of the mode away.
  fs.fchmodSync(file, mode & 0o7777);
}
