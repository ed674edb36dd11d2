import { ExportError } from "../base/errors.ts";
import type { Storage } from "../engine/storage.ts";
import { isOp, type Node } from "../ir/node.ts";
import { constantDim, type Dim, expressionOf, isConstant, sameDim } from "./dim.ts";
import {
  bytesOf,
  type ElementType,
  elementTypeOf,
  elementTypes,
  OnnxGraph,
  wholeNumbers,
} from "./onnx-graph.ts";
import type { Recorded } from "./recorded.ts";
import { type Stored, storedOf } from "./stored.ts";

/** A value of the file: its name, and its sizes, of which some are 1 where others are meant: operators repeat those. */
export interface Value {
  readonly name: string;
  readonly dims: readonly Dim[];
  /** Whether it has all elements, in order, but in another shape. */
  readonly isWhole?: boolean;
}

/** Writes the nodes of a recorded function as operators. */
export class Emitter {
  readonly graph = new OnnxGraph();
  readonly recorded: Recorded;
  /** Whether weights of products, and tables, are written as bytes. */
  readonly quantized: boolean;
  readonly #values = new Map<Node, Value>();
  readonly #constants = new Map<string, string>();
  readonly #inputs: [string, Node][] = [];
  readonly #bytes = new Map<string, readonly [string, string, string]>();

  constructor(recorded: Recorded, quantized: boolean) {
    this.recorded = recorded;
    this.quantized = quantized;
  }

  /** The sizes of a node's result, with all that is repeated. */
  dims(n: Node): readonly Dim[] {
    return this.recorded.dimsOf(n);
  }

  /** A node's value; some sizes may be 1. */
  value(n: Node): Value {
    const known = this.#values.get(n);
    if (known !== undefined) return known;
    // Of what is stored there may be a form that is written instead: it is written when it is asked for.
    const value = { name: this.initializer(this.stored(n)!), dims: this.dims(n) };
    this.set(n, value);
    return value;
  }

  set(n: Node, value: Value): void {
    this.#values.set(n, value);
  }

  /** A node's result as one operator gives it. */
  put(n: Node, type: string, inputs: readonly string[], attributes = {}, dims = this.dims(n)): void {
    this.set(n, { name: this.graph.node(type, inputs, attributes), dims });
  }

  /** Whether a node has been written. */
  has(n: Node): boolean {
    return this.#values.has(n);
  }

  /** An input of the file: whole numbers are of i64 in files, and of i32 in thaw. */
  input(n: Node, name: string, dims: readonly (number | string)[]): void {
    const own = this.type(n);
    const type = own === "i32" ? "i64" : own;
    this.graph.input({ name: this.graph.name(name), type, dims });
    this.#inputs.push([name, n]);
    this.set(n, { name: type === own ? name : this.cast(name, own), dims: this.dims(n) });
  }

  /** An output of the file. */
  output(n: Node, name: string): void {
    const { name: own } = this.reshape(this.whole(n), this.dims(n));
    const type = this.type(n);
    const { symbols } = this.recorded;
    const dims = this.dims(n).map((d) => {
      if (isConstant(d)) return d[0]!;
      const { times, of, plus } = expressionOf(d, symbols);
      const text = of.map((i) => symbols[i]!.name).join(" * ");
      return `${times === 1 ? "" : `${times} * `}${text}${plus === 0 ? "" : ` + ${plus}`}`;
    });
    this.graph.nodes("Identity", [own], [name]);
    this.graph.output({ name, type, dims });
  }

  /** The type of a node's elements: of dtypes that only store, the one that they are computed in. */
  type(n: Node): ElementType {
    return elementTypeOf(n.dtype);
  }

  cast(name: string, to: ElementType): string {
    return this.graph.node("Cast", [name], { to: elementTypes[to] });
  }

  /** A number as an operand. */
  number(value: number, type: ElementType): string {
    return this.once(`${type} ${Object.is(value, -0) ? "-0" : value}`, () =>
      this.graph.initializer("number", type, [], bytesOfNumber(value, type)),
    );
  }

