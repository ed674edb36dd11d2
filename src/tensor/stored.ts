import { CaptureError, DTypeError, ShapeError } from "../base/errors.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { bumpEpoch } from "../engine/cell.ts";
import { currentTrace, Resident } from "../engine/trace.ts";
import { type Node, node } from "../ir/node.ts";
import { Tensor } from "./tensor.ts";

/** A tensor that lives in the engine's memory and is overwritten in place: a parameter or a buffer. */
export abstract class Stored extends Tensor {
  /** Where the value is. */
  readonly resident: Resident;

  constructor(initial: Tensor) {
    if (currentTrace().recording)
      throw new CaptureError(
        "A parameter or buffer cannot be made inside a captured function; make the module outside",
      );
    const resident = new Resident(initial.dtype, initial.shape);
    super(resident.node);
    this.resident = resident;
    this.assign(initial);
    bumpEpoch();
  }

  /** What errors and reports call it: its path, once a module has named it. */
  get label(): string {
    return this.resident.storage.label;
  }
  set label(path: string) {
    this.resident.storage.label = path;
  }

  override get node(): Node {
    return this.resident.node;
  }
  override set node(_: Node) {
    // The engine has computed the value: it is where it belongs already.
  }

  override keep(): Tensor {
    return this.clone();
  }

  /** Overwrites the value, in program order, with one of its shape and dtype; no gradient flows through. */
  assign(value: Tensor | Node): void {
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
    this.resident.assign(next.tracked ? node("detach", [next], {}) : next);
  }

  protected override place(value: Node): void {
    this.assign(value);
  }
}
