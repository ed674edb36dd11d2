export { group } from "./current.ts";
export type { Sent } from "./engine.ts";
export type { Group } from "./group.ts";
export { type MpiRunOptions, runMpi } from "./mpi/run-mpi.ts";
export {
  type RankFailure,
  type RanksOptions,
  type RunningRanks,
  startRanks,
} from "./threads/start-ranks.ts";
