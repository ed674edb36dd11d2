import { ArgumentError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";
import { pythonFloat } from "./repr.ts";

/** Activation functions as modules, so that they can stand in a Sequential. Each is the tensor method of its name. */

/**
 * max(x, 0). At 0 its gradient is 0.
 *
 * Takes x of any shape and any dtype but bool; gives x's shape and dtype.
 * Throws `DTypeError` for bools.
 * Source: Nair and Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines", 2010; `torch.nn.ReLU`.
 * Example: `new nn.ReLU().forward(tensor([-1, 0, 2]))`.
 */
export class ReLU extends Module {
  forward(x: Tensor): Tensor {
    return x.relu();
  }
}

/**
 * min(max(x, 0), 6).
 *
 * Takes x of any shape and any dtype but bool; gives x's shape and dtype.
 * Throws `DTypeError` for bools.
 * Source: Howard et al., "MobileNets", 2017; `torch.nn.ReLU6`.
 * Example: `new nn.ReLU6().forward(tensor([-1, 3, 9]))`.
 */
export class ReLU6 extends Module {
  forward(x: Tensor): Tensor {
    return x.relu6();
  }
}

/**
 * x · sigmoid(x), also called swish.
 *
 * Takes x of any shape, integers as f32; gives x's shape.
 * Throws nothing.
 * Source: Elfwing et al., "Sigmoid-Weighted Linear Units", 2017; `torch.nn.SiLU`.
 * Example: `new nn.SiLU().forward(tensor([-1, 0, 2]))`.
 */
export class SiLU extends Module {
  forward(x: Tensor): Tensor {
    return x.silu();
  }
}

/**
 * x · tanh(log(1 + eˣ)).
 *
 * Takes x of any shape, integers as f32; gives x's shape.
 * Throws nothing.
 * Source: Misra, "Mish: A Self Regularized Non-Monotonic Activation Function", 2019; `torch.nn.Mish`.
 * Example: `new nn.Mish().forward(tensor([-1, 0, 2]))`.
 */
export class Mish extends Module {
  forward(x: Tensor): Tensor {
    return x.mish();
  }
}

/**
 * 1 / (1 + e⁻ˣ).
 *
 * Takes x of any shape, integers as f32; gives x's shape.
 * Throws nothing.
 * Source: `torch.nn.Sigmoid`.
 * Example: `new nn.Sigmoid().forward(tensor([-1, 0, 2]))`.
 */
export class Sigmoid extends Module {
  forward(x: Tensor): Tensor {
    return x.sigmoid();
  }
}

/**
 * (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ), the hyperbolic tangent.
 *
 * Takes x of any shape, integers as f32; gives x's shape.
 * Throws nothing.
 * Source: `torch.nn.Tanh`.
 * Example: `new nn.Tanh().forward(tensor([-1, 0, 2]))`.
 */
export class Tanh extends Module {
  forward(x: Tensor): Tensor {
    return x.tanh();
  }
}

/**
 * log(1 / (1 + e⁻ˣ)), without overflow or the loss of digits that the logarithm of a sigmoid has.
 *
 * Takes x of any shape, integers as f32; gives x's shape.
 * Throws nothing.
 * Source: `torch.nn.LogSigmoid`.
 * Example: `new nn.LogSigmoid().forward(tensor([-1, 0, 2]))`.
 */
export class LogSigmoid extends Module {
  forward(x: Tensor): Tensor {
    return x.logSigmoid();
  }
}

/**
 * x / (1 + |x|).
 *
 * Takes x of any shape, integers as f32; gives x's shape.
 * Throws `DTypeError` for bools.
 * Source: `torch.nn.Softsign`.
 * Example: `new nn.Softsign().forward(tensor([-1, 0, 2]))`.
 */
export class Softsign extends Module {
  forward(x: Tensor): Tensor {
    return x.softsign();
  }
}

/**
 * x − tanh x.
 *
 * Takes x of any shape, integers as f32; gives x's shape.
 * Throws `DTypeError` for bools.
 * Source: `torch.nn.Tanhshrink`.
 * Example: `new nn.Tanhshrink().forward(tensor([-1, 0, 2]))`.
 */
export class Tanhshrink extends Module {
  forward(x: Tensor): Tensor {
    return x.tanhshrink();
  }
}

/**
 * scale · x, or scale · alpha · (eˣ − 1) where negative, with scale 1.0507 and alpha 1.6733: activations come to
 * have mean 0 and variance 1.
 *
 * Takes x of any shape, integers as f32; gives x's shape.
 * Throws nothing.
 * Source: Klambauer et al., "Self-Normalizing Neural Networks", 2017; `torch.nn.SELU`.
 * Example: `new nn.SELU().forward(tensor([-1, 0, 2]))`.
 */
export class SELU extends Module {
  forward(x: Tensor): Tensor {
    return x.selu();
  }
}

/**
 * min(max(x / 6 + ½, 0), 1).
 *
 * Takes x of any shape, integers as f32; gives x's shape.
 * Throws nothing.
 * Source: Howard et al., "Searching for MobileNetV3", 2019; `torch.nn.Hardsigmoid`.
 * Example: `new nn.Hardsigmoid().forward(tensor([-1, 0, 2]))`.
 */
export class Hardsigmoid extends Module {
  forward(x: Tensor): Tensor {
    return x.hardsigmoid();
  }
}

/**
 * x · min(max(x / 6 + ½, 0), 1).
 *
 * Takes x of any shape, integers as f32; gives x's shape.
 * Throws nothing.
 * Source: Howard et al., "Searching for MobileNetV3", 2019; `torch.nn.Hardswish`.
 * Example: `new nn.Hardswish().forward(tensor([-1, 0, 2]))`.
 */
export class Hardswish extends Module {
  forward(x: Tensor): Tensor {
    return x.hardswish();
  }
}

/**
 * x · Φ(x), where Φ is the distribution function of the standard normal.
 *
 * Takes x of any shape, integers as f32; gives x's shape. `approximate` is "none" unless given; "tanh" is ½x (1 +
 * tanh(√(2/π) (x + 0.044715x³))), as GPT-2 has it.
 * Throws `ArgumentError` in `forward` for another `approximate`.
 * Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016; `torch.nn.GELU`.
 * Example: `new nn.GELU({ approximate: "tanh" }).forward(tensor([-1, 0, 2]))`.
 */
export class GELU extends Module {
  readonly approximate: "none" | "tanh";

  constructor(options: { approximate?: "none" | "tanh" } = {}) {
    refuseOptions("GELU", options, { approximate: null });
    const { approximate = "none" } = options;
    super();
    this.approximate = approximate;
  }
  forward(x: Tensor): Tensor {
    return x.gelu(this);
  }
  override extraRepr(): string {
    return `approximate='${this.approximate}'`;
  }
}

/**
 * x, or alpha · (eˣ − 1) where negative.
 *
 * Takes x of any shape, integers as f32; gives x's shape. `alpha`, 1 unless given, is how far below 0 it goes, in
 * the units of x.
 * Throws nothing.
 * Source: Clevert et al., "Fast and Accurate Deep Network Learning by Exponential Linear Units", 2016;
 * `torch.nn.ELU`.
 * Example: `new nn.ELU({ alpha: 0.5 }).forward(tensor([-1, 0, 2]))`.
 */
export class ELU extends Module {
  readonly alpha: number;

  constructor(options: { alpha?: number } = {}) {
    refuseOptions("ELU", options, { alpha: null });
    const { alpha = 1 } = options;
    super();
    this.alpha = alpha;
  }
  forward(x: Tensor): Tensor {
    return x.elu(this);
  }
  override extraRepr(): string {
    return `alpha=${pythonFloat(this.alpha)}`;
  }
}

/**
 * x, or alpha · (e^(x / alpha) − 1) where negative: its slope is continuous for every alpha.
 *
 * Takes x of any shape, integers as f32; gives x's shape. `alpha`, 1 unless given, is how far below 0 it goes, in
 * the units of x.
 * Throws nothing.
 * Source: Barron, "Continuously Differentiable Exponential Linear Units", 2017; `torch.nn.CELU`.
 * Example: `new nn.CELU({ alpha: 0.5 }).forward(tensor([-1, 0, 2]))`.
 */
export class CELU extends Module {
  readonly alpha: number;

  constructor(options: { alpha?: number } = {}) {
    refuseOptions("CELU", options, { alpha: null });
    const { alpha = 1 } = options;
    super();
    this.alpha = alpha;
  }
  forward(x: Tensor): Tensor {
    return x.celu(this);
  }
  override extraRepr(): string {
    return `alpha=${pythonFloat(this.alpha)}`;
  }
}

/**
 * x, or negativeSlope · x where negative.
 *
 * Takes x of any shape, integers as f32; gives x's shape. `negativeSlope` is 0.01 unless given.
 * Throws nothing.
 * Source: Maas et al., "Rectifier Nonlinearities Improve Neural Network Acoustic Models", 2013;
 * `torch.nn.LeakyReLU`.
 * Example: `new nn.LeakyReLU({ negativeSlope: 0.2 }).forward(tensor([-1, 0, 2]))`.
 */
export class LeakyReLU extends Module {
  readonly negativeSlope: number;

  constructor(options: { negativeSlope?: number } = {}) {
    refuseOptions("LeakyReLU", options, { negativeSlope: null });
    const { negativeSlope = 0.01 } = options;
    super();
    this.negativeSlope = negativeSlope;
  }
  forward(x: Tensor): Tensor {
    return x.leakyRelu(this);
  }
  override extraRepr(): string {
    return `negative_slope=${pythonFloat(this.negativeSlope)}`;
  }
}

/**
 * log(1 + e^(beta · x)) / beta, and x itself where beta · x is above `threshold`.
 *
 * Takes x of any shape, integers as f32; gives x's shape. `beta` is 1 and `threshold` 20 unless given.
 * Throws nothing.
 * Source: `torch.nn.Softplus`.
 * Example: `new nn.Softplus({ beta: 2 }).forward(tensor([-1, 0, 2]))`.
 */
export class Softplus extends Module {
  readonly beta: number;
  readonly threshold: number;

  constructor(options: { beta?: number; threshold?: number } = {}) {
    refuseOptions("Softplus", options, { beta: null, threshold: null });
    const { beta = 1, threshold = 20 } = options;
    super();
    this.beta = beta;
    this.threshold = threshold;
  }
  forward(x: Tensor): Tensor {
    return x.softplus(this);
  }
  override extraRepr(): string {
    return `beta=${pythonFloat(this.beta)}, threshold=${pythonFloat(this.threshold)}`;
  }
}

/**
 * min(max(x, minVal), maxVal).
 *
 * Takes x of any shape and any dtype but bool; gives x's shape and dtype. `minVal` is −1 and `maxVal` 1 unless
 * given, in the units of x.
 * Throws `ArgumentError` for a `minVal` that is not the smaller, `DTypeError` for bools.
 * Source: `torch.nn.Hardtanh`.
 * Example: `new nn.Hardtanh({ minVal: -2 }).forward(tensor([-3, 0, 2]))`.
 */
export class Hardtanh extends Module {
  readonly minVal: number;
  readonly maxVal: number;

  constructor(options: { minVal?: number; maxVal?: number } = {}) {
    refuseOptions("Hardtanh", options, { minVal: null, maxVal: null });
    const { minVal = -1, maxVal = 1 } = options;
    super();
    if (!(minVal < maxVal))
      throw new ArgumentError(
        `Hardtanh: minVal is ${minVal} and maxVal ${maxVal}; minVal must be the smaller`,
      );
    this.minVal = minVal;
    this.maxVal = maxVal;
  }
  forward(x: Tensor): Tensor {
    return x.hardtanh(this);
  }
  override extraRepr(): string {
    return `min_val=${pythonFloat(this.minVal)}, max_val=${pythonFloat(this.maxVal)}`;
  }
}
