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
  /** Whether a bit differed from when it was frozen, at any time that it was; null where it never was, or nobody looked. */
  readonly whileFrozen: "unchanged" | "changed" | null;
  /**
   * Bits that differ from when it was last frozen, over all times that it was: 0 where nothing has changed, null where
   * something has and no copy says how much, or with `report: false`.
   */
  readonly bitsChangedWhileFrozen: number | null;
}

/** What a step has done to each parameter; as text, a table. */
export class Report {
  readonly parameters: readonly ParameterReport[];

  constructor(parameters: readonly ParameterReport[]) {
    this.parameters = parameters;
  }

  toString(): string {
    const head = ["parameter", "trained by", "steps", "moved", "largest change", "while frozen"];
    const rows = this.parameters.map(({ path, trainedBy, timesStepped, moved, ...rest }) => [
      path,
      trainedBy.join(", ") || (timesStepped > 0 ? "every step" : "–"),
      String(timesStepped),
      moved === null ? "–" : `${moved.exact ? "" : "≈ "}${moved.norm.toPrecision(moved.exact ? 4 : 2)}`,
      moved === null || moved.max === null ? "–" : moved.max.toPrecision(4),
      frozenText(rest),
    ]);
    const lines = table(head, rows);
    if (this.parameters.some(({ moved }) => moved?.exact === false))
      lines.push("≈: estimated, for want of a copy of the start; trainStep with { report: true } keeps one");
    return lines.join("\n");
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

function frozenText({
  whileFrozen,
  bitsChangedWhileFrozen: bits,
}: Pick<ParameterReport, "whileFrozen" | "bitsChangedWhileFrozen">): string {
  if (whileFrozen !== "changed") return whileFrozen ?? "–";
  return bits === null ? "changed" : `${bits} bit${bits === 1 ? "" : "s"} changed`;
}
