import * as optim from "thaw/optim";
import type { Parameter } from "thaw/tensor";

/** What tests need of any optimizer. */
export type AnyOptimizer = Pick<
  optim.Optimizer<{ lr: number }>,
  "loadStateDict" | "paramGroups" | "state" | "stateDict" | "step" | "warnOfLeaks" | "zeroGrad"
>;

type Make = new (
  params: Iterable<Parameter> | readonly { params: Parameter[] }[],
  options?: object,
) => AnyOptimizer;

const make =
  (Optimizer: unknown, options: object) =>
  (params: Parameter[], more: object = {}): AnyOptimizer =>
    new (Optimizer as Make)(params, { ...options, ...more });

/** Every optimizer that takes vectors, with options that use as much of its state as there is. */
export const optimizers: Record<string, (params: Parameter[], more?: object) => AnyOptimizer> = {
  SGD: make(optim.SGD, { lr: 0.1, weightDecay: 0.1 }),
  "SGD with momentum": make(optim.SGD, { lr: 0.1, momentum: 0.9, weightDecay: 0.1, nesterov: true }),
  Adam: make(optim.Adam, { lr: 0.1, weightDecay: 0.1, amsgrad: true }),
  AdamW: make(optim.AdamW, { lr: 0.1, weightDecay: 0.1 }),
  Adamax: make(optim.Adamax, { lr: 0.1, weightDecay: 0.1 }),
  NAdam: make(optim.NAdam, { lr: 0.1, weightDecay: 0.1, decoupledWeightDecay: true }),
  RAdam: make(optim.RAdam, { lr: 0.1, weightDecay: 0.1 }),
  RMSprop: make(optim.RMSprop, { lr: 0.1, momentum: 0.9, centered: true, weightDecay: 0.1 }),
  Adagrad: make(optim.Adagrad, { lr: 0.1, lrDecay: 0.1, weightDecay: 0.1, initialAccumulatorValue: 0.1 }),
  Adadelta: make(optim.Adadelta, { lr: 0.1, weightDecay: 0.1 }),
  Rprop: make(optim.Rprop, { lr: 0.1 }),
  ASGD: make(optim.ASGD, { lr: 0.1, t0: 0, weightDecay: 0.1 }),
  Adafactor: make(optim.Adafactor, { lr: 0.1, weightDecay: 0.1, d: 2 }),
};

/** The bits of a parameter and of its state, and the state's numbers. */
export function everythingOf(optimizer: AnyOptimizer, p: Parameter): unknown {
  const state = Object.entries(optimizer.state.get(p) ?? {}).map(([key, value]) => [
    key,
    typeof value === "number" ? value : bits(value.dataSync()),
  ]);
  return { value: bits(p.dataSync()), state };
}

const bits = (data: { buffer: ArrayBufferLike; byteOffset: number; byteLength: number }): string =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex");
