import { type DType, dtypes, isFloat, readElement, type TypedArray } from "../base/dtype.ts";
import {
  CaptureError,
  DTypeError,
  GradientError,
  ShapeError,
  StaleTensorError,
  type ThawError,
} from "../base/errors.ts";
import { type Shape, sameShape, shapeText, sizeOf } from "../base/shape.ts";
import { yielding } from "../base/yielding.ts";
import { realize, storageOf } from "../engine/realize.ts";
import { presentStorage } from "../engine/storage.ts";
import {
  currentTrace,
  type Holder,
  hostNode,
  noteBackward,
  notePending,
  refuseWhileRecording,
  storedLeaf,
  type Trace,
  withTrace,
} from "../engine/trace.ts";
import { cast } from "../ir/build.ts";
import { isGradEnabled, isOp, type Node, node, withGrad } from "../ir/node.ts";
import { constantOf } from "../ir/simplify-builder.ts";
import * as kind from "./argument-kinds.ts";
import { Computed, type GradientOptions, gradientsOf } from "./autograd.ts";
import { formatTensor } from "./format.ts";
import { methodSignatures } from "./method-signatures.ts";
import { operandOf, optionalOperand, type Scalar } from "./methods/base.ts";
import { InPlaceMethods } from "./methods/in-place.ts";
import { type Nested, nested } from "./nested.ts";
import * as ops from "./operations/elementwise.ts";
import { noteGradient } from "./recorded-gradients.ts";
import { checked, checkMethods, type Signature, takes } from "./signature.ts";

/**
 * A lazy, immutable array: an operation on it checks shapes and dtypes at once and notes what to compute; values are
 * computed when one is read or an optimizer steps. Methods are PyTorch's, in camelCase; those that PyTorch does in
 * place (`add_`) make this object stand for the new value, and change no other.
 */
export class Tensor extends InPlaceMethods<Tensor> implements Holder {
  /** Whether the next step computes this value although something consumes it; see `keep`. */
  kept = false;
  /** Why it has no value, where an index it depends on was out of range. */
  failed: ThawError | null = null;
  #node: Node;
  #trace: Trace;
  #grad: Tensor | null = null;
  #isGradient = false;

  /** Wraps a node of a graph; use `tensor`, `zeros` and the like to make tensors of data. */
  constructor(node: Node) {
    super();
    this.#node = node;
    this.#trace = currentTrace();
    if (!lasting(node)) notePending(this);
  }

