import { escaped } from "./html.ts";

/** A line of a chart. */
export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

const [width, height] = [720, 240];
const margin = { left: 56, right: 12, top: 10, bottom: 28 };
const colours = ["a", "b", "c", "d"];
/** More points than there are dots across show nothing more. */
const mostPoints = 700;

/** A chart of lines over updates, as SVG, with a key below it. */
export function chart(title: string, given: readonly Line[]): string {
  const lines = given
    .map(({ name, points }) => ({ name, points: thinned(points.filter(([, y]) => Number.isFinite(y))) }))
    .filter(({ points }) => points.length > 0);
  if (lines.length === 0) return "";
  const all = lines.flatMap(({ points }) => points);
  const x = scale(
    all.map(([at]) => at),
    [margin.left, width - margin.right],
  );
  const y = scale(
    all.map(([, value]) => value),
    [height - margin.bottom, margin.top],
  );
  const ticks = (from: readonly [number, number]): number[] =>
    [0, 0.25, 0.5, 0.75, 1].map((part) => from[0] + part * (from[1] - from[0]));
  const across = ticks(y.range).map((value) => {
    const at = y.of(value).toFixed(1);
    return `<line class="axis" x1="${margin.left}" x2="${width - margin.right}" y1="${at}" y2="${at}"/><text x="${margin.left - 6}" y="${at}" dy="4" text-anchor="end">${number(value)}</text>`;
  });
  const down = ticks(x.range).map(
    (value) =>
      `<text x="${x.of(value).toFixed(1)}" y="${height - 8}" text-anchor="middle">${Math.round(value)}</text>`,
  );
  const paths = lines.map(({ points }, i) => {
    const d = points.map(
      ([at, value], j) => `${j === 0 ? "M" : "L"}${x.of(at).toFixed(1)} ${y.of(value).toFixed(1)}`,
    );
    // One point alone would be no line.
    const dots =
      points.length > 30
        ? ""
        : points
            .map(
              ([at, value]) =>
                `<circle class="${colours[i % 4]}" cx="${x.of(at).toFixed(1)}" cy="${y.of(value).toFixed(1)}" r="2.5"><title>${at}: ${number(value)}</title></circle>`,
            )
            .join("");
    return `<path class="${colours[i % 4]}" d="${d.join("")}"/>${dots}`;
  });
  const key = lines.map(({ name }, i) => `<span><i class="${colours[i % 4]}"></i>${escaped(name)}</span>`);
  return `<figure><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">${[...across, ...down, ...paths].join("")}</svg><figcaption class="key">${key.join("")}</figcaption></figure>`;
}

function scale(values: readonly number[], [from, to]: readonly [number, number]) {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  if (least === most) [least, most] = [least - 0.5, most + 0.5];
  return {
    range: [least, most] as const,
    of: (value: number): number => from + ((value - least) / (most - least)) * (to - from),
  };
}

/** Fewer points, each the mean of those that it stands for. */
function thinned(points: Line["points"]): Line["points"] {
  const size = Math.ceil(points.length / mostPoints);
  if (size <= 1) return points;
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const some = points.slice(i * size, (i + 1) * size);
    const sum = (of: 0 | 1): number => some.reduce((total, point) => total + point[of], 0) / some.length;
    return [sum(0), sum(1)] as const;
  });
}

const number = (value: number): string => String(Number(value.toPrecision(3)));
