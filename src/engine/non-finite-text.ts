import { shapeText, sizeOf } from "../base/shape.ts";
import { isOp, type Node } from "../ir/node.ts";
import type { Op } from "../ir/op.ts";
import { originOf } from "../ir/origin.ts";
import { callSiteOf } from "./call-site.ts";
import type { NonFinite } from "./non-finite.ts";
import type { Storage } from "./storage.ts";

/** What a stored value is called, with what kind of thing it is: "the parameter head.weight"; null: unknown. */
export type NameOf = (storage: Storage) => string | null;

/** Says where values that are not finite begin, what made them, and what to do about it. */
export function nonFiniteText(found: NonFinite, nameOf: NameOf): string {
  const { node } = found;
  if (isOp(node, "input")) return leafText(found, node.attrs.source as Storage, nameOf);
  const { operation, place } = placeOf(node);
  const many = sizeOf(node.shape) > 1 ? `, at ${positionText(found)}` : "";
  return `It begins in ${place}: ${madeOf(found)}${many}. ${hintFor(found, operation)}`;
}

function leafText(found: NonFinite, storage: Storage, nameOf: NameOf): string {
  const { node, value } = found;
  const name = nameOf(storage) ?? (storage.label || `a tensor of shape ${shapeText(node.shape)}`);
  const held = `It begins in ${name}, which holds ${value}${sizeOf(node.shape) > 1 ? ` at ${positionText(found)}` : ""}.`;
  return storage.resident
    ? `${held} It held that before this step: an earlier one or a file has brought it. Go back to a checkpoint from before, and clip the gradient or lower the learning rate.`
    : `${held} Look at where its values come from.`;
}

const positionText = ({ node, index, count }: NonFinite): string =>
  `[${index.join(", ")}]${count === 1 ? "" : ` and ${count - 1} more`} of ${sizeOf(node.shape)} elements`;

/** The operation that a node is part of, and the text that says where it is. */
function placeOf(node: Node): { operation: string; place: string } {
  const origin = originOf(node);
  const forward = origin?.gradientOf ?? null;
  if (forward !== null) {
    const { operation, place } = placeOf(forward);
    return { operation, place: `the gradient of ${place}` };
  }
  const { operation: called, place: line } = callSiteOf(origin?.stack.stack ?? "");
  const operation = called ?? node.op;
  const scope = origin?.scope ?? null;
  return {
    operation,
    place: operation + (scope === null ? "" : ` in ${scope}`) + (line === null ? "" : `, called at ${line}`),
  };
}

const signs: { readonly [K in Op]?: string } = {
  add: "+",
  sub: "−",
  mul: "·",
  div: "/",
  pow: "to the power of",
};

/** What a node did to make what is not finite. */
function madeOf({ node, value, operands }: NonFinite): string {
  if (operands !== null) {
    const sign = signs[node.op];
    const numbers = operands.map(numberText);
    const done = sign === undefined ? `${node.op}(${numbers.join(", ")})` : numbers.join(` ${sign} `);
    return `${done} is ${value}`;
  }
  if (isOp(node, "constant")) return `the number that it was given is ${value}`;
  if (isOp(node, "hostScalar")) return `a number of this step, such as a learning rate, is ${value}`;
  const word = names[node.op] ?? node.op;
  return `${word} of values of shape ${shapeText(node.src[0]?.shape ?? [])} is ${value}`;
}

const names: { readonly [K in Op]?: string } = {
  dot: "a product",
  sum: "a sum",
  prod: "a product",
  cumsum: "a sum",
};

/** Digits that tell a number from its neighbours where it matters here. */
const numberText = (x: number): string =>
  Object.is(x, -0)
    ? "-0"
    : Number.isInteger(x) && Math.abs(x) < 1e6
      ? String(x)
      : String(Number(x.toPrecision(4)));

/** Losses whose mean is over the labels that count. */
const overLabels = new Set(["crossEntropy", "nllLoss"]);

/** What usually causes it, and what helps. */
function hintFor({ node, value, operands, ofInfinite }: NonFinite, operation: string): string {
  const [a = Number.NaN, b = Number.NaN] = operands ?? [];
  const forward = originOf(node)?.gradientOf ?? null;
  if (isOp(node, "constant")) return "Look at where it comes from.";
  if (isOp(node, "hostScalar")) return "Look at the options of the optimizer's groups, and at its schedule.";
  if (ofInfinite)
    return "It was made of infinite values that were given, as a mask's are: leave something in every row, or mask with a large finite number.";
  if (node.op === "div" && b === 0) {
    if (forward !== null) return slopeHint(forward.op);
    if (overLabels.has(operation))
      return 'No label counts: each is ignored (ignoreIndex) or of a class of weight 0, and a mean over none divides by 0. Leave such a batch out, or take reduction: "sum".';
    return "Add a small number to what divides, or leave those elements out.";
  }
  if (node.op === "log") return a < 0 ? "A negative number has no logarithm." : logHint;
  if (node.op === "log1p") return a < -1 ? "Below −1 it has no value." : logHint;
  if (node.op === "sqrt") return "A negative number has no root: clamp it at 0 first.";
  if (node.op === "pow")
    return a === 0
      ? slopeHint("pow")
      : Number.isNaN(value)
        ? "A negative number has no power that is not whole."
        : overflowHint;
  if (node.op === "exp" || node.op === "expm1")
    return "It overflows: subtract the largest value first, as softmax, logSoftmax and logsumexp do, or lower the learning rate.";
  if (Number.isNaN(value)) return "Look at what it was given.";
  return overflowHint;
}

const logHint = "Clamp what it takes, or work with logSoftmax, crossEntropy or binaryCrossEntropyWithLogits.";
const overflowHint =
  "The numbers are too large for their dtype: scale the inputs, clip the gradient or lower the learning rate.";

/** What helps where the slope of a function is infinite. */
function slopeHint(op: Op): string {
  if (op === "sqrt" || op === "pow")
    return "Its slope at 0 is infinite: add a small number under the root (or to what is raised).";
  return (
    "Its slope there is infinite. A gradient goes through both branches of where(): " +
    "give this a harmless value where the other branch is taken."
  );
}