  /** Whole numbers as an operand, as lists of axes are. */
  list(values: readonly number[]): string {
    return this.once(`list ${values}`, () =>
      this.graph.initializer("list", "i64", [values.length], wholeNumbers(values)),
    );
  }

  /** A size, as a vector of one number of i64: computed from the sizes of inputs where it depends on them. */
  size(d: Dim): string {
    if (isConstant(d)) return this.list([d[0]!]);
    return this.once(`size ${d}`, () => {
      const { times, of, plus } = expressionOf(d, this.recorded.symbols);
      let name = of.map((i) => this.#symbol(i)).reduce((a, b) => this.graph.node("Mul", [a, b]));
      if (times !== 1) name = this.graph.node("Mul", [name, this.list([times])]);
      if (plus !== 0) name = this.graph.node("Add", [name, this.list([plus])]);
      return name;
    });
  }

  /** A size of an input. */
  #symbol(i: number): string {
    return this.once(`symbol ${i}`, () => {
      const { first } = this.recorded.symbols[i]!;
      const place = (n: Node): number =>
        this.dims(n).findIndex((d) => d.every((x, r) => x === first + (r === i + 1 ? 1 : 0)));
      const [input, n] = this.#inputs.find(([, n]) => place(n) >= 0)!;
      const shape = this.graph.node("Shape", [input]);
      return this.graph.node("Gather", [shape, this.list([place(n)])], { axis: 0 });
    });
  }

  /** Sizes as an operand. */
  sizes(dims: readonly Dim[]): string {
    if (dims.every(isConstant)) return this.list(dims.map((d) => d[0]!));
    return this.once(`sizes ${dims.join(" ")}`, () =>
      this.graph.node(
        "Concat",
        dims.map((d) => this.size(d)),
        { axis: 0 },
      ),
    );
  }

  /** A value in another shape, of as many elements. */
  reshape({ name, dims: from }: Value, dims: readonly Dim[]): Value {
    if (dims.length === from.length && dims.every((d, i) => sameDim(d, from[i]!))) return { name, dims };
    // 0 is the size that the operand has there, and -1 what is left over: the shape is then no result of other operators.
    const told = dims.map((d, i) => (isConstant(d) ? d[0]! : from[i] && sameDim(d, from[i]!) ? 0 : -1));
    const shape = told.filter((x) => x === -1).length > 1 ? this.sizes(dims) : this.list(told);
    return { name: this.graph.node("Reshape", [name, shape]), dims };
  }

  /** A node's value with all elements that it has. */
  whole(n: Node): Value {
    const value = this.value(n);
    const dims = this.dims(n);
    if (value.isWhole) return value;
    if (value.dims.length === dims.length && dims.every((d, i) => sameDim(d, value.dims[i]!))) return value;
    const name = this.graph.node("Expand", [value.name, this.sizes(dims)]);
    const whole = { name, dims };
    this.set(n, whole);
    return whole;
  }

  /** A node's value with as many dimensions as the node, which may be 1. */
  ranked(n: Node): Value {
    const value = this.value(n);
    const missing = n.shape.length - value.dims.length;
    if (missing <= 0) return value;
    const like = this.dims(n)[0]!;
    const ones = Array.from({ length: missing }, () => constantDim(1, like));
    return this.reshape(value, [...ones, ...value.dims]);
  }

  transpose({ name, dims }: Value, axes: readonly number[]): Value {
    if (axes.every((a, i) => a === i)) return { name, dims };
    return { name: this.graph.node("Transpose", [name], { perm: axes }), dims: axes.map((a) => dims[a]!) };
  }

