import { ThawError } from "../../../src/base/errors.ts";
import * as nn from "../../../src/nn/index.ts";
import * as thaw from "../../../src/tensor/index.ts";
import { Parameter, Tensor } from "../../../src/tensor/index.ts";
import { camel } from "./calls.ts";
import { type Closeness, difference } from "./compare.ts";
import { type Arg, argumentOf, PythonFloat, tensorOf, type Written } from "./decode.ts";

/** A module, made and called, and what PyTorch gives for it. */
export interface ModuleSample extends Closeness {
  op: string;
  kind: "sample" | "error";
  training: 0 | 1;
  /** Arguments of the constructor, by PyTorch's names. */
  init: Record<string, Arg>;
  /** Parameters and buffers. */
  state?: Record<string, Written>;
  args: Arg[] | null;
  /** Options of the call: masks. */
  masks?: Record<string, Arg>;
  out?: Arg;
  cot?: Written | Written[];
  /** Of the inputs that take a gradient, and then of the parameters. */
  grads?: (Written | null)[];
  /** Buffers after the call. */
  after?: Record<string, Written>;
  message?: string;
}

/** Arguments of constructors that are positional here, as they mostly are in PyTorch code; all others are options. */
const positional: { readonly [name: string]: readonly string[] } = {
  Linear: ["in_features", "out_features"],
  Bilinear: ["in1_features", "in2_features", "out_features"],
  Embedding: ["num_embeddings", "embedding_dim"],
  LayerNorm: ["normalized_shape"],
  RMSNorm: ["normalized_shape"],
  GroupNorm: ["num_groups", "num_channels"],
  BatchNorm1d: ["num_features"],
  BatchNorm2d: ["num_features"],
  BatchNorm3d: ["num_features"],
  InstanceNorm1d: ["num_features"],
  InstanceNorm2d: ["num_features"],
  InstanceNorm3d: ["num_features"],
  ZeroPad1d: ["padding"],
  ZeroPad2d: ["padding"],
  ZeroPad3d: ["padding"],
  ConstantPad1d: ["padding", "value"],
  ConstantPad2d: ["padding", "value"],
  ConstantPad3d: ["padding", "value"],
  ReflectionPad1d: ["padding"],
  ReflectionPad2d: ["padding"],
  ReflectionPad3d: ["padding"],
  ReplicationPad1d: ["padding"],
  ReplicationPad2d: ["padding"],
  ReplicationPad3d: ["padding"],
  CircularPad1d: ["padding"],
  CircularPad2d: ["padding"],
  CircularPad3d: ["padding"],
  PixelShuffle: ["upscale_factor"],
  PixelUnshuffle: ["downscale_factor"],
  MultiheadAttention: ["embed_dim", "num_heads"],
  TransformerEncoderLayer: ["d_model", "nhead"],
  TransformerDecoderLayer: ["d_model", "nhead"],
  TransformerEncoder: ["encoder_layer", "num_layers"],
  Dropout: ["p"],
  Threshold: ["threshold", "value"],
};

/** Options that are not called as in PyTorch: `lambda` is a keyword of Python alone. */
const renamed: { readonly [name: string]: string } = { lambd: "lambda" };

/** Options that say how and not what. */
const ignored = new Set(["inplace", "sparse", "scale_grad_by_freq", "_freeze"]);

type Made = nn.Module & { forward(...args: unknown[]): unknown };

function made(sample: ModuleSample): Made {
  const module = constructed(sample.op.replace("nn.", ""), sample.init);
  return sample.training === 1 ? module.train() : module.eval();
}

function constructed(name: string, init: Record<string, Arg>): Made {
  const Class = (nn as unknown as Record<string, new (...args: unknown[]) => Made>)[name];
  if (Class === undefined) throw new Error(`missing: no module ${name}`);
  const first = positional[name] ?? [];
  const value = (arg: Arg): unknown => {
    if (isLayer(arg)) return constructed("TransformerEncoderLayer", arg.layer);
    const read = argumentOf(arg, []);
    return read instanceof PythonFloat ? read.value : (read ?? undefined);
  };
  const options: Record<string, unknown> = {};
  for (const [key, arg] of Object.entries(init))
    if (!first.includes(key) && !ignored.has(key))
      options[renamed[key] ?? camel(key)] = arg === null ? null : value(arg);
  const args = first.map((key) => value(init[key] ?? null));
  if (Object.keys(options).length > 0) args.push(options);
  return new Class(...args);
}

