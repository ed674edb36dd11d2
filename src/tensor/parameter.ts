import { ArgumentError, ShapeError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { Cell } from "../engine/cell.ts";
import { type Node, node } from "../ir/node.ts";
import { movesFrozen } from "./moving-frozen.ts";
import { noteGradient } from "./recorded-gradients.ts";
import type { Region } from "./region.ts";
import { Stored } from "./stored.ts";
import { refuseIntegerGradient, Tensor } from "./tensor.ts";

/**
 * A tensor that is trained: what optimizers update and freezing holds still.
 *
 * Takes the `initial` value, a tensor of any shape and dtype, which is copied; gives a tensor that is overwritten in
 * place. `requiresGrad` is true unless given.
 * Throws `DTypeError` for integers that are to require a gradient, `CaptureError` inside a captured function.
 * Source: `torch.nn.Parameter`.
 * Example: `new nn.Parameter(zeros([3]), { requiresGrad: false }).add(1)`.
 */
export class Parameter extends Stored {
  readonly #requiresGrad = new Cell(true);
  readonly #hasGrad = new Cell(false);
  #grad: Tensor | null = null;
  #variable: Node<"variable"> | null = null;

  /** A parameter with the value of a tensor. */
  constructor(initial: Tensor, options: { requiresGrad?: boolean } = {}) {
    refuseOptions("Parameter", options, { requiresGrad: null });
    const { requiresGrad = true } = options;
    super(initial);
    this.requiresGrad = requiresGrad;
  }

  override get node(): Node {
    if (this.standIn !== null) return this.standIn.node;
    const value = this.resident.node;
    if (!this.requiresGrad || this.frozen) return value;
    if (this.#variable === null || this.#variable.src[0] !== value)
      this.#variable = node("variable", [value], { owner: this }, true);
    return this.#variable;
  }
  override set node(computed: Node) {
    super.node = computed;
  }

  /** Whether autograd reaches it; as in PyTorch, false stops autograd and nothing else. */
  override get requiresGrad(): boolean {
    return this.#requiresGrad.value;
  }
  override set requiresGrad(value: boolean) {
    if (value) refuseIntegerGradient(this.dtype);
    this.#requiresGrad.value = value;
  }
  override get isLeaf(): boolean {
    return true;
  }

  /**
   * What of a region (null: of all of it) can be trained now: what is not frozen of it, or, in an update of what ranks
   * have agreed on, all of it.
   */
  trainable(region: Region | null): Region | null | "none" {
    return movesFrozen() ? region : this.notFrozen(region);
  }

  // A gradient that is on its way when the parameter is frozen is not left either.
  protected override get collectsGrad(): boolean {
    return !this.frozen;
  }

  override get grad(): Tensor | null {
    if (this.#grad !== null && !this.#grad.alive) this.grad = null;
    return this.#hasGrad.value ? this.#grad : null;
  }
  override set grad(value: Tensor | null) {
    if (value !== null && !(value instanceof Tensor))
      throw new ArgumentError(
        `grad: ${typeof value} for ${this.label || "a parameter"}; a gradient is a tensor, or null where there is none`,
      );
    if (value !== null && !sameShape(value.shape, this.shape))
      throw new ShapeError(
        `grad: a gradient of shape ${shapeText(value.shape)} for ${this.label || "a parameter"} of shape ${shapeText(this.shape)}`,
      );
    this.#grad = value;
    this.#hasGrad.value = value !== null;
    noteGradient(this);
  }
}
