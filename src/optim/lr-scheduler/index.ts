export { CosineAnnealingLR, CosineAnnealingWarmRestarts } from "./cosine.ts";
export { ExponentialLR, LambdaLR, MultiStepLR, PolynomialLR, StepLR } from "./decay.ts";
export { LRScheduler, type RateGroup, type Schedulable, type SchedulerState } from "./scheduler.ts";
export { SequentialLR } from "./sequential.ts";
export { ConstantLR, LinearLR } from "./warm.ts";
