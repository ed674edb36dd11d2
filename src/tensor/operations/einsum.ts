import { promoteTypes } from "../../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../../base/errors.ts";
import { broadcastShapes, shapeText } from "../../base/shape.ts";
import { cast, permute, reshape, sum } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { diagonal } from "./movement.ts";
import { broadcastTo, computeDtype, resultDtype } from "./promote.ts";
import { summable } from "./reduction.ts";

/** A tensor with a name for each dimension. */
interface Named {
  readonly x: Node;
  readonly names: readonly string[];
}

const ellipsisName = (i: number): string => `.${i}`;

/** Sums of products by Einstein's convention, as `torch.einsum`, two operands at a time from the left. */
export function einsum(equation: string, operands: readonly Node[]): Node {
  const { inputs, output } = parse(equation, operands);
  const dtype = computeDtype(resultDtype(operands));
  const named = inputs.map((names, i) => withoutRepeats({ x: cast(operands[i]!, dtype), names }, equation));
  const sizes = sizesOf(named, equation);
  let result = named[0]!;
  for (let i = 1; i < named.length; i++) {
    const later = new Set([...output, ...named.slice(i + 1).flatMap((n) => n.names)]);
    result = product(
      drop(result, (n) => later.has(n) || named[i]!.names.includes(n)),
      named[i]!,
      later,
    );
  }
  const left = drop(result, (n) => output.includes(n));
  return permute(
    spread(left.x, left.names, sizes),
    output.map((n) => left.names.indexOf(n)),
  );
}

function parse(equation: string, operands: readonly Node[]): { inputs: string[][]; output: string[] } {
  const text = equation.replaceAll(" ", "");
  const bad = (why: string): ArgumentError => new ArgumentError(`einsum: "${equation}": ${why}`);
  if (!/^(?:[A-Za-z]|\.\.\.|,)*(?:->(?:[A-Za-z]|\.\.\.)*)?$/.test(text))
    throw bad("letters, commas, ... and one -> are understood");
  const [left, right] = text.split("->") as [string, string?];
  const terms = left.split(",");
  if (terms.length !== operands.length) throw bad(`${terms.length} terms for ${operands.length} tensors`);
  let widest = 0;
  const inputs = terms.map((term, i) => {
    const letters = term.replace("...", "").length;
    const free = operands[i]!.shape.length - letters;
    if (term.includes("...") ? free < 0 : free !== 0)
      throw new ShapeError(
        `einsum: "${equation}": the term "${term}" does not fit shape ${shapeText(operands[i]!.shape)}`,
      );
    widest = Math.max(widest, free);
    return { term, free };
  });
  // Dimensions under an ellipsis are named from the right, as they broadcast.
  const name = (term: string, free: number): string[] => {
    const [before, after] = term.split("...") as [string, string?];
    if (after === undefined) return [...before];
    return [...before, ...Array.from({ length: free }, (_, k) => ellipsisName(widest - free + k)), ...after];
  };
  const named = inputs.map(({ term, free }) => name(term, free));
  const letters = [...left.replace(/[^A-Za-z]/g, "")];
  const once = letters.filter((c) => letters.indexOf(c) === letters.lastIndexOf(c)).sort();
  const output = name(right ?? `...${once.join("")}`, widest);
  for (const n of output) {
    if (output.indexOf(n) !== output.lastIndexOf(n)) throw bad(`"${n}" appears twice in the output`);
    if (!named.some((names) => names.includes(n))) throw bad(`"${n}" of the output is in no term`);
  }
  return { inputs: named, output };
}

/** A name that a term repeats stands for the diagonal of its dimensions. */
function withoutRepeats({ x, names }: Named, equation: string): Named {
  const second = names.findIndex((n, i) => names.indexOf(n) < i);
  if (second < 0) return { x, names };
  const first = names.indexOf(names[second]!);
  if (x.shape[first] !== x.shape[second])
    throw new ShapeError(
      `einsum: "${equation}": "${names[first]}" has sizes ${x.shape[first]} and ${x.shape[second]}`,
    );
  const rest = names.filter((_, i) => i !== first && i !== second);
  return withoutRepeats({ x: diagonal(x, 0, first, second), names: [...rest, names[first]!] }, equation);
}

function sizesOf(terms: readonly Named[], equation: string): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { x, names } of terms)
    names.forEach((n, i) => {
      const met = broadcastShapes([sizes.get(n) ?? 1], [x.shape[i]!]);
      if (met === null)
        throw new ShapeError(`einsum: "${equation}": "${n}" has sizes ${sizes.get(n)} and ${x.shape[i]}`);
      sizes.set(n, met[0]!);
    });
  return sizes;
}

/** Sums over the names that nothing needs any more; a sum of integers is i32, as any other. */
function drop({ x, names }: Named, needed: (name: string) => boolean): Named {
  const axes = names.map((_, i) => i).filter((i) => !needed(names[i]!));
  return { x: axes.length === 0 ? x : sum(summable(x), axes), names: names.filter(needed) };
}

/** Dimensions of size 1 that stand for a larger one, repeated. */
const spread = (x: Node, names: readonly string[], sizes: ReadonlyMap<string, number>): Node =>
  broadcastTo(
    x,
    names.map((n) => sizes.get(n)!),
    "einsum",
  );

/** The product of two terms, summed over the names that both have and nothing later needs. */
function product(a: Named, second: Named, later: ReadonlySet<string>): Named {
  const b = drop(second, (n) => later.has(n) || a.names.includes(n));
  const shared = a.names.filter((n) => b.names.includes(n));
  // Where sizes differ (1 against n) the smaller side is left out of the pairing: it only broadcasts.
  const differs = shared.filter((n) => a.x.shape[a.names.indexOf(n)] !== b.x.shape[b.names.indexOf(n)]);
  const unpaired = ({ x, names }: Named): Named => {
    const single = names.map((n, i) => differs.includes(n) && x.shape[i] === 1);
    return {
      x: reshape(
        x,
        x.shape.filter((_, i) => !single[i]),
      ),
      names: names.filter((_, i) => !single[i]),
    };
  };
  const [l, r] = [unpaired(a), unpaired(b)];
  const paired = shared.filter((n) => !differs.includes(n));
  const contracted = paired.filter((n) => !later.has(n));
  const batch = paired.filter((n) => later.has(n));
  const own = ({ names }: Named): string[] => names.filter((n) => !paired.includes(n));
  // A factor that was summed on its own may have become wider than the other.
  const dtype = promoteTypes(l.x.dtype, r.x.dtype);
  if (dtype === "bool" && contracted.length > 0)
    throw new DTypeError('einsum: sums of products are of numbers, not bool; cast with to("i32")');
  const factors = [l.x, r.x].map((x) => cast(x, dtype === "bool" ? "i32" : dtype));
  const x = node("dot", factors, {
    leftBatch: batch.map((n) => l.names.indexOf(n)),
    rightBatch: batch.map((n) => r.names.indexOf(n)),
    leftContract: contracted.map((n) => l.names.indexOf(n)),
    rightContract: contracted.map((n) => r.names.indexOf(n)),
  });
  const result = { x: cast(x, dtype), names: [...batch, ...own(l), ...own(r)] };
  return drop(result, (n) => later.has(n));
}
