import { Buffer } from "../tensor/buffer.ts";
import { tensor } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type AdaptedLayer, partsOf } from "./lora-layer.ts";
import type { Adapter } from "./model-adapters.ts";
import type { Replacement } from "./replacement.ts";

/** What PEFT puts before the paths of a model. */
export const prefix = "base_model.model.";

/** One value of an adapter, and what it is called in a file. Names are without the prefix. */
export interface Entry {
  /** Under these it is written. */
  readonly names: readonly string[];
  /** Under these, too, files of PEFT may have it. */
  readonly also: readonly string[];
  readonly read: () => Tensor;
  /** Takes a value from a file; null of a value that follows from others, with which a file's must agree. */
  readonly write: ((value: Tensor) => void) | null;
}

/** The values of an adapter. Source: `get_peft_model_state_dict` of PEFT. */
export function entriesOf(adapter: Adapter, name: string): Entry[] {
  const rows = new Map<Replacement, Entry>();
  for (const [path, table] of Object.entries(adapter.tables)) {
    const entryName = `${path}.token_adapter.trainable_tokens_delta`;
    // Of a tied table, PEFT has the rows under one of its layers.
    const before = rows.get(table);
    rows.set(
      table,
      before === undefined ? rowsEntry(entryName, table) : { ...before, also: [...before.also, entryName] },
    );
  }
  const whole = adapter.replaced.filter((one) => one.rows === null);
  return [
    ...adapter.layers.flatMap((one) => [
      ...partEntries(one.path, one.layer, name),
      ...(one.tiedTo === null ? [] : tiedEntries(adapter, one.path, one.tiedTo, name)),
    ]),
    ...rows.values(),
    ...whole
      .filter(({ other }) => !(other instanceof Buffer && !other.persistent))
      .map((one) => wholeEntry(adapter, one, name)),
  ];
}

/** The low-rank parts of a layer. */
const partEntries = (path: string, layer: AdaptedLayer, name: string): Entry[] =>
  partsOf(layer, name).map(([part, parameter]) => ({
    names: [`${path}.${fileName(part, name)}`],
    also: [],
    read: () => parameter,
    write: (value) => parameter.assign(value),
  }));

/** A part as files name it: without the adapter's name, and DoRA's vector without its field. */
const fileName = (part: string, name: string): string =>
  part.replace(`.${name}`, "").replace(/^lora_magnitude_vector\.weight$/, "lora_magnitude_vector");

/** What is trained whole: under the places in modules that are, or, of a bias, under all its places. */
function wholeEntry({ layers, modules }: Adapter, { places, other }: Replacement, name: string): Entry {
  const moduleOf = (path: string): string | undefined =>
    modules.find((outer) => path.startsWith(`${outer}.`));
  const inModules = places.filter(({ path }) => moduleOf(path) !== undefined);
  const names: string[] = [];
  const also: string[] = [];
  for (const { path } of inModules.length > 0 ? inModules : places) {
    const dot = path.lastIndexOf(".");
    const wrapped = `${path.slice(0, dot)}.base_layer${path.slice(dot)}`;
    // PEFT has what an adapted layer had before inside of it.
    const isWrapped = layers.some((one) => one.path === path.slice(0, dot));
    names.push(isWrapped ? wrapped : path);
    also.push(isWrapped ? path : wrapped);
    const outer = moduleOf(path);
    if (outer === undefined) continue;
    // Where all biases are trained, PEFT writes those of such modules once more, under the adapter's name.
    for (const within of ["", `.${name}`, ".default"])
      also.push(`${outer}.modules_to_save${within}${path.slice(outer.length)}`);
  }
  return { names, also, read: () => other, write: (value) => other.assign(value) };
}

/** The parts that a layer of a tied weight has in a file, which follow from those of the layer that it is tied to. */
function tiedEntries({ layers }: Adapter, path: string, tiedTo: string, name: string): Entry[] {
  const layerAt = (at: string) => layers.find((one) => one.path === at)!.layer;
  const isTable = (layer: AdaptedLayer): boolean => "embeddingDim" in layer;
  const [here, first] = [layerAt(path), layerAt(tiedTo)];
  const [down, up] = partsOf(first, name).map(([, part]): Tensor => part) as [Tensor, Tensor];
  const isTurned = isTable(here) !== isTable(first);
  const turned = (part: Tensor): Tensor => part.detach().transpose(0, 1).contiguous();
  const ends = isTable(here) ? ["lora_embedding_A", "lora_embedding_B"] : ["lora_A.weight", "lora_B.weight"];
  return ends.map((end, i) => ({
    names: [`${path}.${end}`],
    also: [],
    read: () => (isTurned ? turned(i === 0 ? up : down) : i === 0 ? down : up),
    write: null,
  }));
}

/** Rows of a table, in the order in which they were named. */
function rowsEntry(name: string, { other, rows }: Replacement): Entry {
  const numbers = (): Tensor => tensor([...rows!], { dtype: "i32" });
  return {
    names: [name],
    also: [],
    read: () => other.detach().indexSelect(0, numbers()),
    write: (value) => other.assign(other.detach().indexCopy(0, numbers(), value)),
  };
}
