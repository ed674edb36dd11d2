import type { Tensor } from "../tensor/tensor.ts";
import type { ConfigReader } from "./config.ts";

/** Activations by the names that configs give them. Source: `ACT2FN` of transformers. */
const activations: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  gelu: (x) => x.gelu(),
  gelu_10: (x) => x.gelu().clamp({ min: -10, max: 10 }),
  gelu_accurate: (x) => x.gelu({ approximate: "tanh" }),
  gelu_fast: (x) => x.gelu({ approximate: "tanh" }),
  gelu_new: (x) => x.gelu({ approximate: "tanh" }),
  gelu_python: (x) => x.gelu(),
  gelu_python_tanh: (x) => x.gelu({ approximate: "tanh" }),
  gelu_pytorch_tanh: (x) => x.gelu({ approximate: "tanh" }),
  leaky_relu: (x) => x.leakyRelu(),
  linear: (x) => x,
  mish: (x) => x.mish(),
  quick_gelu: (x) => x.mul(x.mul(1.702).sigmoid()),
  relu: (x) => x.relu(),
  relu2: (x) => x.relu().square(),
  relu6: (x) => x.relu6(),
  sigmoid: (x) => x.sigmoid(),
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
