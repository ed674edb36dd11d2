import type { Command } from "commander";
import { collect, countFrom, numberThat } from "./option-values.ts";
import type { PredictCommandOptions } from "./predict.ts";
import type { ReportCommandOptions } from "./report/report.ts";

/** Adds `thaw predict` to the program. */
export function addPredict(program: Command, print: (line: string) => void): void {
  program
    .command("predict")
    .description("print what a tuned model finds for texts: an object of JSON a line, in their order")
    .argument("<folder>", "a folder that thaw finetune, fit or transformers wrote")
    .requiredOption("--data <file>", "texts, as for thaw finetune; - for a text a line of standard input")
    .option("--text <column>", "column of texts; twice: of pairs (default: one with a usual name)", collect)
    .option("--batch <n>", "texts that go through the model at once", countFrom(1), 32)
    .option(
      "--max-length <tokens>",
      "tokens of a text; the rest is cut off (default: what folder and model say)",
      countFrom(1),
    )
    .option(
      "--threshold <p>",
      "from which probability on one of several labels holds (default: 0.5)",
      numberThat((x) => x >= 0 && x <= 1, "a number from 0 to 1"),
    )
    .option("--all-scores", "give the probability of each label")
    .addHelpText(
      "after",
      `
A line is, by what the model was tuned for:
  {"label": "games", "score": 0.98}             with --all-scores also "scores": [{"label", "score"}, …]
  {"labels": [{"label": "a", "score": 0.9}]}    where a text has several
  {"value": 3.2}
  {"words": [{"word": "Ada", "label": "B-PER", "score": 0.99}, …]}
  {"masks": [[{"token": "cat", "score": 0.4}, …], …]}
  {"embedding": [0.1, …]}`,
    )
    .action(async (folder: string, options: PredictCommandOptions) => {
      await (await import("./predict.ts")).predictTexts(folder, options, print);
    });
}

/** Adds `thaw report` to the program. */
export function addReport(program: Command, print: (line: string) => void): void {
  program
    .command("report")
    .description(
      "write a page of HTML on a run: loss, metrics, what was trained, what moved and what did not",
    )
    .argument("<folder>", "the --out of thaw finetune, or out of fit; a run may be under way")
    .option("--out <file>", "file for the page (default: standard output)")
    .action(async (folder: string, options: ReportCommandOptions) => {
      await (await import("./report/report.ts")).report(folder, options, print);
    });
}
