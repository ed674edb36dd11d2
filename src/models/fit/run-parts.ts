import type { Tensor } from "../../tensor/tensor.ts";
import type { TextModel } from "../text-model.ts";
import type { BestWeights } from "./best-weights.ts";
import type { Entry } from "./entry.ts";
import type { FitOptions, FitSettings } from "./fit-options.ts";
import type { Objective } from "./objectives/objective.ts";
import type { Phases } from "./phases/phases.ts";
import type { RunLength } from "./run-length.ts";

/** What a training is made of, once all of it has been checked. */
export interface RunParts {
  readonly model: TextModel<Tensor>;
  readonly objective: Objective;
  readonly entry: Entry;
  readonly settings: FitSettings;
  readonly options: FitOptions;
  readonly length: RunLength;
  readonly phases: Phases;
  readonly best: BestWeights | null;
}
