import { AdapterError } from "../base/errors.ts";
import { Dropout } from "../nn/dropout.ts";
import type { Embedding } from "../nn/embedding.ts";
import { ownForward } from "../nn/hooks.ts";
import { normal_, zeros_ } from "../nn/init/index.ts";
import { Linear } from "../nn/linear.ts";
import { Module } from "../nn/module.ts";
import { ModuleDict } from "../nn/module-dict.ts";
import { ParameterDict } from "../nn/parameter-dict.ts";
import { noGrad } from "../tensor/autograd.ts";
import { empty } from "../tensor/create.ts";
import { embedding } from "../tensor/embedding.ts";
import { linear } from "../tensor/functions.ts";
import { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** The trained lengths of the rows of a weight (of an embedding: of its columns), of DoRA. */
export class LoraMagnitude extends Module {
  weight: Parameter;

  constructor(lengths: Tensor) {
    super();
    this.weight = new Parameter(lengths);
  }
}

/** What an adapted `nn.Linear` has beside its own, each under the names of adapters. */
export interface LinearParts<N extends string = string> {
  readonly lora_A?: ModuleDict<Record<N, Linear>>;
  readonly lora_B?: ModuleDict<Record<N, Linear>>;
  readonly lora_dropout?: ModuleDict<Record<N, Dropout>>;
  readonly lora_magnitude_vector?: ModuleDict<Record<N, LoraMagnitude>>;
}

/** What an adapted `nn.Embedding` has beside its own, each under the names of adapters. */
export interface EmbeddingParts<N extends string = string> {
  readonly lora_embedding_A?: ParameterDict & { readonly [K in N]?: Parameter };
  readonly lora_embedding_B?: ParameterDict & { readonly [K in N]?: Parameter };
  readonly lora_magnitude_vector?: ModuleDict<Record<N, LoraMagnitude>>;
}

/** A layer that has low-rank parts. */
export type AdaptedLayer = (Linear & LinearParts) | (Embedding & EmbeddingParts);

/** What holds of a layer beside its parts. Recordings compare it, as it is plain. */
interface LayerState {
  /** The adapter whose parts count now. */
  active: string | null;
  /** Whether the weight has an adapter in it. */
  isMerged: boolean;
  /** How often the parts of each adapter count. */
  readonly scaling: Record<string, number>;
  /** Of a layer whose weight is that of another: the layer that has the parts, by adapter. */
  readonly tiedTo: Record<string, AdaptedLayer>;
}

/** In a field that is no part of the tree of modules. */
const state = Symbol("lora");
type Held = AdaptedLayer & { [state]?: LayerState };

/** What is known of an adapted layer; null of one that is not. */
export const layerState = (layer: Module): LayerState | null => (layer as Held)[state] ?? null;

const partNames = [
  "lora_A",
  "lora_B",
  "lora_dropout",
  "lora_embedding_A",
  "lora_embedding_B",
  "lora_magnitude_vector",
] as const;
type PartName = (typeof partNames)[number];
type Parts = ModuleDict | ParameterDict;
const fields = (layer: AdaptedLayer) => layer as unknown as Partial<Record<PartName, Parts>>;

/** Has a layer's forward pass add what adapters add; they have no parts yet. */
function adapt(layer: AdaptedLayer): LayerState {
  const found = layerState(layer);
  if (found !== null) return found;
  if (ownForward(layer) !== undefined)
    throw new AdapterError(
      `lora: a ${layer.constructor.name} has a forward of its own assigned to it, which cannot be adapted; delete that first`,
    );
  const made: LayerState = { active: null, isMerged: false, scaling: {}, tiedTo: {} };
  Object.defineProperty(layer, state, { value: made, configurable: true });
  Object.assign(layer, { forward: adaptedForward });
  return made;
}

/** What parts of a layer are made of. */
export interface PartOptions {
  readonly name: string;
  readonly rank: number;
  readonly scaling: number;
  readonly dropout: number;
  readonly useDora: boolean;
  readonly initLoraWeights: boolean | "gaussian";
}

/** Gives a layer the parts of an adapter. Source: `LoraLayer.update_layer` of PEFT. */
export function addParts(layer: AdaptedLayer, options: PartOptions): void {
  const { name, rank, scaling, dropout, useDora, initLoraWeights } = options;
  const held = adapt(layer);
  const add = (part: PartName, item: Module | Parameter): void => {
    const dict = (fields(layer)[part] ??= item instanceof Module ? new ModuleDict() : new ParameterDict());
    (dict.set as (key: string, item: unknown) => unknown)(name, item);
  };
  if (layer instanceof Linear) {
    const down = new Linear(layer.inFeatures, rank, { bias: false });
    const up = new Linear(rank, layer.outFeatures, { bias: false });
    if (initLoraWeights === "gaussian") normal_(down.weight, { std: 1 / rank });
    if (initLoraWeights !== false) zeros_(up.weight);
    add("lora_A", down);
    add("lora_B", up);
    if (dropout > 0) add("lora_dropout", new Dropout(dropout).train(layer.training));
  } else {
    const down = new Parameter(empty([rank, layer.numEmbeddings]));
    const up = new Parameter(empty([layer.embeddingDim, rank]));
    (initLoraWeights === false ? normal_ : zeros_)(down);
    normal_(up);
    add("lora_embedding_A", down);
    add("lora_embedding_B", up);
  }
  held.scaling[name] = scaling;
  if (layer.weight.dtype === "f64")
    for (const part of partNames) {
      const dict = fields(layer)[part];
      if (dict instanceof ModuleDict && dict.has(name)) dict.get(name).to("f64");
      if (dict instanceof ParameterDict) dict.to("f64");
    }
  if (useDora) {
    const lengths = noGrad(() => lengthsOf(layer, name));
    add("lora_magnitude_vector", new LoraMagnitude(lengths));
  }
}

/** Has a layer follow the parts of another, whose weight it shares. */
export function tieTo(layer: AdaptedLayer, other: AdaptedLayer, name: string, dropout: number): void {
  const held = adapt(layer);
  held.tiedTo[name] = other;
  held.scaling[name] = layerState(other)!.scaling[name]!;
  if (dropout > 0 && layer instanceof Linear) {
    const dict = (fields(layer).lora_dropout ??= new ModuleDict()) as ModuleDict;
    dict.set(name, new Dropout(dropout).train(layer.training));
  }
}

/** Takes the parts of an adapter off a layer, and, with the last, what adapts it. */
export function removeParts(layer: AdaptedLayer, name: string): void {
  const held = layerState(layer)!;
  for (const part of partNames) {
    const dict = fields(layer)[part];
    if (dict === undefined) continue;
    if (dict.has(name)) dict.delete(name);
    if (dict.size === 0) delete fields(layer)[part];
  }
  delete held.scaling[name];
  delete held.tiedTo[name];
  if (held.active === name) held.active = null;
  if (Object.keys(held.scaling).length > 0) return;
  delete (layer as Held)[state];
  const proto = Object.getPrototypeOf(layer) as AdaptedLayer;
  // Beneath hooks, the class's own is put back; without them, nothing is left of it.
  if (Object.getOwnPropertyDescriptor(layer, "forward")?.get === undefined)
    Reflect.deleteProperty(layer, "forward");
  else Object.assign(layer, { forward: proto.forward });
}

/** The parameters of an adapter in a layer, by what follows the layer's path. */
export function partsOf(layer: AdaptedLayer, name: string): [string, Parameter][] {
  return partNames.flatMap((part): [string, Parameter][] => {
    const dict = fields(layer)[part];
    if (dict === undefined || !dict.has(name)) return [];
    const item = dict.get(name) as Module | Parameter;
    if (item instanceof Parameter) return [[part, item]];
    return item.namedParameters().map(([path, parameter]) => [`${part}.${path}`, parameter]);
  });
}

/** The two factors of what an adapter adds to a weight: [rows, rank] and [rank, columns]. */
function factors(layer: AdaptedLayer, name: string): { rows: Tensor; columns: Tensor } {
  if (layer instanceof Linear)
    return { rows: layer.lora_B!.get(name)!.weight, columns: layer.lora_A!.get(name)!.weight };
  return {
    rows: layer.lora_embedding_A!.get(name).transpose(0, 1),
    columns: layer.lora_embedding_B!.get(name).transpose(0, 1),
  };
}

/** What an adapter adds to a layer's weight, of its shape. */
const delta = (layer: AdaptedLayer, name: string): Tensor => {
  const { rows, columns } = factors(layer, name);
  return rows.matmul(columns).mul(layerState(layer)!.scaling[name]!);
};

/** The lengths of a weight's rows, or of an embedding's columns, with what the adapter adds. */
const lengthsOf = (layer: AdaptedLayer, name: string): Tensor =>
  layer.weight
    .add(delta(layer, name))
    .detach()
    .norm(2, layer instanceof Linear ? 1 : 0);

/** What each row of a weight (column of an embedding) is multiplied by; its length passes no gradient on. */
const dora = (layer: AdaptedLayer, name: string): Tensor | null => {
  const magnitude = layer.lora_magnitude_vector;
  if (magnitude === undefined || !magnitude.has(name)) return null;
  return magnitude.get(name).weight.div(lengthsOf(layer, name));
};

/** A layer's weight with an adapter in it, in the weight's dtype. */
export function mergedWeight(layer: AdaptedLayer, name: string): Tensor {
  const { dtype } = layer.weight;
  const sum = layer.weight.add(delta(layer, name));
  const scale = dora(layer, name);
  const merged = scale === null ? sum : sum.mul(layer instanceof Linear ? scale.unsqueeze(1) : scale);
  return merged.dtype === dtype ? merged : merged.to(dtype);
}

/** The forward pass of an adapted layer. Source: `forward` of PEFT's `Linear`, `Embedding` and their DoRA variants. */
function adaptedForward(this: AdaptedLayer, x: Tensor): Tensor {
  const { active, isMerged, scaling, tiedTo } = layerState(this)!;
  if (isMerged && this.training)
    throw new AdapterError(
      `A ${this.constructor.name} is run in training mode while an adapter is merged into its weight, where training would ` +
        "not reach it; call unmergeAdapters(model) before, or model.eval() if nothing is trained",
    );
  const own = Object.getPrototypeOf(this) as { forward: (x: Tensor) => Tensor };
  const result = Reflect.apply(own.forward, this, [x]);
  if (active === null || scaling[active] === undefined) return result;
  const other = tiedTo[active] ?? this;
  const scale = scaling[active];
  const added =
    this instanceof Linear
      ? addedToLinear(this, x, result, other, active, scale)
      : addedToEmbedding(this, x, result, other, active, scale);
  return result.add(added);
}

function addedToLinear(
  layer: Linear & LinearParts,
  x: Tensor,
  result: Tensor,
  parts: AdaptedLayer,
  name: string,
  scaling: number,
): Tensor {
  const dropout = layer.lora_dropout?.has(name) ? layer.lora_dropout.get(name)! : null;
  const input = dropout === null ? x : dropout.forward(x);
  const { rows, columns } = factors(parts, name);
  const low = linear(linear(input, columns), rows);
  const scale = dora(layer, name);
  if (scale === null) return low.mul(scaling);
  // What is dropped is dropped from all of it, as in PEFT.
  const base =
    dropout?.training === true
      ? linear(input, layer.weight)
      : layer.bias === null
        ? result
        : result.sub(layer.bias);
  return scale.sub(1).mul(base).add(scale.mul(low).mul(scaling));
}

function addedToEmbedding(
  layer: Embedding & EmbeddingParts,
  indices: Tensor,
  result: Tensor,
  parts: AdaptedLayer,
  name: string,
  scaling: number,
): Tensor {
  const { rows, columns } = factors(parts, name);
  const { paddingIdx } = layer;
  const low = embedding(indices, rows, { paddingIdx }).matmul(columns);
  const scale = dora(layer, name);
  if (scale === null) return low.mul(scaling);
  return scale.sub(1).mul(result).add(scale.mul(low).mul(scaling));
}
