import { BackendError, FileError } from "../../base/errors.ts";
import { printable } from "../../base/printable.ts";
import { settings } from "../../base/settings.ts";
import { node } from "./node.ts";

/** Where compiled kernels are kept: what `THAW_CACHE` names, or the usual place. */
export const cachePlace = (): string => {
  const { os, path } = node();
  return path.resolve(
    settings.cache ?? path.join(settings.xdgCache ?? path.join(os.homedir(), ".cache"), "thaw"),
  );
};

/** Why a folder or file cannot be trusted: somebody else could have written it; null: nobody could. */
export function distrust(place: string): string | null {
  const { fs } = node();
  const stats = fs.lstatSync(place);
  if (stats.isSymbolicLink()) return "it is a link";
  const user = process.getuid?.();
  if (user !== undefined && stats.uid !== user) return `it belongs to user ${stats.uid}, not to ${user}`;
  if ((stats.mode & 0o022) !== 0) return `others may write to it (mode ${(stats.mode & 0o777).toString(8)})`;
  return null;
}

/** Makes a private folder, or sees that the one that is there is private and can be written to. */
function prepare(folder: string): void {
  const { fs, path } = node();
  fs.mkdirSync(path.dirname(folder), { recursive: true });
  try {
    fs.mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const why = distrust(folder);
  if (why !== null) throw new FileError(why);
  fs.accessSync(folder, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
}

/** A folder for this process alone, which goes with it; throws `BackendError` where there can be none. */
export function temporaryFolder(): string {
  const { fs, os, path } = node();
  let folder: string;
  try {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "thaw-kernels-"));
  } catch (error) {
    throw new BackendError(`native: kernels can be written nowhere: ${(error as Error).message}`, {
      cause: error,
    });
  }
  process.once("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Gives a file another name, or copies it where file systems have no such thing. */
export function linkOrCopy(file: string, other: string): void {
  const { fs } = node();
  try {
    fs.linkSync(file, other);
  } catch {
    fs.copyFileSync(file, other);
  }
}

/**
 * The folder of compiled kernels. Where the usual one cannot be used, one for this process alone takes its place, with a
 * warning; if that cannot be had either, its error is thrown.
 */
export function cacheFolder(): string {
  const folder = cachePlace();
  try {
    prepare(folder);
    return folder;
  } catch (error) {
    const temporary = temporaryFolder();
    console.warn(
      printable(
        `thaw: compiled kernels are not kept: ${folder} cannot be used (${(error as Error).message}). ` +
          "Remove it, or name another with THAW_CACHE.",
      ),
    );
    return temporary;
  }
}
