import { readElement, type TypedArray } from "../base/dtype.ts";
import { ExportError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import type { Storage } from "../engine/storage.ts";
import type { Node } from "../ir/node.ts";
import { constantDim } from "./dim.ts";
import type { Emitter, Value } from "./emitter.ts";
import { storedOf } from "./stored.ts";

/** 0, 1, 2… along one axis, of 1 along others. */
export function counted(e: Emitter, n: Node, axis: number): Value {
  const dims = e.dims(n);
  const numbers = e.numbers(dims[axis]!);
  const vector = n.dtype === "i32" ? numbers : e.cast(numbers, e.type(n));
  const alone = dims.map((d, i) => (i === axis ? d : constantDim(1, d)));
  return e.reshape({ name: vector, dims: [dims[axis]!] }, alone);
}

/** What is stored, or follows from sizes of inputs. What is stored is written when it is asked for. */
export function leaf(e: Emitter, n: Node<"input">): void {
  if (e.stored(n) !== null) return;
  if (n.shape.length === 0) {
    const values = e.recorded
      .all(n)
      .map((m) => readElement(n.dtype, ((m as Node<"input">).attrs.source as Storage).read(), 0));
    e.set(n, { name: e.scalar(values, e.type(n)), dims: [] });
    return;
  }
  const steps = e.recorded.all(n).map((m) => stepsOf(m as Node<"input">));
  const [first] = steps;
  if (
    first === null ||
    first === undefined ||
    steps.some((s) => s === null || s[0] !== first[0] || s[1] !== first[1])
  ) {
    e.set(n, corner(e, n));
    return;
  }
  const numbers = counted(e, n, 0).name;
  const scaled = e.graph.node("Mul", [numbers, e.number(first[1], e.type(n))]);
  e.set(n, { name: e.graph.node("Add", [scaled, e.number(first[0], e.type(n))]), dims: e.dims(n) });
}

/** A tensor that the function makes of sizes, as a part of the one that it makes of the largest. */
function corner(e: Emitter, n: Node<"input">): Value {
  const whole = e.recorded.largest(n) as Node<"input"> | null;
  const isCorner = (m: Node<"input">): boolean => {
    const [part, all] = [m, whole!].map((one) => (one.attrs.source as Storage).read()) as [
      TypedArray,
      TypedArray,
    ];
    return part.every((x, i) => Object.is(x, all[placeIn(i, m.shape, whole!.shape)]));
  };
  const fits = whole?.shape.every((d, i) => e.dims(n)[i]!.every((size) => size <= d));
  if (whole === null || !fits || !e.recorded.all(n).every((m) => isCorner(m as Node<"input">)))
    throw new ExportError(
      `exportOnnx: a tensor of ${n.dtype} that the model has made depends on the sizes of its inputs; only numbers that go up in equal steps, as arange makes, can, ` +
        "or where the largest sizes are told, what is the beginning of the same for the largest",
    );
  const name = e.initializer(storedOf(whole.attrs.source as Storage, n.dtype, whole.shape));
  const axes = n.shape.map((_, i) => i);
  const starts = e.list(axes.map(() => 0));
  return { name: e.graph.node("Slice", [name, starts, e.sizes(e.dims(n)), e.list(axes)]), dims: e.dims(n) };
}

/** Where the element at a place of a shape is in a larger one, of which that is the beginning. */
function placeIn(at: number, shape: Shape, larger: Shape): number {
  let place = 0;
  let rest = at;
  let size = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    place += (rest % shape[d]!) * size;
    rest = Math.floor(rest / shape[d]!);
    size *= larger[d]!;
  }
  return place;
}

/** Of numbers that go up in equal steps the first and the step; null: they do not. */
function stepsOf(n: Node<"input">): readonly [number, number] | null {
  if (n.shape.length !== 1) return null;
  const data = (n.attrs.source as Storage).read();
  const at = (i: number): number => readElement(n.dtype, data, i);
  const step = at(1) - at(0);
  for (let i = 0; i < n.shape[0]!; i++) if (at(i) !== at(0) + i * step) return null;
  return [at(0), step];
}
