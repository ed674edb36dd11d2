import { BackendError, FileError } from "../../base/errors.ts";
import { printable } from "../../base/printable.ts";
import { settings } from "../../base/settings.ts";
import { node } from "./node.ts";

/** The user's own folder, as the environment has it or else the system; null where neither names one. */
function homeFolder(): string | null {
  const { os, path } = node();
  for (const find of [() => os.homedir(), () => os.userInfo().homedir])
    try {
      // An empty or relative HOME would mean wherever the program happens to be run.
      const folder = find();
      if (path.isAbsolute(folder)) return folder;
    } catch {
      // A user of whom the system has no entry, as in many containers.
    }
  return null;
}

/**
 * Where compiled kernels are kept: what `THAW_CACHE` names, or the usual place; null where there is none. A relative
 * `XDG_CACHE_HOME` counts as none, as its specification has it.
 */
export function cachePlace(): string | null {
  const { path } = node();
  const { cache, xdgCache } = settings;
  if (cache !== undefined) return path.resolve(cache);
  if (xdgCache !== undefined && path.isAbsolute(xdgCache)) return path.join(xdgCache, "thaw");
  const home = homeFolder();
  return home === null ? null : path.join(home, ".cache", "thaw");
}

/** Why a folder or file cannot be trusted: somebody else could have written it; null: nobody could. */
export function distrust(place: string): string | null {
  const { fs } = node();
  const stats = fs.lstatSync(place);
  if (stats.isSymbolicLink()) return "it is a link";
  const user = process.getuid?.();
  // What belongs to the system's administrator nobody else could have written either: an image's own kernels, say.
  if (user !== undefined && stats.uid !== user && stats.uid !== 0)
    return `it belongs to user ${stats.uid}, not to ${user}`;
  if ((stats.mode & 0o022) !== 0) return `others may write to it (mode ${(stats.mode & 0o777).toString(8)})`;
  return null;
}

/** Makes a private folder, or sees that the one that is there is private; whether it can be written to shows later. */
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
  fs.accessSync(folder, fs.constants.R_OK | fs.constants.X_OK);
}

/** Where folders for a while are made, the best first: the system's place, and on Linux one that is in memory. */
export function temporaryPlaces(): string[] {
  const { fs, os } = node();
  return [
    os.tmpdir(),
    ...["/dev/shm", "/var/tmp"].filter((place) => place !== os.tmpdir() && fs.existsSync(place)),
  ];
}

/** A folder for this process alone, which goes with it; throws `BackendError` where there can be none. */
export function temporaryFolder(place = temporaryPlaces()[0]!): string {
  const { fs, path } = node();
  let folder: string;
  try {
    folder = fs.mkdtempSync(path.join(place, "thaw-kernels-"));
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
  if (folder === null) {
    console.warn(
      "thaw: compiled kernels are not kept: HOME names no folder, and neither does the system. Name one with THAW_CACHE.",
    );
    return temporaryFolder();
  }
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
