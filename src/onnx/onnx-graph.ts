import { type DType, isFloat, type TypedArray } from "../base/dtype.ts";
import { Message } from "./protobuf.ts";

/** Element types of ONNX: those of thaw that files have, and those of quantized weights and of sizes. */
export type ElementType = "f32" | "f64" | "i32" | "bool" | "u8" | "i64";

/** `TensorProto.DataType`. */
export const elementTypes: { readonly [T in ElementType]: number } = {
  f32: 1,
  u8: 2,
  i32: 6,
  i64: 7,
  bool: 9,
  f64: 11,
};

/** What a node is told beside its operands. Whole numbers are of i64, others of f32. */
export type Attribute = number | readonly number[] | { readonly float: number };

/** An input or output of a graph: the names of its dimensions that are not told, and the sizes of others. */
export interface GraphValue {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly (number | string)[];
}

/** The version of ONNX's operators that is written: reductions take their axes as an operand from here on. */
const opset = 18;

/** A graph of ONNX, written down node by node. */
export class OnnxGraph {
  readonly #nodes: Message[] = [];
  readonly #initializers: Message[] = [];
  readonly #inputs: Message[] = [];
  readonly #outputs: Message[] = [];
  readonly #taken = new Set<string>();

  /** A name that nothing else has. */
  name(wanted: string): string {
    let name = wanted;
    for (let i = 1; this.#taken.has(name); i++) name = `${wanted}_${i}`;
    this.#taken.add(name);
    return name;
  }

  /** A node of one result, whose name it gives. */
  node(
    type: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    return this.nodes(type, inputs, [type.toLowerCase()], attributes)[0]!;
  }

  /** A node of some results, which are called like this if nothing else is. */
  nodes(
    type: string,
    inputs: readonly string[],
    wanted: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string[] {
    const outputs = wanted.map((name) => this.name(name));
    const node = new Message();
    for (const input of inputs) node.text(1, input);
    for (const output of outputs) node.text(2, output);
    node.text(3, `node_${outputs[0]!}`).text(4, type);
    for (const [name, value] of Object.entries(attributes)) node.message(5, attributeOf(name, value));
    this.#nodes.push(node);
    return outputs;
  }

  /** A tensor that is part of the file; gives its name. */
  initializer(wanted: string, type: ElementType, dims: readonly number[], bytes: Uint8Array): string {
    const name = this.name(wanted);
    const tensor = new Message();
    for (const d of dims) tensor.int(1, d);
    tensor.int(2, elementTypes[type]).text(8, name).bytes(9, bytes);
    this.#initializers.push(tensor);
    return name;
  }

  input(value: GraphValue): void {
    this.#inputs.push(valueInfo(value));
  }

  output(value: GraphValue): void {
    this.#outputs.push(valueInfo(value));
  }

  /** The bytes of a file, in order. */
  file(name: string): readonly Uint8Array[] {
    const graph = new Message();
    for (const node of this.#nodes) graph.message(1, node);
    graph.text(2, name);
    for (const tensor of this.#initializers) graph.message(5, tensor);
    for (const value of this.#inputs) graph.message(11, value);
    for (const value of this.#outputs) graph.message(12, value);
    return new Message()
      .int(1, 8)
      .text(2, "thaw")
      .message(7, graph)
      .message(8, new Message().text(1, "").int(2, opset)).pieces;
  }
}

function attributeOf(name: string, value: Attribute): Message {
  const attribute = new Message().text(1, name);
  if (typeof value === "number") return attribute.int(3, value).int(20, 2);
  if ("float" in value) return attribute.float(2, value.float).int(20, 1);
  for (const v of value) attribute.int(8, v);
  return attribute.int(20, 7);
}

function valueInfo({ name, type, dims }: GraphValue): Message {
  const shape = new Message();
  for (const d of dims)
    shape.message(1, typeof d === "number" ? new Message().int(1, d) : new Message().text(2, d));
  const tensor = new Message().int(1, elementTypes[type]).message(2, shape);
  return new Message().text(1, name).message(2, new Message().message(1, tensor));
}

/** The bytes of numbers as files have them. */
export const bytesOf = (data: TypedArray | BigInt64Array): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** Numbers of i64, as sizes are. */
export const wholeNumbers = (values: readonly number[]): Uint8Array =>
  bytesOf(BigInt64Array.from(values, BigInt));

/** The element type of a dtype: of those that only store, the one of the dtype that they are computed in. */
export function elementTypeOf(dtype: DType): ElementType {
  if (dtype === "f64" || dtype === "bool") return dtype;
  return isFloat(dtype) ? "f32" : "i32";
}
