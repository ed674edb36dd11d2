export { type Audit, type AuditEvent, type AuditOptions, audit } from "./audit.ts";
export { type Cause, causes, type Shares } from "./audit-graph.ts";
export type { AuditReport, Leak, ParameterAudit } from "./audit-report.ts";
export type { ExplainedParameter, Explanation, StepCost } from "./explain.ts";
export type { GradientHook, GradientOf } from "./gradient-hook.ts";
export { type Metrics, Progress, type ProgressOptions, type ProgressOutput } from "./progress.ts";
export type { ParameterReport, Report } from "./report.ts";
export type { Movement } from "./start.ts";
export type { StepStateDict } from "./step-state.ts";
export {
  type LossResult,
  type StepResult,
  type TrainStep,
  type TrainStepOptions,
  type Trains,
  trainStep,
} from "./train-step.ts";
export { runTrainer, type TrainerHost, type TrainerModule } from "./trainer/run-trainer.ts";
export { startTrainer, type Trainer, type TrainerOptions } from "./trainer/start-trainer.ts";
export type { TrainerWorker } from "./trainer/thread.ts";
