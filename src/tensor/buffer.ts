import { refuseOptions } from "../base/options.ts";
import { Cell } from "../engine/cell.ts";
import type { Node } from "../ir/node.ts";
import { Stored } from "./stored.ts";
import type { Tensor } from "./tensor.ts";

/**
 * A tensor that a module keeps beside its parameters, such as running statistics: saved, never trained. A module
 * that follows its inputs writes it with `update`, so that freezing the module holds it still.
 *
 * Takes the `initial` value, a tensor of any shape and dtype, which is copied; gives a tensor that is overwritten in
 * place. With `persistent: false` (true unless given) it is no part of the state dict.
 * Throws `CaptureError` inside a captured function.
 * Source: `torch.nn.Buffer`, and what `register_buffer` does.
 * Example: `new nn.Buffer(arange(4), { persistent: false }).mul(2)`.
 */
export class Buffer extends Stored {
  /** Whether it is part of the state dict. */
  readonly persistent: boolean;
  readonly #held = new Cell(false);

  constructor(initial: Tensor, options: { persistent?: boolean } = {}) {
    refuseOptions("Buffer", options, { persistent: null });
    const { persistent = true } = options;
    super(initial);
    this.persistent = persistent;
  }

  /** Whether the module that it is in is frozen, so that `update` leaves it alone; `freeze` sets it. */
  get held(): boolean {
    return this.#held.value;
  }
  set held(value: boolean) {
    this.#held.value = value;
  }

  /**
   * Overwrites the value as `assign` does, but for what is frozen of it, and not at all while it is held. `assign`,
   * methods such as `copy_` and `loadStateDict` write to a buffer that is held or frozen too.
   */
  update(value: Tensor | Node): void {
    if (this.held) return;
    const open = this.notFrozen(null);
    if (open === "none") return;
    const next = this.fitting(value);
    this.assign(open === null ? next : open.put(this.node, open.take(next)));
  }
}
