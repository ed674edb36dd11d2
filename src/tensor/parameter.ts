import { bumpEpoch, Cell } from "../engine/cell.ts";
import { Resident } from "../engine/trace.ts";
import { type Node, node } from "../ir/node.ts";
import { Tensor } from "./tensor.ts";

/** A tensor that lives in the engine's memory and is overwritten in place. */
abstract class Stored extends Tensor {
  /** Where the value is; `assign` overwrites it at the next step. */
  readonly resident: Resident;

  constructor(initial: Tensor) {
    const resident = new Resident(initial.dtype, initial.shape);
    super(resident.node);
    this.resident = resident;
    resident.assign(node("detach", [initial.node], {}));
    bumpEpoch();
  }

  /** Overwrites the value, in program order. */
  assign(value: Tensor | Node): void {
    const next = value instanceof Tensor ? value.node : value;
    this.resident.assign(next.tracked ? node("detach", [next], {}) : next);
  }
}

/** A tensor that is trained: what optimizers update and freezing holds still. */
export class Parameter extends Stored {
  #requiresGrad: Cell<boolean>;
  #frozen = new Cell(false);
  #gradient: Tensor | null = null;
  #hasGradient = new Cell(false);
  #variable: Node<"variable"> | null = null;

  constructor(initial: Tensor, { requiresGrad = true } = {}) {
    super(initial);
    this.#requiresGrad = new Cell(requiresGrad);
  }

  override get node(): Node {
    const value = this.resident.node;
    if (!this.requiresGrad) return value;
    if (this.#variable?.src[0] !== value) this.#variable = node("variable", [value], { owner: this }, true);
    return this.#variable!;
  }
  override set node(value: Node) {
    this.assign(value);
  }

  /** Whether `backward` leaves a gradient here; as in PyTorch, false stops autograd and nothing else. */
  override get requiresGrad(): boolean {
    return this.#requiresGrad.value && !this.#frozen.value;
  }
  override set requiresGrad(value: boolean) {
    this.#requiresGrad.value = value;
  }

  /** Frozen: no gradient, and no optimizer moves it by a bit, nor its state. */
  get frozen(): boolean {
    return this.#frozen.value;
  }
  set frozen(value: boolean) {
    this.#frozen.value = value;
  }

  override get grad(): Tensor | null {
    return this.#hasGradient.value ? this.#gradient : null;
  }
  override set grad(value: Tensor | null) {
    this.#gradient = value;
    this.#hasGradient.value = value !== null;
  }
}

/** A tensor that a module keeps beside its parameters, such as running statistics: saved, never trained. */
export class Buffer extends Stored {
  /** Whether it is part of the state dict. */
  readonly persistent: boolean;

  constructor(initial: Tensor, { persistent = true } = {}) {
    super(initial);
    this.persistent = persistent;
  }

  override get node(): Node {
    return this.resident.node;
  }
  override set node(value: Node) {
    this.assign(value);
  }
}
