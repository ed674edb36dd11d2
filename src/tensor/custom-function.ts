import { type DType, isFloat } from "../base/dtype.ts";
import { ArgumentError, DTypeError, GradientError, ShapeError } from "../base/errors.ts";
import { disown, isPromiseLike } from "../base/promise.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { currentTrace, type Trace } from "../engine/trace.ts";
import { cast, filled } from "../ir/build.ts";
import { isGradEnabled, type Node, node, withGrad } from "../ir/node.ts";
import { described } from "./argument-kinds.ts";
import { computeDtype } from "./operations/promote.ts";
import { Tensor } from "./tensor.ts";

/** What a function with a gradient of its own keeps from `forward` for `backward`. */
export class FunctionContext<A extends readonly unknown[] = readonly unknown[]> {
  /** The arguments, as `forward` was called with them: those that are no tensors are found here too. */
  readonly inputs: A;
  /**
   * For each argument, whether its gradient is of use. In `backward` that is told by what is being differentiated: false
   * where it would only lead to what is frozen, also where `requiresGrad` is true.
   */
  readonly needsInputGrad: readonly boolean[];
  #saved: readonly Tensor[] | (() => readonly Tensor[]) = [];
  #withoutGradient: readonly Tensor[] = [];
  #materializes = true;

  constructor(inputs: A, needsInputGrad: readonly boolean[], saved: () => readonly Tensor[] = () => []) {
    this.inputs = inputs;
    this.needsInputGrad = needsInputGrad;
    this.#saved = saved;
  }

