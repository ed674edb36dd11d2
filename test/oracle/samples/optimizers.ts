import { ThawError } from "../../../src/base/errors.ts";
import * as optim from "../../../src/optim/index.ts";
import { Parameter, Tensor } from "../../../src/tensor/index.ts";
import { camel } from "./calls.ts";
import { difference } from "./compare.ts";
import { type Arg, argumentOf, isWritten, PythonFloat, tensorOf, type Written } from "./decode.ts";

/** An optimizer's configuration, and what PyTorch makes of parameters with it. */
export interface OptimizerSample {
  op: string;
  kind: "sample" | "error";
  options: Record<string, Arg>;
  /** Whether all parameters but the first form a group with lr 0.03. */
  groups?: 0 | 1;
  start?: Written[];
  steps?: {
    grads: (Written | null)[];
    params: Written[];
    /** Of each parameter, by PyTorch's names; at the last step. */
    states: Record<string, Arg>[] | null;
  }[];
  message?: string;
}

function optionsOf(written: Record<string, Arg>): Record<string, unknown> {
  const plain = (value: unknown): unknown =>
    value instanceof PythonFloat ? value.value : Array.isArray(value) ? value.map(plain) : value;
  return Object.fromEntries(
    Object.entries(written)
      .filter(([, v]) => v !== null)
      .map(([k, v]) => [camel(k), plain(argumentOf(v, []))]),
  );
}

type Class = new (
  params: unknown,
  options: object,
) => optim.Optimizer<object> & {
  state: { get(p: Parameter): Record<string, number | Tensor> | undefined };
};

/** What is wrong with what an optimizer of thaw does, or null. */
export function optimizerFailureOf(sample: OptimizerSample): string | null {
  try {
    const Optimizer = (optim as unknown as Record<string, Class>)[sample.op];
    if (Optimizer === undefined) return `missing: no optimizer ${sample.op}`;
    return sample.kind === "error" ? refusal(Optimizer, sample) : agreement(Optimizer, sample);
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message.split("\n")[0]}`;
  }
}

function agreement(Optimizer: Class, { op, options, groups, start, steps }: OptimizerSample): string | null {
  // What Muon makes orthogonal is rounded to bf16 whatever the parameter is, and an order of adding decides which way.
  const looseness = ({ t }: Written): number => (op === "Muon" && t === "float64" ? 400 : 4);
  const params = start!.map((written) => new Parameter(tensorOf(written, false)));
  const given = groups === 1 ? [{ params: [params[0]] }, { params: params.slice(1), lr: 0.03 }] : params;
  const optimizer = new Optimizer(given, optionsOf(options));
  for (const [number, { grads, params: wanted, states }] of steps!.entries()) {
    for (const [i, p] of params.entries()) p.grad = grads[i] === null ? null : tensorOf(grads[i]!, false);
    optimizer.step();
    for (const [i, want] of wanted.entries()) {
      const wrong = difference(params[i], want, { loose: looseness(want) });
      if (wrong !== null) return `step ${number + 1}, parameter ${i}: ${wrong}`;
    }
    for (const [i, state] of (states ?? []).entries())
      for (const [name, want] of Object.entries(state)) {
        const wrong = stateDifference(optimizer.state.get(params[i]!)?.[camel(name)], want);
        if (wrong !== null) return `state ${name} of parameter ${i}: ${wrong}`;
      }
  }
  return null;
}

/** PyTorch has numbers of a state as tensors; here they are numbers. */
function stateDifference(got: number | Tensor | undefined, want: Arg): string | null {
  if (got === undefined && want === null) return null;
  if (got instanceof Tensor && isWritten(want)) return difference(got, want, { loose: 4 });
  const read = argumentOf(want, []);
  const wanted = isWritten(want)
    ? tensorOf(want, false).itemSync()
    : read instanceof PythonFloat
      ? read.value
      : read;
  const near =
    typeof got === "number" && Math.abs(got - Number(wanted)) <= 1e-6 + 1e-6 * Math.abs(Number(wanted));
  return near ? null : `${String(got)}, PyTorch's ${String(wanted)}`;
}

function refusal(Optimizer: Class, { options, message }: OptimizerSample): string | null {
  try {
    new Optimizer(
      [new Parameter(tensorOf({ t: "float32", s: [1, 1], d: "AAAAAA" }, false))],
      optionsOf(options),
    );
  } catch (error) {
    if (error instanceof ThawError) return null;
    throw error;
  }
  return `accepted; PyTorch: ${message}`;
}