  /** The node of the graph that this tensor stands for. */
  get node(): Node {
    if (this.failed !== null) throw this.failed;
    const trace = currentTrace();
    if (this.#trace !== trace) this.#cross(trace);
    return this.#node;
  }

  /** Puts another value in its place; the engine's way to say that it has been computed. */
  set node(next: Node) {
    const before = this.#node;
    if (!before.tracked || isOp(next, "variable")) this.#node = next;
    // A leaf stays a leaf; what was made of others keeps its history for a gradient that may still come.
    else {
      const owner = isOp(before, "variable") ? before.attrs.owner : new Computed(before);
      this.#node = node("variable", [next], { owner }, true);
    }
  }

  protected override wrap(node: Node): Tensor {
    return new Tensor(node);
  }
  protected override leaf(node: Node, requiresGrad: boolean): Tensor {
    return new Tensor(node).requiresGrad_(requiresGrad);
  }
  protected override valuesFor(op: string, x: Tensor): TypedArray {
    if (currentTrace().recording)
      throw new CaptureError(
        `${op}: the shape of its result depends on values, which are not known while a function is captured. ` +
          "Do it outside and pass the result in, or use where(), maskedFill() or topk()",
      );
    return x.dataSync();
  }

  /** A pending value comes from another trace: one that has ended is gone, an outer one is computed there. */
  #cross(trace: Trace): void {
    if (this.#isGradient && trace.recording)
      throw new CaptureError(
        "A gradient from before a captured function is used inside it, where a replay would find another. " +
          "Call zeroGrad() and backward() inside the captured function.",
      );
    if (lasting(this.#node)) return;
    if (!this.#trace.open)
      throw new StaleTensorError(
        `A tensor of shape ${shapeText(this.#node.shape)} was made inside a captured function and is gone with it. ` +
          "Return it from the captured function, or make it outside.",
      );
    if (trace.recording && !this.#trace.recording) withTrace(this.#trace, () => realize(this));
  }

  get shape(): Shape {
    return this.#node.shape;
  }
  get dtype(): DType {
    return this.#node.dtype;
  }
  /** Number of dimensions. */
  get ndim(): number {
    return this.shape.length;
  }
  /** Number of elements. */
  get numel(): number {
    return sizeOf(this.shape);
  }
  /** The size of a dimension, negative ones counted from the end; without one, the shape. */
  size(): Shape;
  size(dim: number): number;
  size(dim?: number): Shape | number {
    if (dim === undefined) return this.shape;
    const size = this.shape.at(dim);
    if (size === undefined)
      throw new ShapeError(`size: dimension ${dim} of a tensor of shape ${shapeText(this.shape)}`);
    return size;
  }

  // Autograd.

  /** Whether a gradient flows to or through this tensor; settable on leaves. */
  get requiresGrad(): boolean {
    return this.#node.tracked;
  }
  set requiresGrad(value: boolean) {
    const n = this.node;
    if (n.tracked === value) return;
    if (!this.isLeaf)
      throw new GradientError(
        "requiresGrad: this tensor is computed from others; only leaves can be set. Call detach() to cut it off.",
      );
    if (value) refuseIntegerGradient(n.dtype);
    this.#node = value ? node("variable", [n], { owner: this }, true) : n.src[0]!;
  }
  /** Sets `requiresGrad`, and returns this. */
  requiresGrad_(value = true): this {
    this.requiresGrad = value;
    return this;
  }
  /** Whether it is not computed from anything that requires a gradient. */
  get isLeaf(): boolean {
    return !this.#node.tracked || (isOp(this.#node, "variable") && this.#node.attrs.owner === this);
  }

  /** The gradient that `backward` left here, or null. */
  get grad(): Tensor | null {
    if (this.#grad !== null && !this.#grad.alive) this.grad = null;
    return this.#grad;
  }
  set grad(value: Tensor | null) {
    if (value !== null && !sameShape(value.shape, this.shape))
      throw new ShapeError(
        `grad: a gradient of shape ${shapeText(value.shape)} for a tensor of shape ${shapeText(this.shape)}`,
      );
    this.#grad = value;
    noteGradient(this);
  }
  /** Whether it has a value: false once the captured function it was made in has ended. */
  get alive(): boolean {
    return this.#trace.open || lasting(this.#node);
  }

  /**
   * Adds the gradients of this tensor to `grad` of every leaf it depends on. A tensor of more than one element needs
   * a gradient of its own shape to start from.
   */
  backward(gradient?: Tensor, options: GradientOptions = {}): void {
    const wants = (owner: object): boolean => owner instanceof Tensor && owner.collectsGrad;
    const found = gradientsOf("backward", this.node, gradient?.node, wants, options);
    for (const [owner, g] of found) (owner as Tensor).#accumulate(g, options.createGraph ?? false);
    noteBackward();
  }

  /** Whether `backward` leaves a gradient here. */
  protected get collectsGrad(): boolean {
    return true;
  }

  #accumulate(g: Node, createGraph: boolean): void {
    const before = this.grad;
    const value = cast(g, this.dtype);
    // What a gradient of zeros is added to it replaces: a sum with zero has a kernel of its own, and differs by the sign
    // of a zero at most.
    const sum =
      before === null || constantOf(before.node) === 0
        ? value
        : withGrad(createGraph, () => cast(ops.add(before.node, value), this.dtype));
    const grad = new Tensor(sum);
    grad.#isGradient = true;
    // A gradient must survive the step that consumes it, unless the step is a recorded one.
    grad.kept = !currentTrace().recording;
    this.grad = grad;
  }

  /** The same value, cut off from autograd. */
  detach(): Tensor {
    return new Tensor(node("detach", [this.node], {}));
  }

  /** Cuts this off from autograd, and returns it. */
  detach_(): this {
    if (this.isLeaf) this.requiresGrad = false;
    else this.place(node("detach", [this.node], {}));
    return this;
  }

  /** The same value as a tensor of its own, which it stays whatever becomes of this one. A gradient flows through. */
  clone(): Tensor {
    return new Tensor(isGradEnabled() ? this.node : node("detach", [this.node], {})).keep();
  }

  // Values.

  /**
   * Has the next step compute this value too, so that it can still be read when what it is made of has changed. Gives
   * this; what is overwritten in place itself (a parameter, a buffer, an optimizer's state) gives a clone.
   */
  keep(): Tensor {
    this.kept = true;
    const leaf = storedLeaf(this.#node);
    if (leaf === null || currentTrace().recording) return this;
    const storage = presentStorage(leaf);
    // What is stored in place is copied now: a write would not ask who still means the value of before.
    if (storage.resident) this.node = hostNode(storage.read(), leaf.dtype, leaf.shape);
    return this;
  }

  /** The elements in row-major order, as they are now (bf16 and f16 as f32, bool as 0 and 1). */
  data(): Promise<TypedArray> {
    // Thrown, not a promise that nobody awaits there.
    refuseWhileRecording("data()");
    return yielding(() => {
      const raw = storageOf(this).readLater();
      return ArrayBuffer.isView(raw) ? this.#widened(raw) : raw.then((bits) => this.#widened(bits));
    });
  }
  /** As `data`, at once. */
  dataSync(): TypedArray {
    refuseWhileRecording("data()");
    return this.#widened(storageOf(this).read());
  }
  #widened(raw: TypedArray): TypedArray {
    const { dtype } = this;
    return dtype === "bf16" || dtype === "f16"
      ? Float32Array.from(raw, (_, i) => readElement(dtype, raw, i))
      : raw;
  }

  /** The one element of a one-element tensor, as it is now: a boolean if it is bool. */
  item(): Promise<number | boolean> {
    refuseWhileRecording("item()");
    return yielding(() => this.itemSync());
  }
  /** As `item`, at once. */
  itemSync(): number | boolean {
    if (sizeOf(this.shape) !== 1)
      throw new ShapeError(
        `item: the tensor has shape ${shapeText(this.shape)}, not one element; use data() or toArray()`,
      );
    refuseWhileRecording("item()");
    const value = storageOf(this).at(0);
    return this.dtype === "bool" ? value !== 0 : value;
  }

  /** The elements as nested arrays, a scalar as a number. */
  toArray(): Promise<Nested> {
    refuseWhileRecording("toArray()");
    return yielding(() => this.toArraySync());
  }
  /** As `toArray`, at once. */
  toArraySync(): Nested {
    return nested(this.dataSync(), this.shape, this.dtype);
  }

  /** The value as PyTorch prints it; inside a captured function, what is known without it. */
  override toString(): string {
    const { shape, dtype } = this;
    if (currentTrace().recording || !this.alive)
      return `tensor(shape=${shapeText(shape)}, dtype=${dtypes[dtype].torch})`;
    const suffix = this.requiresGrad
      ? this.isLeaf
        ? "requires_grad=True"
        : `grad_fn=<${this.#gradFn()}>`
      : "";
    return formatTensor(this.dataSync(), shape, dtype, suffix);
  }
  /** Prints the value. */
  async print(): Promise<void> {
    console.log(this.toString());
  }
  /** What Node's console shows. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  // In place, in PyTorch's sense: this object stands for the new value; no other tensor changes.

  /** this += alpha · other. */
  add_(other: Tensor | Scalar, { alpha = 1 }: { alpha?: Scalar } = {}): this {
    return this.assign_("add_", ops.add(this.node, operandOf(other), operandOf(alpha)));
  }
  /** this −= alpha · other. */
  sub_(other: Tensor | Scalar, { alpha = 1 }: { alpha?: Scalar } = {}): this {
    return this.assign_("sub_", ops.sub(this.node, operandOf(other), operandOf(alpha)));
  }
  /** this *= other. */
  mul_(other: Tensor | Scalar): this {
    return this.assign_("mul_", ops.mul(this.node, operandOf(other)));
  }
  /** this /= other. */
  div_(other: Tensor | Scalar): this {
    return this.assign_("div_", ops.div(this.node, operandOf(other)));
  }
  /** Clamps this to a range. */
  clamp_({ min, max }: { min?: Scalar; max?: Scalar }): this {
    return this.assign_("clamp_", ops.clamp(this.node, optionalOperand(min), optionalOperand(max)));
  }
  /** All zeros. */
  zero_(): this {
    return this.fill_(0);
  }
  /** One value everywhere. */
  fill_(value: number | boolean): this {
    return this.assign_("fill_", ops.full(this.shape, value, this.dtype, "fill_"));
  }
  /** The values of another tensor, broadcast and cast. */
  copy_(other: Tensor): this {
    return this.assign_("copy_", ops.like(other.node, this.shape, this.dtype, "copy_"));
  }

  /** Makes this stand for a new value of its shape and dtype. */
  protected override assign_(op: string, value: Node): this {
    if (!sameShape(value.shape, this.shape))
      throw new ShapeError(
        `${op}: the result has shape ${shapeText(value.shape)}, this tensor ${shapeText(this.shape)}`,
      );
    return this.become_(op, value);
  }

  /** Makes this stand for a new value of its dtype and any shape. */
  protected override become_(op: string, value: Node): this {
    const [from, to] = [value.dtype, this.dtype];
    if ((isFloat(from) && !isFloat(to)) || (from !== "bool" && to === "bool"))
      throw new DTypeError(`${op}: a result of ${from} does not fit this tensor of ${to}; cast it first`);
    if (this.isLeaf && this.requiresGrad && isGradEnabled())
      throw new GradientError(
        `${op}: in place on a leaf that requires a gradient; do it inside noGrad(), or on a tensor made from it`,
      );
    this.place(cast(value, this.dtype));
    return this;
  }

  protected place(value: Node): void {
    if (currentTrace().recording && this.#trace !== currentTrace())
      throw new CaptureError(
        "A tensor made outside a captured function is changed inside it, which a replay would not do again. " +
          "Make it a Buffer or a Parameter.",
      );
    this.#node =
      this.isLeaf && this.requiresGrad
        ? node("variable", [node("detach", [value], {})], { owner: this }, true)
        : value;
    if (!lasting(value)) notePending(this);
  }

  #gradFn(): string {
    const n = this.#node;
    const made = isOp(n, "variable") && n.attrs.owner instanceof Computed ? n.attrs.owner.history : n;
    return `${made.op[0]!.toUpperCase()}${made.op.slice(1)}Backward0`;
  }
}

type MethodName = keyof {
  [K in keyof Tensor as Tensor[K] extends (...args: never[]) => unknown ? K & string : never]: K;
};
checkMethods(Tensor.prototype, methodSignatures satisfies { readonly [K in MethodName]: Signature });

/** Whether a node's value cannot be lost: it is stored, or a constant. */
const lasting = (n: Node): boolean => storedLeaf(n) !== null;

/** Throws for a dtype that cannot require a gradient. */
export function refuseIntegerGradient(dtype: DType): void {
  if (!isFloat(dtype))
    throw new DTypeError(
      `requiresGrad: only floating-point tensors can require a gradient, this one is ${dtype}; cast it first`,
    );
}

/** The gradients of `of` with respect to leaves, without touching their `grad`; null where it does not depend on one. */
export const gradient = checked(
  "gradient",
  takes(
    { of: kind.tensor, leaves: kind.tensors },
    { gradient: kind.nullable(kind.tensor), createGraph: kind.boolean },
  ),
  gradientOf,
);

function gradientOf(
  of: Tensor,
  leaves: readonly Tensor[],
  options: GradientOptions & { gradient?: Tensor } = {},
): (Tensor | null)[] {
  for (const leaf of leaves)
    if (!leaf.isLeaf || !leaf.requiresGrad)
      throw new GradientError(
        "gradient: a tensor to differentiate by must be a leaf with requiresGrad = true; make it so before it is used",
      );
  const wanted = new Set<object>(leaves);
  const found = gradientsOf(
    "gradient",
    of.node,
    options.gradient?.node,
    (owner) => wanted.has(owner),
    options,
  );
  const gradients = leaves.map((leaf) => {
    const g = found.get(leaf);
    return g === undefined ? null : new Tensor(cast(g, leaf.dtype));
  });
  noteBackward();
  return gradients;
}
