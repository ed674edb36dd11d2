export { CosineAnnealingLR, CosineAnnealingWarmRestarts } from "./cosine.ts";
export { ExponentialLR, LambdaLR, MultiStepLR, PolynomialLR, StepLR } from "./decay.ts";
export type { RateGroup, SavedRate } from "./rates.ts";
export { LRScheduler, type Schedulable, type SchedulerState } from "./scheduler.ts";
export { SequentialLR } from "./sequential.ts";
export { ConstantLR, LinearLR } from "./warm.ts";
