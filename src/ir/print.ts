import { numberText } from "../base/exact-text.ts";
import { shapeText } from "../base/shape.ts";
import type { Node } from "./node.ts";

/** A graph as text, one node a line: `%3 = add f32[2, 3] %1, %2`. Operands outside `order` print as `%?`. */
export function print(order: readonly Node[]): string {
  const names = new Map(order.map((n, i) => [n, `%${i}`]));
  return order.map((n) => line(n, names)).join("\n");
}

function line(n: Node, names: ReadonlyMap<Node, string>): string {
  const src = n.src.map((s) => names.get(s) ?? "%?").join(", ");
  const parts = [`${names.get(n)} = ${n.op} ${n.dtype}${shapeText(n.shape)}`, src, attrsText(n)];
  return parts.filter((part) => part !== "").join(" ");
}

/** What a node's attributes say that its type does not. */
function attrsText(n: Node): string {
  const shown = Object.entries(n.attrs).filter(
    ([key, value]) => key !== "shape" && key !== "dtype" && typeof value !== "function" && key !== "owner",
  );
  if (shown.length === 0) return "";
  return `{${shown.map(([key, value]) => `${key}: ${valueText(value)}`).join(", ")}}`;
}

function valueText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.join(", ")}]`;
  if (typeof value === "number") return numberText(value);
  if (typeof value === "object" && value !== null && "id" in value) return `#${value.id}`;
  return String(value);
}
