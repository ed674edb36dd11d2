import { ArgumentError } from "../../base/errors.ts";
import {
  GELU,
  type Layer,
  LayerNorm,
  Linear,
  Module,
  ReLU,
  Sigmoid,
  SiLU,
  Softmax,
  Tanh,
} from "../../nn/index.ts";
import * as optim from "../../optim/index.ts";
import { type Parameter, type Tensor, tensor } from "../../tensor/index.ts";
import type { ModuleSpec, OptimizerSpec, ReplayCase } from "./case.ts";

/** A layer from its description. */
function makeLayer({ type, ...options }: ModuleSpec): Layer {
  switch (type) {
    case "Linear":
      return new Linear(options.inFeatures as number, options.outFeatures as number, {
        bias: options.bias as boolean,
      });
    case "LayerNorm":
      return new LayerNorm(options.normalizedShape as number[]);
    case "Softmax":
      return new Softmax({ dim: options.dim as number });
    case "Sigmoid":
      return new Sigmoid();
    case "Tanh":
      return new Tanh();
    case "ReLU":
      return new ReLU();
    case "GELU":
      return new GELU();
    case "SiLU":
      return new SiLU();
    default:
      throw new ArgumentError(
        `replay: a module of type ${type}; known are Linear, LayerNorm, Softmax, Sigmoid, Tanh, ReLU, GELU, SiLU`,
      );
  }
}

/** The network of a case: its layers are fields of their names, each task goes through some of them in order. */
export class ReplayNetwork extends Module {
  readonly #tasks: ReplayCase["tasks"];

  constructor({ modules, tasks, parameters }: Pick<ReplayCase, "modules" | "tasks" | "parameters">) {
    super();
    this.#tasks = tasks;
    for (const [name, spec] of Object.entries(modules)) Object.assign(this, { [name]: makeLayer(spec) });
    this.loadStateDict(
      Object.fromEntries(Object.entries(parameters).map(([path, value]) => [path, tensor(value)])),
    );
  }

  forward(x: Tensor, task: string): Tensor {
    const layers = this.#tasks[task];
    if (layers === undefined)
      throw new ArgumentError(`replay: a step of task ${task}, which the case does not describe`);
    return layers.reduce(
      (value, name) => (this as unknown as Record<string, Layer>)[name]!.forward(value),
      x,
    );
  }
}

const optimizers = {
  SGD: optim.SGD,
  Adam: optim.Adam,
  AdamW: optim.AdamW,
  Adamax: optim.Adamax,
  NAdam: optim.NAdam,
  RAdam: optim.RAdam,
  RMSprop: optim.RMSprop,
  Adagrad: optim.Adagrad,
  Adadelta: optim.Adadelta,
  Rprop: optim.Rprop,
  ASGD: optim.ASGD,
  Adafactor: optim.Adafactor,
  Muon: optim.Muon,
};

/** Any optimizer, seen from a replay. */
export type ReplayOptimizer = Pick<
  optim.Optimizer<{ lr: number }>,
  "state" | "step" | "warnOfLeaks" | "zeroGrad"
>;

type Make = new (groups: { params: Parameter[] }[], options: object) => ReplayOptimizer;

/** The optimizer of a case: a group of what no other names, then the others. */
export function makeOptimizer(
  { name, options, groups = [] }: OptimizerSpec,
  parameters: ReadonlyMap<string, Parameter>,
): ReplayOptimizer {
  const Optimizer = (optimizers as unknown as Record<string, Make>)[name];
  if (Optimizer === undefined)
    throw new ArgumentError(`replay: an optimizer ${name}; known are ${Object.keys(optimizers).join(", ")}`);
  const grouped = new Set(groups.flatMap((group) => group.parameters));
  const rest = [...parameters].filter(([path]) => !grouped.has(path)).map(([, p]) => p);
  const own = groups.map((group) => ({
    params: group.parameters.map((path) => parameters.get(path)!),
    ...group.options,
  }));
  return new Optimizer(
    [{ params: rest }, ...own].filter(({ params }) => params.length > 0),
    options,
  );
}
