import { add, padAxis } from "../ir/build.ts";
import { isOp, type Node, node } from "../ir/node.ts";

/** A gradient that is 0 but for a piece along one axis. */
interface Piece {
  readonly axis: number;
  readonly start: number;
  readonly x: Node;
}

/** Pieces that lie side by side, from `start` up to and without `end`. */
interface Run {
  readonly axis: number;
  readonly start: number;
  end: number;
  readonly xs: Node[];
}

function pieceOf(term: Node): Piece | null {
  if (!isOp(term, "pad") || !Object.is(term.attrs.value, 0)) return null;
  const { low, high } = term.attrs;
  const axes = low.flatMap((l, i) => (l > 0 || high[i]! > 0 ? [i] : []));
  const [axis] = axes;
  if (axes.length !== 1 || low[axis!]! < 0 || high[axis!]! < 0) return null;
  return { axis: axis!, start: low[axis!]!, x: term.src[0]! };
}

/**
 * The terms of a gradient, as few as can be: those of pieces side by side, as of `split`, become one, where zeros around
 * each, and their sum, would go through memory several times. Terms that do not lie so are as they were.
 */
export function joined(terms: readonly Node[]): readonly Node[] {
  if (!terms.some((t) => t.op === "pad")) return terms;
  const pieces = terms.map(pieceOf);
  const sorted = pieces.filter((p) => p !== null).sort((a, b) => a.axis - b.axis || a.start - b.start);
  if (sorted.length < 2) return terms;
  const runs: Run[] = [];
  for (const { axis, start, x } of sorted) {
    const run = runs.at(-1);
    const end = start + x.shape[axis]!;
    const last = run?.xs.at(-1);
    if (run === undefined || run.axis !== axis) runs.push({ axis, start, end, xs: [x] });
    else if (run.end === end && last!.shape[axis] === x.shape[axis]) run.xs.splice(-1, 1, add(last!, x));
    else if (run.end === start) {
      run.xs.push(x);
      run.end = end;
    } else runs.push({ axis, start, end, xs: [x] });
  }
  if (runs.length === sorted.length) return terms;
  return [
    ...terms.filter((_, i) => pieces[i] === null),
    ...runs.map(({ axis, start, end, xs }) => {
      const whole = xs.length === 1 ? xs[0]! : node("concat", xs, { axis });
      return padAxis(whole, axis, start, terms[0]!.shape[axis]! - end, 0);
    }),
  ];
}
