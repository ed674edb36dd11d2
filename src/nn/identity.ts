import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/** Gives back what it takes: stands where a layer could. */
export class Identity extends Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}
