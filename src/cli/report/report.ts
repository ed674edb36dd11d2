import { writeText } from "../../base/storage/index.ts";
import { percent } from "../../base/table.ts";
import type { LabelMetrics } from "../../models/metrics/label-metrics.ts";
import { numbersIn } from "../../models/metrics/metrics.ts";
import { chart } from "./chart.ts";
import { escaped, htmlPage, htmlTable } from "./html.ts";
import { parameterMap, unchangedTable } from "./parameter-map.ts";
import { type RunFiles, readRun } from "./run-files.ts";

/** Options of `thaw report`. */
export interface ReportCommandOptions {
  readonly out?: string;
}

/** `thaw report`: one page on a run, to a file or to standard output. */
export async function report(
  folder: string,
  { out }: ReportCommandOptions,
  print: (line: string) => void,
): Promise<void> {
  const page = reportOf(readRun(folder));
  if (out === undefined) return void process.stdout.write(page);
  writeText(out, page);
  print(`The report of ${folder} is in ${out}.`);
}

/** The page on a run. */
function reportOf(run: RunFiles): string {
  const { epochs, updates, parameters, identity } = run;
  const names = numbersIn(epochs[0]?.metrics ?? null).map(([name]) => name);
  const ofEpochs = (name: string) => ({
    name: `eval ${name}`,
    points: epochs.map(({ step, metrics }) => [step, metricOf(metrics, name)] as const),
  });
  const state = run.hasEnded ? "ended" : "has not ended";
  const section = (title: string, ...parts: readonly string[]): string =>
    `<h2>${escaped(title)}</h2>\n${parts.filter((part) => part !== "").join("\n")}`;
  return htmlPage(`Training in ${run.folder}`, [
    `<p>${updates.length} updates in ${epochs.length} epochs; it ${state}.</p>`,
    section(
      "Loss",
      chart("loss over updates", [
        {
          name: "train loss, of each update",
          points: updates.map(({ step, loss }) => [step, loss] as const),
        },
        {
          name: "train loss, of each epoch",
          points: epochs.map(({ step, trainLoss }) => [step, trainLoss] as const),
        },
        ...(names.includes("loss") ? [ofEpochs("loss")] : []),
      ]),
    ),
    section(
      "Metrics",
      chart("metrics over updates", names.filter((name) => name !== "loss").map(ofEpochs)),
      htmlTable(
        ["epoch", "updates", "train loss", ...names.map((name) => `eval ${name}`)],
        epochs.map(({ epoch, step, trainLoss, metrics }) => [
          epoch,
          step,
          rounded(trainLoss),
          ...names.map((name) => rounded(metricOf(metrics, name))),
        ]),
      ),
    ),
    labelSection(run),
    section("What was trained", parameterMap(parameters)),
    section("What stayed unchanged", unchangedTable(parameters, run.digests)),
    section("Options", htmlTable(["what the training was begun with", ""], Object.entries(identity))),
  ]);
}

/** The last epoch's labels, and which were taken for which. */
function labelSection({ epochs, labels }: RunFiles): string {
  const last = epochs.at(-1);
  const metrics = (last?.metrics ?? {}) as {
    labels?: readonly LabelMetrics[];
    confusion?: readonly (readonly number[])[];
  };
  const parts: string[] = [];
  if (metrics.labels !== undefined)
    parts.push(
      htmlTable(
        ["label", "precision", "recall", "F1", "support"],
        metrics.labels.map(({ label, precision, recall, f1, support }) => [
          label,
          percent(precision),
          percent(recall),
          percent(f1),
          support,
        ]),
      ),
    );
  if (metrics.confusion !== undefined)
    parts.push(
      "<p>Rows are what texts are, columns what they were taken for.</p>",
      `<div class="scroll">${htmlTable(
        ["", ...labels],
        metrics.confusion.map((row, k) => [labels[k] ?? String(k), ...row]),
      )}</div>`,
    );
  return parts.length === 0 ? "" : `<h2>Labels, in epoch ${last!.epoch}</h2>\n${parts.join("\n")}`;
}

/** JSON has null for what is no number. */
const metricOf = (metrics: object | null, name: string): number =>
  ((metrics ?? {}) as Record<string, number | null>)[name] ?? Number.NaN;

const rounded = (value: number): number => Number(value.toPrecision(4));