/** A layer among arguments, by what its constructor is given. */
const isLayer = (arg: unknown): arg is { layer: Record<string, Arg> } =>
  typeof arg === "object" && arg !== null && "layer" in arg;

/** What is wrong with what a module of thaw gives for a sample, or null. */
export function moduleFailureOf(sample: ModuleSample): string | null {
  try {
    return sample.kind === "error" ? refusal(sample) : agreement(sample);
  } catch (error) {
    const { name, message } = error as Error;
    return message.startsWith("missing") ? message : `${name}: ${message.split("\n")[0]}`;
  }
}

function agreement(sample: ModuleSample): string | null {
  const module = made(sample);
  const wrong = setState(module, sample.state!);
  if (wrong !== null) return wrong;
  const leaves: Tensor[] = [];
  const args = sample.args!.map((arg) => argumentOf(arg, leaves));
  const masks = Object.entries(sample.masks ?? {}).map(
    ([k, arg]) => [camel(k), argumentOf(arg, [])] as const,
  );
  if (masks.length > 0) args.push(Object.fromEntries(masks));
  const outs = [module.forward(...args)].flat() as Tensor[];
  for (const [i, want] of [sample.out as Written | Written[]].flat().entries()) {
    const outWrong = difference(outs[i], want, sample);
    if (outWrong !== null) return outWrong;
  }
  if (sample.cot !== undefined) {
    leaves.push(...module.parameters());
    const terms = [sample.cot].flat().map((cot, i) => outs[i]!.mul(tensorOf(cot, false)).sum());
    const found =
      terms.length === 1
        ? thaw.gradient(outs[0]!, leaves, { gradient: tensorOf([sample.cot].flat()[0]!, false) })
        : thaw.gradient(
            terms.reduce((a, b) => a.add(b)),
            leaves,
          );
    for (const [i, want] of sample.grads!.entries()) {
      const got = found[i];
      if (want === null || got === null) {
        const some = want === null ? got : tensorOf(want, false);
        if (some?.dataSync().some((x) => x !== 0))
          return `gradient ${i}: ${want === null ? "one where PyTorch has none" : "none"}`;
      } else {
        const gradWrong = difference(got, want, sample, 2);
        if (gradWrong !== null) return `gradient ${i}: ${gradWrong}`;
      }
    }
  }
  const buffers = new Map(module.namedBuffers());
  for (const [name, want] of Object.entries(sample.after!)) {
    const got = buffers.get(camel(name));
    // Running statistics stay f32 beside parameters of f64.
    const narrow = got?.dtype === "f32" && want.t === "float64";
    const bufferWrong = difference(narrow ? got.to("f64") : got, want, narrow ? { loose: 100 } : sample);
    if (bufferWrong !== null) return `${name}: ${bufferWrong}`;
  }
  return null;
}

/** Puts parameters in place, in their own dtype, and loads buffers. */
function setState(module: nn.Module, state: Record<string, Written>): string | null {
  const parameters = new Map(module.namedParameters());
  const buffers = new Map(module.namedBuffers());
  const loaded: Record<string, Tensor> = {};
  for (const [name, written] of Object.entries(state)) {
    const path = camel(name);
    const value = tensorOf(written, false);
    if (parameters.has(path) && path.includes(".")) {
      if (parameters.get(path)!.dtype !== value.dtype) module.to(value.dtype);
      loaded[path] = value;
    } else if (parameters.has(path))
      (module as unknown as Record<string, Parameter>)[path] = new Parameter(value);
    else if (buffers.has(path)) loaded[path] = value.to(buffers.get(path)!.dtype);
    else return `missing: no ${path}`;
  }
  if (Object.keys(loaded).length > 0) module.loadStateDict(loaded, { strict: false });
  return null;
}

function refusal(sample: ModuleSample): string | null {
  try {
    const module = made(sample);
    const out =
      sample.args === null ? null : module.forward(...sample.args.map((arg) => argumentOf(arg, [])));
    if (out instanceof Tensor) out.dataSync();
  } catch (error) {
    if (error instanceof ThawError) return null;
    throw error;
  }
  return `accepted; PyTorch: ${sample.message}`;
}
