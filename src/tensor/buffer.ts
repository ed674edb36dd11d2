import { Stored } from "./stored.ts";
import type { Tensor } from "./tensor.ts";

/** A tensor that a module keeps beside its parameters, such as running statistics: saved, never trained. */
export class Buffer extends Stored {
  /** Whether it is part of the state dict. */
  readonly persistent: boolean;

  constructor(initial: Tensor, { persistent = true }: { persistent?: boolean } = {}) {
    super(initial);
    this.persistent = persistent;
  }
}
