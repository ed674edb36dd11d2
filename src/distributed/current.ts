import { GroupError } from "../base/errors.ts";
import { settings } from "../base/settings.ts";
import { Alone } from "./alone.ts";
import { crowdText, divideMachine } from "./divide-machine.ts";
import type { Group } from "./group.ts";
import { startedRanks } from "./mpi/library.ts";
import type { MpiEngine } from "./mpi/mpi-engine.ts";
import { meetPlaces } from "./mpi/places.ts";
import { startMpi } from "./mpi/start-mpi.ts";
import { Ranked } from "./ranked.ts";
import { type RankData, rankKey, ThreadsEngine } from "./threads/threads-engine.ts";

let current: Group | null = null;

/**
 * The group that this script was started under: by `thaw run -n 2 script.ts`, or `mpirun -n 2 node script.js`, one of two
 * ranks, and a group of one where it was started plainly, so that the same script runs everywhere. It is the same object each time. Throws `GroupError` in a
 * page, which has no ranks.
 */
export function group(): Group {
  if (current !== null) return current;
  const { process } = globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } };
  const threads = process?.getBuiltinModule?.("node:worker_threads") as
    | { readonly workerData: unknown; readonly isMainThread: boolean }
    | undefined;
  if (threads === undefined)
    throw new GroupError(
      "distributed.group(): a page has no other ranks. Leave group out there, and run the script by thaw run -n 2, in Node.",
    );
  const data = (threads.workerData as { readonly [rankKey]?: RankData } | null)?.[rankKey];
  const { env } = process as unknown as NodeJS.Process;
  const started = startedRanks(env);
  if (data !== undefined) current = new Ranked(new ThreadsEngine(data));
  else if (started !== null && started > 1) {
    if (!threads.isMainThread)
      throw new GroupError(
        "distributed.group(): this is a thread that a rank has started, and MPI knows of processes; ask for the group in the rank's own script",
      );
    current = new Ranked(mpiEngine(started));
  } else current = new Alone();
  return current;
}

/** Milliseconds that a rank which has failed stays for the others to say so. */
const grace = 2000;

function mpiEngine(ranks: number): MpiEngine {
  const { groupTimeout, groupSilence, groupRestarts } = settings;
  const engine = startMpi(ranks, {
    timeout: 1000 * groupTimeout,
    silence: 1000 * groupSilence,
    restarts: groupRestarts,
    grace,
  });
  const { machine, cores, isFirst } = meetPlaces(engine);
  const crowd = isFirst ? crowdText(cores) : null;
  if (crowd !== null) console.error(`thaw: ${crowd}`);
  divideMachine(machine, cores);
  engine.shareCores(cores);
  return engine;
}