  /** Keeps tensors for `backward`: inputs, results, or what was made on the way; those of an earlier call are let go of. */
  saveForBackward(...tensors: Tensor[]): void {
    for (const [i, t] of tensors.entries())
      if (!(t instanceof Tensor))
        throw new ArgumentError(
          `saveForBackward: argument ${i} is ${described(t)}; it takes tensors. What else backward needs is in ctx.inputs.`,
        );
    this.#saved = tensors;
  }
  /** The tensors that were kept, in their order. */
  get savedTensors(): readonly Tensor[] {
    if (typeof this.#saved === "function") this.#saved = this.#saved();
    return this.#saved;
  }

  /** Says that no gradient flows through some results. Integers need not be named: none does. */
  markNonDifferentiable(...results: Tensor[]): void {
    this.#withoutGradient = results;
  }
  /** Results that no gradient flows through. */
  get nonDifferentiable(): readonly Tensor[] {
    return this.#withoutGradient;
  }

  /** Whether `backward` is given zeros where a result has no gradient (the default), or null. */
  setMaterializeGrads(value: boolean): void {
    this.#materializes = value;
  }
  get materializesGrads(): boolean {
    return this.#materializes;
  }
}

/** What `backward` is given: the gradient of each result. */
export type ResultGradients<R> = R extends Tensor
  ? [gradient: Tensor]
  : R extends readonly unknown[]
    ? { [I in keyof R]: Tensor }
    : never;

/** What `backward` gives: a gradient for each argument, or null; of the only argument, also by itself. */
export type InputGradients = Tensor | null | readonly (Tensor | null | undefined)[];

type Forward<A extends unknown[], R> = (ctx: FunctionContext<A>, ...inputs: A) => R;
type Backward<A extends unknown[], R> = (
  ctx: FunctionContext<A>,
  ...gradients: ResultGradients<R>
) => InputGradients;

const customized = new WeakSet<Trace>();

/**
 * Whether a function with a gradient of its own has been called in the trace that operations go to: what its backward
 * pass does may change without a trace in the graph of the forward pass.
 */
export const hasCustomGradients = (): boolean => customized.has(currentTrace());

/**
 * A function with a gradient of its own: `forward` computes its value, outside of autograd, and `backward` makes the
 * gradients of the arguments from those of the results.
 *
 * `forward` is given a context and the arguments, tensors (any shape and dtype) or else, and gives a tensor or an array
 * of them. `backward` is given the context, with `inputs`, `savedTensors` and `needsInputGrad`, and one gradient for each
 * result, of its shape, in the dtype that it computes in (f32 for bf16 and f16). It gives one gradient for each argument,
 * of the argument's shape and dtype, or null: none. What is made of tensor operations can be differentiated again; so are
 * inputs and results among the saved tensors, as in PyTorch, and what was made on the way counts as constant.
 *
 * Throws `ArgumentError` where `forward` gives no tensor; and, when gradients are made, `GradientError` for a wrong count
 * or a gradient of what is no tensor, `ShapeError` and `DTypeError` for a gradient of another shape or dtype.
 * Source: `torch.autograd.Function`. Example, a straight-through estimator, which rounds and lets the gradient through as if
 * it had not: `customFunction((ctx, x: Tensor) => x.round(), (ctx, gradient) => gradient)(ones([3]))`.
 */
export function customFunction<A extends unknown[], R extends Tensor | readonly unknown[]>(
  forward: Forward<A, R>,
  backward: Backward<A, R>,
): (...inputs: A) => R {
  for (const [name, fn] of Object.entries({ forward, backward }))
    if (typeof fn !== "function")
      throw new ArgumentError(`customFunction: ${name} is ${described(fn)}; it must be a function`);
  return (...inputs) => {
    const tracked = (x: unknown): boolean => isGradEnabled() && x instanceof Tensor && x.requiresGrad;
    const ctx = new FunctionContext(inputs, inputs.map(tracked));
    const operands = inputs.flatMap((x) => (x instanceof Tensor ? [x.node] : []));
    const result = withGrad(false, () => forward(ctx, ...inputs));
    const results = resultsOf(result);
    const values = results.map((r) => (r instanceof Tensor ? r.node : null));
    if (!ctx.needsInputGrad.includes(true)) return rebuilt(result, results.map(cutOff));
    const call = new Call(ctx, operands, values, backward as never);
    const hub = node("custom", operands, { call });
    const given = results.map((r, index) => {
      const value = values[index]!;
      if (value === null) return r;
      if (!isFloat(value.dtype) || ctx.nonDifferentiable.includes(r as Tensor)) return cutOff(r);
      return new Tensor((call.results[index] = node("customResult", [value, hub], { index })));
    });
    customized.add(currentTrace());
    return rebuilt(result, given);
  };
}

function resultsOf(result: unknown): readonly unknown[] {
  if (isPromiseLike(result)) {
    disown(result);
    throw new ArgumentError("customFunction: forward gave a promise; it must give its result at once");
  }
  const results: readonly unknown[] = Array.isArray(result) ? result : [result];
  if (!results.some((r) => r instanceof Tensor))
    throw new ArgumentError(
      `customFunction: forward gave ${described(result)}; it must give a tensor, or an array with tensors in it`,
    );
  return results;
}

const rebuilt = <R>(result: R, given: readonly unknown[]): R =>
  (Array.isArray(result) ? given : given[0]) as R;

const cutOff = (r: unknown): unknown => (r instanceof Tensor && r.requiresGrad ? r.detach() : r);

type AnyBackward = (ctx: FunctionContext, ...gradients: (Tensor | null)[]) => unknown;

/** One call, with what its gradients are made of. */
class Call {
  readonly #ctx: FunctionContext;
  /** Of the arguments that are tensors, what they were then: a tensor may stand for something else later. */
  readonly #operands: readonly Node[];
  /** What `forward` gave; null where that is no tensor. */
  readonly #values: readonly (Node | null)[];
  /** What was saved. */
  readonly #saved: readonly Node[];
  readonly #backward: AnyBackward;
  /** The same as what they are outside, where gradients flow through them. */
  readonly results: Node[] = [];

  constructor(
    ctx: FunctionContext,
    operands: readonly Node[],
    values: readonly (Node | null)[],
    backward: AnyBackward,
  ) {
    this.#ctx = ctx;
    this.#operands = operands;
    this.#values = values;
    this.#saved = ctx.savedTensors.map((t) => t.node);
    this.#backward = backward;
  }

