import type { ParameterReport, Report } from "../../train/report.ts";
import type { EpochRecord } from "./fit-result.ts";

/** What had become of each parameter at the end of an epoch: a line of `parameters.jsonl`. */
export interface EpochParameters {
  readonly epoch: number;
  readonly step: number;
  readonly parameters: readonly {
    readonly path: string;
    /** How often it had been stepped since the beginning. */
    readonly steps: number;
    /** How far it was from where it began, as an L2 norm; null where nobody knows. */
    readonly moved: number | null;
    /** What became of it while it was frozen, as a report has it. */
    readonly whileFrozen: ParameterReport["whileFrozen"];
  }[];
}

/** What a report says of the parameters, to be written at an epoch's end. */
export const parametersOf = ({ epoch, step }: EpochRecord, { parameters }: Report): EpochParameters => ({
  epoch,
  step,
  parameters: parameters.map(({ path, timesStepped, moved, whileFrozen }) => ({
    path,
    steps: timesStepped,
    moved: moved?.norm ?? null,
    whileFrozen,
  })),
});
