/** A point of a line search: how far along the line, the loss there, its gradient, and its slope along the line. */
export interface LinePoint {
  readonly t: number;
  readonly loss: number;
  readonly gradient: Float64Array;
  readonly slope: number;
}

/** What a line search has found, and how often it has asked for the loss. */
export interface LineSearchResult {
  readonly point: LinePoint;
  readonly evaluations: number;
}

// How much of what the slope promises the loss must fall, and how much of its steepness the slope may keep: PyTorch's.
const decrease = 1e-4;
const curvature = 0.9;

/** What a line search has to begin with. */
export interface LineSearch {
  readonly start: LinePoint;
  readonly firstStep: number;
  /** The largest number of the direction, and the change below which there is nothing to gain. */
  readonly largestMove: number;
  readonly toleranceChange: number;
  /** How many rounds of evaluations there may be after the first. */
  readonly maxRounds: number;
  readonly at: (t: number) => LinePoint;
}

/** The place of the lowest point of the cubic through two points with their slopes, within bounds. */
function cubicMinimum(
  a: LinePoint,
  b: LinePoint,
  low = Math.min(a.t, b.t),
  high = Math.max(a.t, b.t),
): number {
  const d1 = a.slope + b.slope - (3 * (a.loss - b.loss)) / (a.t - b.t);
  const square = d1 * d1 - a.slope * b.slope;
  // Not below 0, and no NaN either.
  if (!(square >= 0)) return (low + high) / 2;
  const d2 = Math.sqrt(square);
  const [first, second] = a.t <= b.t ? [a, b] : [b, a];
  const place =
    second.t - (second.t - first.t) * ((second.slope + d2 - d1) / (second.slope - first.slope + 2 * d2));
  // Python's min and max, in which a NaN that comes first stays.
  const above = low > place ? low : place;
  return high < above ? high : above;
}

/**
 * A point along a line that fulfils the strong Wolfe conditions, or the best that is found: a bracket is widened until it
 * must hold one, then narrowed by cubics. After minFunc by way of PyTorch's `_strong_wolfe`.
 */
export function strongWolfe(search: LineSearch): LineSearchResult {
  const { start, firstStep, maxRounds, at } = search;
  const falls = (p: LinePoint): boolean => !(p.loss > start.loss + decrease * p.t * start.slope);
  const isFlat = (p: LinePoint): boolean => Math.abs(p.slope) <= -curvature * start.slope;
  let previous = start;
  let point = at(firstStep);
  let evaluations = 1;
  let rounds = 0;
  let bracket: [LinePoint, LinePoint] | null = null;
  for (; rounds < maxRounds; rounds++) {
    if (!falls(point) || (rounds > 1 && point.loss >= previous.loss)) {
      bracket = [previous, point];
      break;
    }
    if (isFlat(point)) return { point, evaluations };
    if (point.slope >= 0) {
      bracket = [previous, point];
      break;
    }
    const t = cubicMinimum(previous, point, point.t + 0.01 * (point.t - previous.t), point.t * 10);
    previous = point;
    point = at(t);
    evaluations++;
  }
  bracket ??= [start, point];
  return narrowed(bracket, { ...search, rounds, evaluations, falls, isFlat });
}

interface Narrowing extends LineSearch {
  readonly rounds: number;
  readonly evaluations: number;
  readonly falls: (p: LinePoint) => boolean;
  readonly isFlat: (p: LinePoint) => boolean;
}

/** The best point of a bracket, which is made smaller until it fulfils the conditions. */
function narrowed(bracket: [LinePoint, LinePoint], how: Narrowing): LineSearchResult {
  let { rounds, evaluations } = how;
  // Which of the two has the lower loss.
  let low = bracket[0].loss <= bracket[1].loss ? 0 : 1;
  let isSlow = false;
  while (rounds < how.maxRounds) {
    const [a, b] = bracket;
    if (Math.abs(b.t - a.t) * how.largestMove < how.toleranceChange) break;
    const [least, most] = [Math.min(a.t, b.t), Math.max(a.t, b.t)];
    let t = cubicMinimum(a, b);
    // Close to an end twice, or at it, a tenth of the bracket is gone from there.
    const margin = 0.1 * (most - least);
    if (Math.min(most - t, t - least) < margin) {
      if (isSlow || t >= most || t <= least) {
        t = Math.abs(t - most) < Math.abs(t - least) ? most - margin : least + margin;
        isSlow = false;
      } else isSlow = true;
    } else isSlow = false;
    const point = how.at(t);
    evaluations++;
    rounds++;
    const high = 1 - low;
    if (!how.falls(point) || point.loss >= bracket[low]!.loss) {
      bracket[high] = point;
      low = bracket[0].loss <= bracket[1].loss ? 0 : 1;
      continue;
    }
    if (how.isFlat(point)) return { point, evaluations };
    if (point.slope * (bracket[high]!.t - bracket[low]!.t) >= 0) bracket[high] = bracket[low]!;
    bracket[low] = point;
  }
  return { point: bracket[low]!, evaluations };
}