  gradients(
    given: readonly (Node | null)[],
    wanted: readonly boolean[],
    seen: (n: Node) => Node,
  ): readonly (Node | null)[] {
    const { inputs, materializesGrads } = this.#ctx;
    const ctx = new FunctionContext(
      this.#ofOperands(
        (n, i) => tensorOf(seen(n), inputs[i]),
        (x) => x,
      ),
      this.#ofOperands(
        (_, __, at) => wanted[at]!,
        () => false,
      ),
      () => this.#saved.map((n) => tensorOf(seen(this.#outside(n)), undefined)),
    );
    const gradients = this.#values.map((value, i) => {
      const g = given[i] ?? null;
      if (g !== null) return new Tensor(g);
      return materializesGrads && value !== null ? new Tensor(zerosFor(value)) : null;
    });
    return asTemporary(() => this.#checked(this.#backward(ctx, ...gradients), wanted));
  }

  /** For each argument, something of its node, with its place among all and among the tensors; of the others, something else. */
  #ofOperands<T>(of: (n: Node, i: number, at: number) => T, other: (x: unknown) => T): T[] {
    let at = 0;
    return this.#ctx.inputs.map((x, i) =>
      x instanceof Tensor ? of(this.#operands[at]!, i, at++) : other(x),
    );
  }

  /** A saved node, or the result outside that has its value: its gradient is that of the function. */
  #outside(n: Node): Node {
    const result = this.#values.indexOf(n);
    return (result < 0 ? undefined : this.results[result]) ?? n;
  }

  #checked(result: unknown, wanted: readonly boolean[]): (Node | null)[] {
    const { inputs } = this.#ctx;
    if (isPromiseLike(result)) {
      disown(result);
      throw new ArgumentError("customFunction: backward gave a promise; it must give the gradients at once");
    }
    const list: readonly unknown[] = Array.isArray(result) ? result : [result];
    if (list.length < inputs.length || list.slice(inputs.length).some((g) => !isNone(g)))
      throw new GradientError(
        `customFunction: backward gave ${list.length} gradient${list.length === 1 ? "" : "s"} for ${inputs.length} ` +
          `argument${inputs.length === 1 ? "" : "s"}; give one for each, null where there is none`,
      );
    const misplaced = inputs.findIndex((x, i) => !(x instanceof Tensor) && !isNone(list[i]));
    if (misplaced >= 0)
      throw new GradientError(
        `customFunction: backward gave a gradient for argument ${misplaced}, which is ${described(inputs[misplaced])} and no tensor; give null`,
      );
    return this.#ofOperands<Node | null>(
      (n, i, at) => (wanted[at]! && !isNone(list[i]) ? gradientFor(n, list[i], i) : null),
      () => null,
    ).filter((_, i) => inputs[i] instanceof Tensor);
  }
}

const isNone = (g: unknown): g is null | undefined => g === null || g === undefined;

const tensorOf = (n: Node, own: unknown): Tensor =>
  own instanceof Tensor && own.node === n ? own : new Tensor(n);

const zerosFor = ({ shape, dtype }: Node): Node =>
  filled(0, shape, isFloat(dtype) ? computeDtype(dtype) : "f32");

/** A gradient of an argument, in the dtype that the argument computes in. */
function gradientFor(x: Node, g: unknown, i: number): Node {
  if (!(g instanceof Tensor))
    throw new GradientError(
      `customFunction: backward gave ${described(g)} as the gradient of argument ${i}; give a tensor, or null`,
    );
  if (!sameShape(g.shape, x.shape))
    throw new ShapeError(
      `customFunction: backward gave a gradient of shape ${shapeText(g.shape)} for argument ${i} of shape ${shapeText(x.shape)}; ` +
        "sum over what was broadcast, or reshape",
    );
  const computed: DType = computeDtype(x.dtype);
  if (g.dtype !== computed && g.dtype !== x.dtype)
    throw new DTypeError(
      `customFunction: backward gave a gradient of ${g.dtype} for argument ${i} of ${x.dtype}; cast it with to("${x.dtype}")`,
    );
  return cast(g.node, computed);
}

/** Runs `fn` and lets go of the tensors that it makes: what is not kept is no value that a step has to compute. */
function asTemporary<T>(fn: () => T): T {
  const trace = currentTrace();
  const { pending } = trace;
  const count = pending.length;
  try {
    return fn();
  } finally {
    // Where it has read a value, what was pending has been sorted out already.
    if (trace.pending === pending) pending.push(...pending.splice(count).filter(({ kept }) => kept));
  }
}
