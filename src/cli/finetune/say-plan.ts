import { printable } from "../../base/printable.ts";
import { grouped, percent } from "../../base/table.ts";
import type { FrozenMode } from "../../models/fit/frozen-mode.ts";
import type { RunPlan } from "../../models/fit/run-plan.ts";
import { numbersIn } from "../../models/metrics/metrics.ts";
import type { TextDataset } from "../../models/text-data/text-dataset.ts";
import type { Baseline } from "./baseline.ts";
import type { Texts } from "./texts.ts";

/** What is known of a run before it begins. */
export interface Planned {
  readonly files: { readonly data: string; readonly eval: string | null };
  readonly texts: Texts;
  readonly plan: RunPlan;
  readonly baseline: Baseline | null;
  readonly maxLength: number;
  /** How many texts of those to learn from are longer, and are cut. */
  readonly cut: number;
  readonly trains: readonly string[];
  readonly frozenMode: FrozenMode;
  readonly keepsPrefix: boolean;
}

/** How many numbers are trained at some time, and how many there are. */
export function countsOf({ parameters, phases }: RunPlan): {
  readonly trained: number;
  readonly all: number;
} {
  const all = sum(parameters.map(({ elements }) => elements));
  // Of one phase the step knows the rows, of several what is trained at any time is trained.
  if (phases.length === 1)
    return { trained: sum(parameters.map(({ trainedElements }) => trainedElements)), all };
  const paths = new Set(phases.flatMap((phase) => phase.paths));
  return { trained: sum(parameters.map(({ path, elements }) => (paths.has(path) ? elements : 0))), all };
}

/** The most labels and the most entries of a list that are shown. */
const mostShown = 12;

/** Says what would be trained, of what, and what that takes. */
export function sayPlan(planned: Planned, print: (line: string) => void): void {
  const { files, texts, plan, baseline, maxLength, cut, trains } = planned;
  const { train, eval: held, task } = texts;
  const say = (name: string, text: string): void => print(`${name.padEnd(9)}${printable(text)}`);
  say("data", `${files.data}: ${grouped(train.length)} texts, ${columnsText(train)}`);
  if (held !== null) say("eval", `${files.eval ?? `of ${files.data}`}: ${grouped(held.length)} texts`);
  say("task", task);
  if (train.labels.length > 0) say("labels", countsText(train));
  if (baseline !== null) say("baseline", `${baseline.name}: ${metricsText(baseline.metrics)}`);
  say("lengths", lengthsText(plan.lengths, maxLength, cut));
  for (const { of, lr, paths } of plan.rates) say("trains", `${of} at ${rateText(lr)}: ${fewOf(paths)}`);
  const { trained, all: elements } = countsOf(plan);
  const own = new Map(plan.parameters.map(({ path, elements }) => [path, elements]));
  if (plan.phases.length > 1)
    for (const { label, paths } of plan.phases)
      say("phase", `${label}: ${grouped(sum(paths.map((path) => own.get(path)!)))} numbers, ${fewOf(paths)}`);
  say(
    "",
    `${trains.join(" ")}: ${grouped(trained)} of ${grouped(elements)} numbers (${percent(trained / elements)}), ${mib(plan.trainedBytes)} of ${mib(plan.weightBytes)}; ${grouped(elements - trained)} stay as they are, bit for bit`,
  );
  if (planned.frozenMode === "eval")
    say("", "what is frozen computes in eval mode: its dropout drops nothing");
  if (!planned.keepsPrefix) say("", "frozen layers are run anew in each epoch");
  const unreachable = plan.parameters.filter(({ status }) => status === "unreachable");
  if (unreachable.length > 0)
    say("", `the loss does not depend on ${fewOf(unreachable.map(({ path }) => path))}, which will not move`);
  say(
    "memory",
    `about ${mib(plan.memory)} beside the program, with its longest texts in one batch (planned: weights, state of the optimizer, scratch)`,
  );
  const seconds = plan.secondsAnUpdate;
  say(
    "time",
    `about ${timeText(seconds)} an update of the longest texts, at most ${timeText(seconds * plan.steps)} for ${grouped(plan.steps)} updates (estimated: a forward pass was timed)`,
  );
}

const columnsText = ({ columns }: TextDataset): string =>
  [
    `text from ${columns.text.join(" and ")}`,
    columns.label === null ? "no labels" : `labels from ${columns.label}`,
  ].join(", ");

function countsText(train: TextDataset): string {
  const counts = train.counts();
  const order = train.labels.map((_, k) => k).sort((a, b) => counts[b]! - counts[a]!);
  const shown = order.slice(0, mostShown).map((k) => `${train.labels[k]} ${grouped(counts[k]!)}`);
  if (order.length > mostShown)
    shown.push(`and ${order.length - mostShown} more, the last with ${counts[order.at(-1)!]}`);
  const total = sum(counts);
  return `${order.length}: ${shown.join(", ")}; most have ${train.labels[order[0]!]}, ${percent(counts[order[0]!]! / total)}`;
}

function lengthsText(lengths: readonly number[], maxLength: number, cut: number): string {
  const sorted = [...lengths].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)]!;
  const share = cut === 0 ? "none is" : `${grouped(cut)} (${percent(cut / lengths.length)}) are`;
  return `median ${median}, longest ${sorted.at(-1)} tokens; ${share} cut at ${maxLength}`;
}

const fewOf = (paths: readonly string[]): string =>
  paths.length <= 3 ? paths.join(", ") : `${paths.slice(0, 2).join(", ")} and ${paths.length - 2} more`;

/** 0.00002 as "2e-5". */
export const rateText = (lr: number): string => (lr > 0 && lr < 0.01 ? lr.toExponential() : String(lr));

/** Numbers under their names, as a line. */
export const metricsText = (metrics: object): string =>
  numbersIn(metrics)
    .map(([name, value]) => `${name} ${value.toFixed(4)}`)
    .join(", ");

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const mib = (bytes: number): string =>
  bytes < 2 ** 20
    ? `${(bytes / 1024).toFixed(0)} KiB`
    : `${(bytes / 2 ** 20).toFixed(bytes < 100 * 2 ** 20 ? 1 : 0)} MiB`;

const timeText = (seconds: number): string =>
  seconds < 1
    ? `${Math.max(1, Math.round(seconds * 1e3))} ms`
    : seconds < 120
      ? `${seconds.toFixed(1)} s`
      : `${Math.round(seconds / 60)} minutes`;