  /** What is stored in a leaf, maybe transposed, if that is the same for inputs of all sizes; null: it is no leaf, or is not. */
  stored(n: Node): Stored | null {
    const leaf = plain(n);
    if (isOp(leaf, "permute") && leaf.shape.length === 2) {
      const matrix = this.stored(leaf.src[0]!);
      if (matrix === null || leaf.attrs.axes[0] === 0) return matrix;
      return { ...matrix, isTransposed: !matrix.isTransposed };
    }
    if (!isOp(leaf, "input") || this.recorded.inputs.has(leaf) || !this.dims(leaf).every(isConstant))
      return null;
    const sources = this.recorded.all(leaf).map((m) => (m as Node<"input">).attrs.source as Storage);
    const [first] = sources as [Storage];
    if (sources.some((s) => s !== first && !sameNumbers(s, first))) return null;
    return storedOf(first, leaf.dtype, leaf.shape);
  }

  /** A number that may be another for inputs of other sizes: a size then, or one divided by it. */
  scalar(values: readonly number[], type: ElementType): string {
    if (values.every((v) => Object.is(v, values[0]))) return this.number(values[0]!, type);
    const sizes = values.map((v) => Math.round(Math.abs(v) < 1 ? 1 / v : v));
    const isSize = sizes.every((size, i) => size === values[i]);
    if (!isSize && !sizes.every((size, i) => Math.fround(1 / size) === Math.fround(values[i]!)))
      throw new ExportError(
        `exportOnnx: a number is ${values.join(", ")} for inputs of sizes that grow in turn; only sizes, and one divided by one, can differ`,
      );
    const scalar = this.cast(this.graph.node("Squeeze", [this.size(sizes)]), type);
    return isSize ? scalar : this.graph.node("Reciprocal", [scalar]);
  }

  /** Numbers that the file has, once; what transposes them is done when the file is loaded. */
  initializer({ key, label, type, dims, isTransposed, read }: Stored): string {
    const name = this.once(`stored ${key}`, () => this.graph.initializer(label, type, dims, bytesOf(read())));
    return isTransposed ? this.transposed(name) : name;
  }

  /** What is stored, transposed. */
  transposed(name: string): string {
    return this.once(`transposed ${name}`, () => this.graph.node("Transpose", [name], { perm: [1, 0] }));
  }

  /** 0, 1, 2… up to a size, as i32. */
  numbers(size: Dim): string {
    return this.once(`numbers ${size}`, () => {
      const end = this.graph.node("Squeeze", [this.size(size)]);
      return this.cast(this.graph.node("Range", [this.number(0, "i64"), end, this.number(1, "i64")]), "i32");
    });
  }

  /** A value as bytes: those, the size of a step, and the byte that stands for 0. */
  asBytes(x: string): readonly [string, string, string] {
    const known = this.#bytes.get(x);
    if (known !== undefined) return known;
    const names = ["quantized", "scale", "zero"].map((name) => `${x}_${name}`);
    const made = this.graph.nodes("DynamicQuantizeLinear", [x], names) as [string, string, string];
    this.#bytes.set(x, made);
    return made;
  }

  /** What is made once in a file: its name, by a key of its own. */
  once(key: string, make: () => string): string {
    let name = this.#constants.get(key);
    if (name === undefined) this.#constants.set(key, (name = make()));
    return name;
  }
}

function sameNumbers(a: Storage, b: Storage): boolean {
  const [x, y] = [a.read(), b.read()];
  return x.length === y.length && x.every((v, i) => Object.is(v, y[i]));
}

/** What a node is the value of: identities mean something to autograd only. */
export function plain(n: Node): Node {
  let at = n;
  while (
    isOp(at, "variable") ||
    isOp(at, "detach") ||
    isOp(at, "stated") ||
    isOp(at, "recomputed") ||
    isOp(at, "barrier")
  )
    at = at.src[0]!;
  return at;
}

function bytesOfNumber(value: number, type: ElementType): Uint8Array {
  if (type === "f32") return bytesOf(Float32Array.of(value));
  if (type === "f64") return bytesOf(Float64Array.of(value));
  if (type === "i32") return bytesOf(Int32Array.of(value));
  return type === "i64" ? wholeNumbers([value]) : Uint8Array.of(value);
}
