import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("program.ts", import.meta.url));

/** What `killInSaves` has seen. */
export interface Kills {
  /** Kills that came between the beginning and the end of a save. */
  inside: number;
  /** Whether each process had the same process id. */
  sameId: boolean;
  /** Names in the folder after the run has come to its end. */
  left: string[];
}

/** A namespace of process ids of its own, where there may be one: its first process always has the same. */
const apart = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--"];
const canBeApart = (): boolean => spawnSync(apart[0]!, [...apart.slice(1), "true"]).status === 0;

/**
 * Has a training run killed so many times inside a save, at random instants, and started again each time; then lets it
 * come to its end. Throws if a start does not load what was saved, or the end is not that of an uninterrupted run.
 */
export async function killInSaves(
  entry: string,
  kills: number,
  tell: (line: string) => void = () => {},
): Promise<Kills> {
  const folder = mkdtempSync(join(tmpdir(), "thaw-kills-"));
  const sameId = canBeApart();
  try {
    const run = (where: string, last: number, way: string): ChildProcess => {
      const [command, ...args] = [...(sameId ? apart : []), process.execPath, "--import", "tsx", program];
      return spawn(command!, [...args, entry, where, String(last), way], {
        stdio: ["ignore", "inherit", "inherit", "pipe"],
      });
    };
    let [inside, saved, duration] = [0, 0, 10];
    for (let start = 0; inside < kills; start++) {
      const seen = await killed(run(join(folder, "killed"), 1e9, start % 2 ? "behind" : "ahead"), duration);
      if (seen.loaded < saved)
        throw new Error(`start ${start} has loaded step ${seen.loaded}, and step ${saved} had been saved`);
      saved = seen.loaded + seen.ended;
      if (seen.duration > 0) duration = seen.duration;
      if (seen.begun > seen.ended) inside++;
      if (start % 20 === 0) tell(`${inside} kills inside a save, at step ${saved}`);
    }
    const last = saved + 5;
    const end = await ended(run(join(folder, "killed"), last, "ahead"));
    const straight = await ended(run(join(folder, "straight"), last, "ahead"));
    if (end !== straight)
      throw new Error(`the end of ${last} steps is ${end}, and uninterrupted ${straight}`);
    return { inside, sameId, left: readdirSync(join(folder, "killed")).sort() };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Seen {
  loaded: number;
  begun: number;
  ended: number;
  /** Milliseconds that a save took; 0 where none ended. */
  duration: number;
}

/** Kills a run in one of its first saves, at a random instant of the time that one takes. */
async function killed(child: ChildProcess, duration: number): Promise<Seen> {
  const seen: Seen = { loaded: -1, begun: 0, ended: 0, duration: 0 };
  const nth = 1 + Math.floor(Math.random() * 3);
  let [text, began, told] = ["", 0, false];
  const pipe = child.stdio[3] as Readable;
  const note = (what: string): void => {
    text += what;
    seen.loaded = Number(/l(\d+) /.exec(text)?.[1] ?? -1);
    seen.begun = text.split("s").length - 1;
    seen.ended = text.split("e").length - 1;
  };
  pipe.on("data", (bytes) => {
    note(String(bytes));
    if (seen.begun > seen.ended && began === 0) began = performance.now();
    if (seen.ended === 1 && seen.duration === 0) seen.duration = performance.now() - began;
    if (seen.begun < nth || told) return;
    told = true;
    // A timer would only know whole milliseconds.
    for (const until = performance.now() + Math.random() * duration; performance.now() < until; );
    child.kill("SIGKILL");
  });
  await new Promise((closed) => pipe.on("close", closed));
  if (!told) throw new Error(`the run ended by itself, having told: ${text}`);
  return seen;
}

/** The hash that a run which is left alone ends with. */
async function ended(child: ChildProcess): Promise<string> {
  let text = "";
  const pipe = child.stdio[3] as Readable;
  pipe.on("data", (bytes) => {
    text += bytes;
  });
  await new Promise((closed) => pipe.on("close", closed));
  const hash = /d([0-9a-f]+) $/.exec(text)?.[1];
  if (hash === undefined)
    throw new Error(`the run has not come to its end, having told: ${text.slice(-200)}`);
  return hash;
}
