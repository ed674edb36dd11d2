import { type DType, dtypes, isFloat, promoteTypes } from "../../base/dtype.ts";
import { ShapeError } from "../../base/errors.ts";
import { broadcastShapes, type Shape, sameShape, shapeText } from "../../base/shape.ts";
import { type Node, node } from "../../ir/node.ts";

/** A node of one number, repeated to a shape. */
export function full(shape: Shape, value: number, dtype: DType): Node {
  return broadcastTo(node("constant", [], { value, dtype }), shape);
}

/** Repeats a node to a shape it broadcasts to. */
export function broadcastTo(x: Node, shape: Shape): Node {
  if (sameShape(x.shape, shape)) return x;
  const rank = shape.length;
  if (x.shape.length > rank || x.shape.some((d, i) => d !== 1 && d !== shape[rank - x.shape.length + i]))
    throw new ShapeError(`expand: ${shapeText(x.shape)} does not broadcast to ${shapeText(shape)}`);
  const aligned =
    x.shape.length === rank
      ? x
      : node("reshape", [x], { shape: [...new Array<number>(rank - x.shape.length).fill(1), ...x.shape] });
  return sameShape(aligned.shape, shape) ? aligned : node("expand", [aligned], { shape });
}

/** Casts where the dtype differs. */
export const cast = (x: Node, dtype: DType): Node => (x.dtype === dtype ? x : node("cast", [x], { dtype }));

/** The dtype in which a storage type computes. */
export const computeType = (dtype: DType): DType =>
  dtypes[dtype].compute ? dtype : dtype === "i8" ? "i32" : "f32";

/** Either a node, or a JavaScript number or boolean, which is weak: it takes the other's dtype if that can hold it. */
export type Operand = Node | number | boolean;

const isNode = (x: Operand): x is Node => typeof x === "object";

function scalarType(value: number | boolean, other: DType): DType {
  if (typeof value === "boolean") return other;
  if (isFloat(other)) return other;
  if (!Number.isInteger(value)) return "f32";
  return other === "bool" ? "i32" : other;
}

/** Brings operands to one dtype, as PyTorch promotes. */
export function promote(operands: readonly Operand[], name: string): { nodes: Node[]; dtype: DType } {
  let dtype: DType | null = null;
  for (const o of operands) if (isNode(o)) dtype = dtype === null ? o.dtype : promoteTypes(dtype, o.dtype);
  dtype ??= operands.every((o) => typeof o === "boolean") ? "bool" : "f32";
  // Among tensors, one of no dimensions promotes only across kinds (bool < integer < float).
  const ranked = operands.filter((o): o is Node => isNode(o) && o.shape.length > 0);
  if (ranked.length > 0) {
    let wide = ranked[0]!.dtype;
    for (const o of ranked) wide = promoteTypes(wide, o.dtype);
    const kind = (d: DType) => (d === "bool" ? 0 : isFloat(d) ? 2 : 1);
    if (kind(wide) === kind(dtype)) dtype = wide;
  }
  for (const o of operands) if (!isNode(o)) dtype = scalarType(o, dtype);
  let shape: Shape = [];
  for (const o of operands) {
    if (!isNode(o)) continue;
    const next = broadcastShapes(shape, o.shape);
    if (next === null)
      throw new ShapeError(
        `${name}: shapes ${operands.filter(isNode).map((n) => shapeText(n.shape)).join(" and ")} do not broadcast; ` +
          "axes must be equal or 1, counted from the last",
      );
    shape = next;
  }
  const nodes = operands.map((o) => (isNode(o) ? broadcastTo(cast(o, dtype), shape) : full(shape, Number(o), dtype)));
  return { nodes, dtype };
}
