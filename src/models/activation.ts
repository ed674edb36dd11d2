import type { Tensor } from "../tensor/tensor.ts";
import type { ConfigReader } from "./config.ts";

/** Activations by the names that configs give them. */
const activations: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  gelu: (x) => x.gelu(),
  gelu_new: (x) => x.gelu({ approximate: "tanh" }),
  gelu_pytorch_tanh: (x) => x.gelu({ approximate: "tanh" }),
  relu: (x) => x.relu(),
  silu: (x) => x.silu(),
  swish: (x) => x.silu(),
  tanh: (x) => x.tanh(),
};

/** The activation that a config names under a key. */
export function activationOf(config: ConfigReader, key: string): (x: Tensor) => Tensor {
  const name = config.config[key] ?? "gelu";
  const found = typeof name === "string" && Object.hasOwn(activations, name) ? activations[name] : undefined;
  return found ?? config.refuse(key, `it must be one of ${Object.keys(activations).join(", ")}`);
}
