import { ExportError } from "../base/errors.ts";

/** A size as it was each time that a function was recorded: first, with one more of each symbol in turn. */
export type Dim = readonly number[];

/** A size that inputs have, and others are made of: its name, and what it was first. */
export interface SizeSymbol {
  readonly name: string;
  readonly first: number;
}

/** Whether a size is always the same. */
export const isConstant = (d: Dim): boolean => d.every((x) => x === d[0]);

/** A size that is the same each time, of as many recordings as another. */
export const constantDim = (value: number, like: Dim): Dim => like.map(() => value);

/** Whether two sizes were the same each time. */
export const sameDim = (a: Dim, b: Dim): boolean => a.every((x, i) => x === b[i]);

/** Whether a size is always 1. */
export const isOne = (d: Dim): boolean => d.every((x) => x === 1);

/** `times` · the product of `of`, and `plus`: what a size is of symbols, which are places in their list. */
export interface Expression {
  readonly times: number;
  readonly of: readonly number[];
  readonly plus: number;
}

/** What a size is of symbols. Throws `ExportError` for what is neither a multiple of a product nor of one symbol, and more. */
export function expressionOf(d: Dim, symbols: readonly SizeSymbol[]): Expression {
  const first = d[0]!;
  const of = symbols.flatMap((_, i) => (d[i + 1] === first ? [] : [i]));
  const product = of.reduce((all, i) => all * symbols[i]!.first, 1);
  const times = first / product;
  const isProduct =
    Number.isInteger(times) &&
    symbols.every((s, i) => d[i + 1] === (of.includes(i) ? (first / s.first) * (s.first + 1) : first));
  if (isProduct) return { times, of, plus: 0 };
  if (of.length === 1) {
    const slope = d[of[0]! + 1]! - first;
    return { times: slope, of, plus: first - slope * symbols[of[0]!]!.first };
  }
  throw new ExportError(
    `exportOnnx: a size is ${d.join(", ")} where ${symbols.map((s) => s.name).join(" and ")} grow in turn, which is no ` +
      "product of them; give inputs of fixed sizes",
  );
}
