import { table } from "../base/table.ts";
import type { Movement } from "./start.ts";

/** What a step has done to one parameter since it was made. */
export interface ParameterReport {
  readonly path: string;
  /** The tasks that trained it: the strings among the arguments of the calls that did. */
  readonly trainedBy: readonly string[];
  readonly timesStepped: number;
  /** Null where it is not known: with `report: false`, or where what was never trained has changed. */
  readonly moved: Movement | null;
  /**
   * Whether a bit differed from when it was frozen, at any time that it was. `"written"`: none did where bits were
   * compared, but something wrote to it at a time when they were not, perhaps the same bits. Null where it never was
   * frozen, or nobody looked.
   */
  readonly whileFrozen: "unchanged" | "changed" | "written" | null;
  /**
   * Bits that differ from when it was last frozen, over all times that it was: 0 where nothing has changed, null where
   * something has or may have and no copy says how much, or with `report: false`.
   */
  readonly bitsChangedWhileFrozen: number | null;
  /**
   * How many of the times that it was frozen its bits were not compared, because comparing at every change of what is
   * frozen would have taken more than 0.2 % of the time. Of these it is known whether thaw has written to it; what has
   * written past thaw shows only where bits were compared. `report: true` compares them each time.
   */
  readonly timesNotCompared: number;
}

/** What a step has done to each parameter; as text, a table. */
export class Report {
  readonly parameters: readonly ParameterReport[];

  constructor(parameters: readonly ParameterReport[]) {
    this.parameters = parameters;
  }

  toString(): string {
    return [...table(reportHead, this.parameters.map(reportCells)), ...notesOf(this.parameters)].join("\n");
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/** The headings of a report's table. */
export const reportHead = ["parameter", "trained by", "steps", "moved", "largest change", "while frozen"];

/** A parameter's row in it. */
export const reportCells = ({ path, trainedBy, timesStepped, moved, ...rest }: ParameterReport): string[] => [
  path,
  trainedBy.join(", ") || (timesStepped > 0 ? "every step" : "–"),
  String(timesStepped),
  moved === null ? "–" : `${moved.exact ? "" : "≈ "}${moved.norm.toPrecision(moved.exact ? 4 : 2)}`,
  moved === null || moved.max === null ? "–" : moved.max.toPrecision(4),
  frozenText(rest),
];

/** What signs in such rows mean, a line for each that is there. */
export function notesOf(parameters: readonly ParameterReport[]): string[] {
  const notes: string[] = [];
  if (parameters.some(({ timesNotCompared }) => timesNotCompared > 0))
    notes.push(
      "*: at some times not by bits, for want of time, but by whether thaw has written to it; trainStep with { report: true } always compares bits",
    );
  if (parameters.some(({ moved }) => moved?.exact === false))
    notes.push("≈: estimated, for want of a copy of the start; trainStep with { report: true } keeps one");
  return notes;
}

function frozenText({
  whileFrozen,
  bitsChangedWhileFrozen: bits,
  timesNotCompared,
}: Pick<ParameterReport, "whileFrozen" | "bitsChangedWhileFrozen" | "timesNotCompared">): string {
  if (whileFrozen === null) return "–";
  if (whileFrozen !== "changed") return `${whileFrozen}${timesNotCompared > 0 ? "*" : ""}`;
  return bits === null ? "changed" : `${bits} bit${bits === 1 ? "" : "s"} changed`;
}
