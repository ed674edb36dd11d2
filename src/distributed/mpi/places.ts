import { GroupError } from "../../base/errors.ts";
import { hashBytes } from "../../base/hash.ts";
import type { Engine } from "../engine.ts";
import { gatherTexts } from "../gather-texts.ts";

/** What a rank shares with others. */
export interface Shared {
  /** Ranks on this machine. */
  readonly machine: number;
  /** Ranks that may run on the same cores: fewer, where what has started them gives each cores of its own. */
  readonly cores: number;
  /** Whether this is the first rank of its machine. */
  readonly isFirst: boolean;
}

/** Where a process runs, and what. */
interface Place {
  readonly machine: string;
  /** The cores that the system lets it run on, as text. */
  readonly cores: string;
  /** The script, and a hash of it; both empty where there is none. */
  readonly script: string;
  readonly hash: string;
}

function ownPlace(): Place {
  const { readFileSync } = process.getBuiltinModule("node:fs");
  const { hostname } = process.getBuiltinModule("node:os");
  const script = process.argv[1] ?? "";
  let [cores, hash] = ["", ""];
  try {
    hash = hashBytes(readFileSync(script));
  } catch {
    // Given as text, by an option of Node's.
  }
  try {
    cores = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
  } catch {
    // Not Linux: then nothing gives processes cores of their own either.
  }
  return { machine: hostname(), cores, script, hash };
}

/**
 * Has ranks tell each other where they run: every kind of MPI, and of what starts it, says that in another way, or not.
 * Throws `GroupError` on all of them where their scripts differ, as of a machine that has an older copy.
 */
export function meetPlaces(engine: Engine): Shared {
  const own = ownPlace();
  const places = gatherTexts(engine, "the start", JSON.stringify(own)).map(
    (text) => JSON.parse(text) as Place,
  );
  const first = places[0]!;
  const other = places.findIndex(({ hash }) => hash !== first.hash);
  if (other >= 0)
    throw new GroupError(
      `Ranks run different scripts: ${first.script} on rank 0 (${first.machine}) is not ${places[other]!.script} on rank ${other} (${places[other]!.machine}). ` +
        "Start one script on all ranks, and have the same files on all machines.",
    );
  const here = places.filter(({ machine }) => machine === own.machine);
  return {
    machine: here.length,
    cores: here.filter(({ cores }) => cores === own.cores).length,
    isFirst: places.findIndex(({ machine }) => machine === own.machine) === engine.rank,
  };
}
