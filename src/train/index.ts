export { type Metrics, Progress, type ProgressOptions, type ProgressOutput } from "./progress.ts";
export type { Movement, ParameterReport, Report } from "./report.ts";
export {
  type LossResult,
  type StepResult,
  type TrainStep,
  type TrainStepOptions,
  type Trains,
  trainStep,
} from "./train-step.ts";
