import { ArgumentError } from "../base/errors.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { onesLike, zerosLike } from "../tensor/create.ts";
import { exponentialNode } from "../tensor/draws.ts";
import { refuseIntegers } from "../tensor/operations/promote.ts";
import { checked, takes } from "../tensor/signature.ts";
import { Tensor } from "../tensor/tensor.ts";

/** Options of `gumbelSoftmax`. */
export interface GumbelSoftmaxOptions {
  /** The temperature: towards 0 samples become one-hot, towards infinity uniform; 1. */
  tau?: number;
  /** Whether the sample is one-hot, with the gradient of what is not; false. */
  hard?: boolean;
  /** The dimension along which there are choices; the last. */
  dim?: number;
}

/**
 * A random choice that has a gradient: softmax of (logits + noise) / tau, the noise of Gumbel's distribution, so that the
 * largest is each choice with the probability that softmax of the logits gives it.
 *
 * Takes logits of any shape and a floating dtype; gives their shape, summing to 1 along `dim`. It draws random numbers, and
 * anew at each replay of a captured step.
 * Throws `ArgumentError` for a `tau` that is not above 0, `DTypeError` for integers, `IndexError` for a dimension that is not there.
 * Source: Jang et al., "Categorical Reparameterization with Gumbel-Softmax", 2017; `torch.nn.functional.gumbel_softmax`.
 * Example: `nn.gumbelSoftmax(randn([2, 5]), { tau: 0.5, hard: true })`.
 */
export const gumbelSoftmax = checked(
  "gumbelSoftmax",
  takes({ logits: kind.tensor }, { tau: kind.number, hard: kind.boolean, dim: kind.dim }),
  (logits: Tensor, { tau = 1, hard = false, dim = -1 }: GumbelSoftmaxOptions = {}): Tensor => {
    refuseIntegers("gumbelSoftmax", logits);
    if (!(tau > 0)) throw new ArgumentError(`gumbelSoftmax: tau is ${tau}; a temperature is above 0`);
    const noise = new Tensor(exponentialNode(logits.shape, logits.dtype === "f64" ? "f64" : "f32"))
      .log()
      .neg();
    const soft = logits.add(noise).div(tau).softmax(dim);
    if (!hard) return soft;
    const index = soft.detach().argmax(dim, { keepdim: true });
    const choice = logits.ndim === 0 ? onesLike(soft) : zerosLike(soft).scatter(dim, index, 1);
    // The value of the choice, with the gradient of the sample.
    return choice.sub(soft.detach()).add(soft);
  },
);
