import type { DType, TypedArray } from "../base/dtype.ts";
import { CaptureError, DTypeError, ShapeError } from "../base/errors.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { bumpEpoch, Cell, noteSurroundings } from "../engine/cell.ts";
import { currentTrace, Resident } from "../engine/trace.ts";
import { type Node, node, withGrad } from "../ir/node.ts";
import type { Region } from "./region.ts";
import { Tensor } from "./tensor.ts";

let changes = 0;

/** How many parameters and buffers have become of another dtype so far, anywhere. */
export const dtypeChanges = (): number => changes;

/** What of a tensor is frozen; null: all of it. */
export type FrozenPart = Region | null | "none";

/** A scope or call that freezes, as errors and reports show it: `freeze(Network, "bn.**")`. */
export interface FrozenBy {
  readonly text: string;
}

/** What a scope or call has frozen of a tensor, less what later ones have frozen or unfrozen. */
export interface FrozenLayer {
  readonly region: Region | null;
  readonly by: FrozenBy;
}

/** What scopes and calls have made of what is frozen of a tensor. */
export interface FreezeHold {
  /** Who was last: a later scope that has not been closed is found by it. */
  readonly by: FrozenBy;
  /** What they left frozen: if something else is, the flag has been set by itself since. */
  readonly part: FrozenPart;
  readonly layers: readonly FrozenLayer[];
}

/** A tensor that lives in the engine's memory and is overwritten in place: a parameter or a buffer. */
export abstract class Stored extends Tensor {
  #resident: Resident;
  readonly #frozen = new Cell<Region | "none" | "all">("none");
  /**
   * What is read and written in its place, of its shape and dtype, while a module runs with other weights; null
   * otherwise. `functionalCall` sets it.
   */
  standIn: Tensor | null = null;

  constructor(initial: Tensor) {
    if (currentTrace().recording)
      throw new CaptureError(
        "A parameter or buffer cannot be made inside a captured function; make the module outside",
      );
    const resident = new Resident(initial.dtype, initial.shape);
    super(resident.node);
    this.#resident = resident;
    this.assign(initial);
    bumpEpoch();
  }

  /** Where the value is. */
  get resident(): Resident {
    return this.#resident;
  }

  /** Is from now on of another dtype, with these elements. What was made of it before has the value of then. */
  become(dtype: DType, elements: TypedArray): void {
    const { label } = this;
    this.#resident = new Resident(dtype, this.shape, elements);
    this.label = label;
    super.node = this.#resident.node;
    // Recordings have its memory in them, and read nothing that would tell them.
    noteSurroundings("dtypes", String(++changes));
    bumpEpoch();
  }

  /** What errors and reports call it: its path, once a module has named it. */
  get label(): string {
    return this.resident.storage.label;
  }
  set label(path: string) {
    this.resident.storage.label = path;
  }

  /**
   * Frozen: of a parameter, no gradient reaches it, and no optimizer moves it, or its state, by a bit; a buffer is not
   * moved by `update`. False where only some of it is; setting it sets all of it.
   */
  get frozen(): boolean {
    return this.#frozen.value === "all";
  }
  set frozen(value: boolean) {
    this.#frozen.value = value ? "all" : "none";
  }

  /** Which scopes and calls have made of `frozen` what it is, where any have: `freeze` and `unfreeze` set it. */
  frozenHold: FreezeHold | null = null;

  /** What of it is frozen, where that is neither all of it nor nothing; null otherwise. */
  get frozenRegion(): Region | null {
    const held = this.#frozen.value;
    return typeof held === "string" ? null : held;
  }
  set frozenRegion(region: Region | null) {
    if (region !== null && !sameShape(region.shape, this.shape))
      throw new ShapeError(
        `frozenRegion: a region of tensors of shape ${shapeText(region.shape)} for ${this.label || "a parameter"} of shape ${shapeText(this.shape)}`,
      );
    this.#frozen.value = region === null || region.isEmpty ? "none" : region.isWhole ? "all" : region;
  }

  /** What of a region (null: of all of it) is not frozen now. */
  notFrozen(region: Region | null): Region | null | "none" {
    const held = this.#frozen.value;
    if (held === "none") return region;
    if (held === "all") return "none";
    return held.outside(region);
  }

  override get node(): Node {
    return this.standIn === null ? this.resident.node : this.standIn.node;
  }
  override set node(computed: Node) {
    // What the engine has computed of its own value is where it belongs already.
    if (this.standIn !== null) this.standIn.node = computed;
  }

  override keep(): Tensor {
    return this.clone();
  }

  /** Overwrites the value, in program order, with one of its shape and dtype; no gradient flows through. */
  assign(value: Tensor | Node): void {
    const next = this.fitting(value);
    const untracked = next.tracked ? node("detach", [next], {}) : next;
    const { standIn } = this;
    if (standIn === null) this.resident.assign(untracked);
    else withGrad(false, () => standIn.copy_(new Tensor(untracked)));
  }

  /** A value that is to be assigned; throws where its shape or dtype is another. */
  protected fitting(value: Tensor | Node): Node {
    const next = value instanceof Tensor ? value.node : value;
    const name = this.label || "a parameter or buffer";
    if (!sameShape(next.shape, this.resident.shape))
      throw new ShapeError(
        `assign: a value of shape ${shapeText(next.shape)} for ${name} of shape ${shapeText(this.resident.shape)}`,
      );
    if (next.dtype !== this.resident.dtype)
      throw new DTypeError(
        `assign: a value of ${next.dtype} for ${name} of ${this.resident.dtype}; cast it first`,
      );
    return next;
  }

  protected override place(value: Node): void {
    this.assign(value);
  }
}
