import { ArgumentError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { full } from "../tensor/create.ts";
import { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { constant_ } from "./init/index.ts";
import { Module } from "./module.ts";

/** Options of `PReLU`. */
export interface PReLUOptions {
  /** How many slopes are learned: 1, for all channels, or one for each channel of the input. */
  numParameters?: number;
  /** What the slopes start from; 0.25. */
  init?: number;
}

/**
 * x, or slope · x where negative, with slopes that are learned.
 *
 * Takes x of any shape; with several slopes, x has as many channels in dimension 1. Gives x's shape. `weight` is
 * [numParameters]. Weight decay moves slopes towards ReLU: name them apart where that is not meant.
 * Throws `ShapeError` where channels and slopes differ in number, `ArgumentError` for a number of slopes that cannot be.
 * Source: He et al., "Delving Deep into Rectifiers", 2015; `torch.nn.PReLU`.
 * Example: `new nn.PReLU({ numParameters: 3 }).forward(randn([2, 3]))`.
 */
export class PReLU extends Module {
  readonly numParameters: number;
  readonly init: number;
  weight: Parameter;

  constructor(options: PReLUOptions = {}) {
    refuseOptions("PReLU", options, { numParameters: null, init: null });
    const { numParameters = 1, init = 0.25 } = options;
    super();
    if (!Number.isInteger(numParameters) || numParameters < 0)
      throw new ArgumentError(
        `PReLU: numParameters is ${numParameters}; it is 1, or how many channels the input has`,
      );
    this.numParameters = numParameters;
    this.init = init;
    this.weight = new Parameter(full([numParameters], init));
  }

  /** Puts the slopes back to what they start from. */
  resetParameters(): void {
    constant_(this.weight, this.init);
  }
  forward(x: Tensor): Tensor {
    return x.prelu(this.weight);
  }
  override extraRepr(): string {
    return `num_parameters=${this.numParameters}`;
  }
}
