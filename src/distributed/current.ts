import { GroupError } from "../base/errors.ts";
import { Alone } from "./alone.ts";
import type { Group } from "./group.ts";
import { Ranked } from "./ranked.ts";
import { type RankData, rankKey, ThreadsEngine } from "./threads/threads-engine.ts";

let current: Group | null = null;

/**
 * The group that this script was started under: by `thaw run -n 2 script.ts` one of two ranks, and a group of one where it
 * was started plainly, so that the same script runs everywhere. It is the same object each time. Throws `GroupError` in a
 * page, which has no ranks.
 */
export function group(): Group {
  if (current !== null) return current;
  const { process } = globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } };
  const threads = process?.getBuiltinModule?.("node:worker_threads") as
    | { readonly workerData: unknown }
    | undefined;
  if (threads === undefined)
    throw new GroupError(
      "distributed.group(): a page has no other ranks. Leave group out there, and run the script by thaw run -n 2, in Node.",
    );
  const data = (threads.workerData as { readonly [rankKey]?: RankData } | null)?.[rankKey];
  current = data === undefined ? new Alone() : new Ranked(new ThreadsEngine(data));
  return current;
}
