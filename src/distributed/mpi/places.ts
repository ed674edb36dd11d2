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

/** Where this process runs: its machine, and the cores of it that the system gives it, as text. */
function ownPlace(): readonly [machine: string, cores: string] {
  const { readFileSync } = process.getBuiltinModule("node:fs");
  const { hostname } = process.getBuiltinModule("node:os");
  let cores = "";
  try {
    cores = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
  } catch {
    // Not Linux: then nothing gives processes cores of their own either.
  }
  return [hostname(), cores];
}

/** Has ranks tell each other where they run. Every kind of MPI, and of what starts it, says that in another way, or not. */
export function meetPlaces(engine: Engine): Shared {
  const own = ownPlace();
  const places = gatherTexts(engine, "the start", JSON.stringify(own)).map(
    (text) => JSON.parse(text) as [machine: string, cores: string],
  );
  const here = places.filter(([machine]) => machine === own[0]);
  return {
    machine: here.length,
    cores: here.filter(([, cores]) => cores === own[1]).length,
    isFirst: places.findIndex(([machine]) => machine === own[0]) === engine.rank,
  };
}
