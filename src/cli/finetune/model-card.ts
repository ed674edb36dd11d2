import { grouped, percent } from "../../base/table.ts";
import type { FitResult } from "../../models/fit/fit-result.ts";
import type { LabelMetrics } from "../../models/metrics/label-metrics.ts";
import { numbersIn } from "../../models/metrics/metrics.ts";
import { besideOthers } from "./baseline.ts";
import type { CardFacts } from "./card-facts.ts";
import { useOf } from "./card-use.ts";
import { kebabCase } from "./options.ts";
import { countsOf, rateText } from "./say-plan.ts";
import type { TunedTask } from "./task-names.ts";

/** What Hugging Face calls tasks. */
const pipelines: Readonly<Record<TunedTask, string>> = {
  classify: "text-classification",
  multiLabel: "text-classification",
  regress: "text-classification",
  tag: "token-classification",
  maskedLM: "fill-mask",
  embed: "sentence-similarity",
};

/** What Hugging Face calls metrics, where it has a name of its own for one. */
const metricTypes: Readonly<Record<string, string>> = {
  macroF1: "f1",
  microF1: "f1",
  entityF1: "f1",
  entityPrecision: "precision",
  entityRecall: "recall",
};

/** The model card of a tuned model: facts of how it was made, below a header that Hugging Face reads. */
export function modelCard(facts: CardFacts): string {
  const { name, planned, run } = facts;
  const { texts } = planned;
  return [
    header(facts),
    `# ${inline(name)}`,
    `Tuned with thaw from ${baseText(facts)}: ${sentenceOf(texts.task)}.`,
    "## Results",
    results(facts),
    perLabel(run),
    "## Data",
    data(facts),
    "## Training",
    training(facts),
    "## Use",
    useOf(facts, pipelines[texts.task]),
    "## Versions",
    bullets(Object.entries(facts.versions).map(([of, version]) => `${of} ${version}`)),
  ]
    .filter((part) => part !== "")
    .join("\n\n")
    .concat("\n");
}

/** The base model's name at Hugging Face: the one given, or the one that its config says. */
const idOf = ({ base: { config }, options: { baseModel } }: CardFacts): string | null => {
  if (baseModel !== undefined) return baseModel;
  const id = config._name_or_path;
  return typeof id === "string" && /^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(id) ? id : null;
};

/** What the base is: the config of a folder may name what the folder itself was made from. */
function baseText(facts: CardFacts): string {
  const { base, options } = facts;
  const id = idOf(facts);
  if (options.baseModel !== undefined) return inline(options.baseModel);
  return `the folder ${inline(base.folder)}${id === null ? "" : `, whose config names ${inline(id)}`}`;
}

/** YAML, in which a JSON text is one too. */
function header(facts: CardFacts): string {
  const { name, planned, run, eval: held, data: file } = facts;
  const { task } = planned.texts;
  const id = idOf(facts);
  const measured = numbersIn(run.metrics);
  const lines = [
    `library_name: ${task === "embed" ? "sentence-transformers" : facts.options.lora === undefined ? "transformers" : "peft"}`,
    `pipeline_tag: ${pipelines[task]}`,
    ...(id === null ? [] : [`base_model: ${JSON.stringify(id)}`]),
    "tags:",
    "- thaw",
    ...(measured.length === 0
      ? []
      : [
          "model-index:",
          `- name: ${JSON.stringify(name)}`,
          "  results:",
          "  - task:",
          `      type: ${pipelines[task]}`,
          "    dataset:",
          `      name: ${JSON.stringify((held ?? file).name)}`,
          "      type: text",
          "    metrics:",
          ...measured.flatMap(([metric, value]) => [
            `    - type: ${JSON.stringify(metricTypes[metric] ?? metric)}`,
            `      name: ${JSON.stringify(metric)}`,
            `      value: ${Number.isFinite(value) ? value : ".nan"}`,
          ]),
        ]),
  ];
  return ["---", ...lines, "---"].join("\n");
}

const sentences: Readonly<Record<TunedTask, string>> = {
  classify: "it gives a text one of several labels",
  multiLabel: "it gives a text the labels that hold",
  regress: "it gives a text a number",
  tag: "it gives each word a label",
  maskedLM: "it guesses tokens that are masked",
  embed: "it gives a text a vector",
};
const sentenceOf = (task: TunedTask): string => sentences[task];

function results({ planned, run, eval: held, data: file }: CardFacts): string {
  if (run.metrics === null) return "Nothing was measured: no texts were given for that.";
  const { baseline, texts } = planned;
  const { names, rows } = besideOthers(run, baseline);
  const from = held === null ? `that were set apart from ${inline(file.name)}` : `of ${inline(held.name)}`;
  return [
    `On ${grouped(texts.eval!.length)} texts ${from}, after epoch ${run.epoch} of ${run.history.length}:`,
    markdownTable(
      ["", "this model", ...names],
      rows.map(([name, ...values]) => [name, ...values.map(cell)]),
    ),
  ].join("\n\n");
}

