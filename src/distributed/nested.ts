import { GroupError } from "../base/errors.ts";
import { startedRanks } from "./mpi/library.ts";
import { rankKey } from "./threads/threads-engine.ts";

/** Throws `GroupError` where this is a rank already: `what` would start ranks. */
export function groupsDoNotNest(what: string): void {
  const { workerData } = process.getBuiltinModule("node:worker_threads");
  const isThread = (workerData as { readonly [rankKey]?: object } | null)?.[rankKey] !== undefined;
  if (isThread || (startedRanks(process.env) ?? 1) > 1)
    throw new GroupError(
      `${what}: this is a rank itself, and groups do not nest; start all ranks at once, by thaw run -n or mpirun -n`,
    );
}
