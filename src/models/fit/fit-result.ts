import { percent, table } from "../../base/table.ts";
import type { Report } from "../../train/report.ts";
import type { LabelMetrics } from "../metrics/label-metrics.ts";
import { type Metrics, numbersIn } from "../metrics/metrics.ts";
import type { PhaseRecord } from "./phases/phase.ts";
import { type PrefixRecord, prefixText } from "./prefix/prefix-record.ts";
import type { Rate } from "./rates.ts";

/** What has become of one epoch. */
export interface EpochRecord<M extends Metrics = Metrics> {
  /** Counted from 1. */
  readonly epoch: number;
  /** How many updates there had been at its end. */
  readonly step: number;
  /** The mean of the loss that was trained by, over the epoch's labels. */
  readonly trainLoss: number;
  /** Of `eval`; null where none is given. */
  readonly metrics: M | null;
}

/** What `fit` has done; as text, tables of it. */
export class FitResult<M extends Metrics = Metrics> {
  /** One entry an epoch. */
  readonly history: readonly EpochRecord<M>[];
  /** Metrics of before the first update, of a model that makes embeddings; null of others, and without `eval`. */
  readonly before: M | null;
  /** The epoch whose weights the model has now: the last, or the best. */
  readonly epoch: number;
  /** What was trained, and at which rates. */
  readonly rates: readonly Rate[];
  /** Which parameters were trained from which update on. */
  readonly phases: readonly PhaseRecord[];
  /** For each phase what was kept of its frozen layers, so that they were run once a text; or why nothing was. */
  readonly prefixes: readonly PrefixRecord[];
  readonly #report: () => Report;

  constructor(
    history: readonly EpochRecord<M>[],
    before: M | null,
    epoch: number,
    rates: readonly Rate[],
    report: () => Report,
    { phases, prefixes }: { phases: readonly PhaseRecord[]; prefixes: readonly PrefixRecord[] },
  ) {
    this.phases = phases;
    this.prefixes = prefixes;
    this.history = history;
    this.before = before;
    this.epoch = epoch;
    this.rates = rates;
    this.#report = report;
  }

  /** Those of the epoch whose weights the model has; null without `eval`. */
  get metrics(): M | null {
    return this.history.find(({ epoch }) => epoch === this.epoch)?.metrics ?? null;
  }

  /** What has been done to each parameter, and whether what is frozen is unchanged. */
  report(): Report {
    return this.#report();
  }

  toString(): string {
    const rates = this.rates.map(({ of, lr, paths }) => [of, lr.toPrecision(3), paths.length]);
    const names = numbersIn(this.history[0]?.metrics ?? null).map(([name]) => name);
    const epochs = this.history.map(({ epoch, step, trainLoss, metrics }) => [
      `${epoch}${epoch === this.epoch ? " (kept)" : ""}`,
      step,
      trainLoss.toPrecision(4),
      ...numbersIn(metrics).map(([, value]) => value.toPrecision(4)),
    ]);
    if (this.before !== null)
      epochs.unshift(["before", 0, "–", ...numbersIn(this.before).map(([, value]) => value.toPrecision(4))]);
    const tables = [
      table(["trained", "rate", "parameters"], rates),
      table(["epoch", "updates", "train loss", ...names.map((name) => `eval ${name}`)], epochs),
    ];
    const { labels } = (this.metrics ?? {}) as { labels?: readonly LabelMetrics[] };
    if (labels !== undefined) {
      const rows = labels.map(({ label, precision, recall, f1, support }) => [
        label,
        ...[precision, recall, f1].map(percent),
        support,
      ]);
      tables.push(table(["label", "precision", "recall", "F1", "support"], rows));
    }
    if (this.phases.length > 1)
      tables.push(
        table(
          ["from update", "epoch", "trains"],
          this.phases.map(({ step, epoch, trains }) => [step, epoch, [trains].flat().join(" ")]),
        ),
      );
    tables.push(this.prefixes.map(prefixText));
    return tables.map((lines) => lines.join("\n")).join("\n\n");
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}