const cell = (value: unknown): string =>
  typeof value !== "number"
    ? "–"
    : Number.isFinite(value)
      ? String(Number(value.toPrecision(4)))
      : String(value);

function perLabel({ metrics }: FitResult): string {
  const { labels } = (metrics ?? {}) as { labels?: readonly LabelMetrics[] };
  if (labels === undefined || labels.length === 0) return "";
  return markdownTable(
    ["label", "precision", "recall", "F1", "texts"],
    labels.map(({ label, precision, recall, f1, support }) => [
      label,
      percent(precision),
      percent(recall),
      percent(f1),
      grouped(support),
    ]),
  );
}

function data({ data: file, eval: held, planned }: CardFacts): string {
  const { train, eval: measured } = planned.texts;
  const lines = [
    `Learned from ${grouped(train.length)} texts of ${inline(file.name)}, SHA-256 \`${file.sha256}\``,
    ...(measured === null
      ? []
      : [
          held === null
            ? `Measured with ${grouped(measured.length)} texts of the same file, set apart`
            : `Measured with ${grouped(measured.length)} texts of ${inline(held.name)}, SHA-256 \`${held.sha256}\``,
        ]),
    `Columns: ${inline(train.columns.text.join(", "))}${train.columns.label === null ? "" : `, labels of ${inline(train.columns.label)}`}`,
    `Longest text: ${planned.maxLength} tokens; ${grouped(planned.cut)} of the texts learned from were cut`,
  ];
  if (train.labels.length === 0) return bullets(lines);
  const counts = train.counts();
  return `${bullets(lines)}\n\n${markdownTable(
    ["label", "texts learned from"],
    train.labels.map((label, k) => [label, grouped(counts[k]!)]),
  )}`;
}

function training(facts: CardFacts): string {
  const { planned, base, frozen, run, options } = facts;
  const { plan } = planned;
  const { trained, all: total } = countsOf(plan);
  const rest = `${frozen.tensors} tensors, ${grouped(total - trained)} numbers`;
  const weights = base.weights.map((file) => `${inline(file.name)}, SHA-256 \`${file.sha256}\``).join("; ");
  const given = Object.entries(options).filter(
    ([name, value]) =>
      !["out", "resume", "dryRun", "data", "eval"].includes(name) &&
      !(name === "keepPrefix" && value === true),
  );
  return [
    bullets([
      `Base: ${baseText(facts)}; ${weights}`,
      `Trained: ${planned.trains.map(code).join(" ")}, ${grouped(trained)} of ${grouped(total)} numbers`,
      ...(plan.phases.length === 1
        ? []
        : plan.phases.map(({ label, paths }) => `Trained ${label}: ${paths.length} parameters`)),
      ...plan.rates.map(
        ({ of, lr, paths }) => `Rate of ${code(of)}: ${rateText(lr)} (${paths.length} parameters)`,
      ),
      frozen.tensors === 0
        ? "Nothing was frozen"
        : frozen.before === frozen.after
          ? `Not trained, and the same bit for bit: ${rest}; SHA-256 before and after \`${frozen.after}\``
          : `Not trained: ${rest}; SHA-256 before \`${frozen.before}\`, after \`${frozen.after}\``,
      `Updates: ${grouped(run.history.at(-1)?.step ?? 0)} in ${run.history.length} epochs; the weights are those of epoch ${run.epoch}`,
    ]),
    markdownTable(
      ["option", "value"],
      given.map(([name, value]) => [
        `--${kebabCase(name)}`,
        Array.isArray(value) ? value.join(" ") : String(value),
      ]),
    ),
  ].join("\n\n");
}

/** Text in a line of Markdown, in which none of it means anything. */
const inline = (text: string): string =>
  text.replace(/\s+/g, " ").replace(/[\\`*_{}[\]<>()#+!|~&$]/g, (sign) => `\\${sign}`);

/** Text as code in a line of Markdown. */
function code(text: string): string {
  const longest = Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  const pad = longest > 0 ? " " : "";
  return `${fence}${pad}${text.replace(/\s+/g, " ")}${pad}${fence}`;
}

const bullets = (lines: readonly string[]): string => lines.map((line) => `- ${line}`).join("\n");

const markdownTable = (headings: readonly string[], rows: readonly (readonly string[])[]): string =>
  [
    headings.map(inline),
    headings.map((_, i) => (i === 0 ? "---" : "---:")),
    ...rows.map((row) => row.map(inline)),
  ]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
