import { percent, table } from "../../base/table.ts";
import type { Report } from "../../train/report.ts";
import type { ClassMetrics } from "../metrics/class-metrics.ts";
import type { Rate } from "./rates.ts";

/** What has become of one epoch. */
export interface EpochRecord {
  /** Counted from 1. */
  readonly epoch: number;
  /** How many updates there had been at its end. */
  readonly step: number;
  /** The mean of the loss that was trained by, over the epoch's texts. */
  readonly trainLoss: number;
  /** Of `eval`; null where none is given. */
  readonly metrics: ClassMetrics | null;
}

/** What `fit` has done; as text, tables of it. */
export class FitResult {
  /** One entry an epoch. */
  readonly history: readonly EpochRecord[];
  /** The epoch whose weights the model has now: the last, or the best. */
  readonly epoch: number;
  /** What was trained, and at which rates. */
  readonly rates: readonly Rate[];
  readonly #report: () => Report;

  constructor(history: readonly EpochRecord[], epoch: number, rates: readonly Rate[], report: () => Report) {
    this.history = history;
    this.epoch = epoch;
    this.rates = rates;
    this.#report = report;
  }

  /** Those of the epoch whose weights the model has; null without `eval`. */
  get metrics(): ClassMetrics | null {
    return this.history.find(({ epoch }) => epoch === this.epoch)?.metrics ?? null;
  }

  /** What has been done to each parameter, and whether what is frozen is unchanged. */
  report(): Report {
    return this.#report();
  }

  toString(): string {
    const rates = this.rates.map(({ of, lr, paths }) => [of, lr.toPrecision(3), paths.length]);
    const epochs = this.history.map(({ epoch, step, trainLoss, metrics }) => [
      `${epoch}${epoch === this.epoch ? " (kept)" : ""}`,
      step,
      trainLoss.toPrecision(4),
      metrics?.loss.toPrecision(4) ?? "–",
      metrics === null ? "–" : percent(metrics.accuracy),
      metrics === null ? "–" : percent(metrics.macroF1),
    ]);
    const labels = this.metrics?.labels.map(({ label, precision, recall, f1, support }) => [
      label,
      percent(precision),
      percent(recall),
      percent(f1),
      support,
    ]);
    return [
      table(["trained", "rate", "parameters"], rates),
      table(["epoch", "updates", "loss", "eval loss", "accuracy", "macro F1"], epochs),
      ...(labels === undefined ? [] : [table(["label", "precision", "recall", "F1", "texts"], labels)]),
    ]
      .map((lines) => lines.join("\n"))
      .join("\n\n");
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}
