import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/**
 * Gives back what it takes: stands where a layer could.
 *
 * Takes x of any shape and dtype; gives x itself.
 * Throws nothing.
 * Source: `torch.nn.Identity`.
 * Example: `new nn.Identity().forward(randn([2, 3]))`.
 */
export class Identity extends Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}
