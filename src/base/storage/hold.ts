import { LockError } from "../errors.ts";
import { type nodeFiles, removeAtExit, withFiles } from "./files.ts";

type Fs = ReturnType<typeof nodeFiles>["fs"];

/** Which process holds a file. */
interface Holder {
  readonly pid: number;
  /** When it was started, as its system counts: a later process may have the same number. Null where that is not known. */
  readonly started: string | null;
  /** The machine that it runs on. */
  readonly host: string;
}

/**
 * Makes a file that says that this process has something in use, and gives what ends that. One of a process that has died,
 * on this machine, is taken over. Throws `LockError` where another has it.
 */
export function holdFile(path: string, what: string): () => void {
  return withFiles(`write ${path}`, ({ fs }) => {
    const own = holderOf(fs, process.pid);
    // A few times, as others may take it over too, and end.
    for (let tries = 0; tries < 5; tries++) {
      if (wasMade(fs, path, own)) return releaseOf(fs, path);
      const text = textOf(fs, path);
      if (text === null) continue;
      const holder = parsed(text);
      if (holder === null || !isDead(fs, holder, own)) throw inUse(path, what, holder);
      takeAway(fs, path, text);
    }
    throw inUse(path, what, null);
  });
}

/** A name in the same folder that nobody else takes. */
const besides = (path: string): string => `${path}.${process.pid}-${Math.random().toString(36).slice(2)}`;

function releaseOf(fs: Fs, path: string): () => void {
  const forget = removeAtExit([path]);
  return () => {
    forget();
    fs.rmSync(path, { force: true });
  };
}

function wasMade(fs: Fs, path: string, own: Holder): boolean {
  try {
    // With its text in it from the first, so that nobody reads half of it.
    const draft = besides(path);
    fs.writeFileSync(draft, JSON.stringify(own));
    try {
      fs.linkSync(draft, path);
    } finally {
      fs.rmSync(draft, { force: true });
    }
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === "EEXIST") return false;
    throw error;
  }
}

function textOf(fs: Fs, path: string): string | null {
  try {
    return fs.readFileSync(path, "utf8");
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return null;
    throw error;
  }
}

function parsed(text: string): Holder | null {
  try {
    const holder = JSON.parse(text) as Holder;
    return Number.isInteger(holder.pid) ? holder : null;
  } catch {
    return null;
  }
}

/** Takes a dead process's file away, unless it has become another's in the meantime. */
function takeAway(fs: Fs, path: string, text: string): void {
  const aside = besides(path);
  try {
    fs.renameSync(path, aside);
    if (fs.readFileSync(aside, "utf8") !== text) fs.linkSync(aside, path);
    fs.rmSync(aside, { force: true });
  } catch (error) {
    if (!["ENOENT", "EEXIST"].includes((error as { code?: string }).code ?? "")) throw error;
  }
}

function holderOf(fs: Fs, pid: number): Holder {
  return { pid, started: startOf(fs, pid), host: process.getBuiltinModule("node:os").hostname() };
}

/** When a process was started, where the system has a file that says so. */
function startOf(fs: Fs, pid: number): string | null {
  try {
    const text = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
    // Its name, which may have anything in it, ends with the last parenthesis; the time is the 20th field behind it.
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}

/** Whether a process on this machine is no longer there. */
function isDead(fs: Fs, { pid, started, host }: Holder, own: Holder): boolean {
  if (host !== own.host) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as { code?: string }).code === "ESRCH";
  }
  const now = startOf(fs, pid);
  return started !== null && now !== null && now !== started;
}

const inUse = (path: string, what: string, holder: Holder | null): LockError =>
  new LockError(
    `${what} is in use${holder === null ? "" : ` by the process ${holder.pid} on ${holder.host}`}: ${path} says so. Wait for it to end, or give another folder; if it is gone, remove that file.`,
  );
