import type { Parameter } from "../../tensor/parameter.ts";
import type { TextModel } from "../text-model.ts";
import type { BestWeights } from "./best-weights.ts";
import type { FitOptions, FitSettings } from "./fit-options.ts";
import type { Objective } from "./objectives/objective.ts";
import type { Rate } from "./rates.ts";

/** What a training is made of, once all of it has been checked. */
export interface RunParts {
  readonly model: TextModel;
  readonly objective: Objective;
  readonly settings: FitSettings;
  readonly options: FitOptions;
  readonly trained: ReadonlyMap<string, Parameter>;
  readonly rates: readonly Rate[];
  readonly best: BestWeights | null;
}
