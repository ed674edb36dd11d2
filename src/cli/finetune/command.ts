import { type Command, Option } from "commander";
import { collect, countFrom, numberThat } from "../option-values.ts";
import type { FinetuneOptions } from "./options.ts";
import { taskNames } from "./task-names.ts";

const part = numberThat((x) => x > 0 && x < 1, "a number above 0 and below 1");
const belowOne = numberThat((x) => x >= 0 && x < 1, "a number from 0 on, below 1");
const fraction = numberThat((x) => x >= 0 && x <= 1, "a number from 0 to 1");

/** Adds `thaw finetune` to the program. */
export function addFinetune(program: Command, print: (line: string) => void): void {
  program
    .command("finetune")
    .description(
      "tune a text encoder on a file of texts: what is not named as trained stays as it is, bit for bit",
    )
    .argument("<folder>", "a Hugging Face folder: config.json, safetensors, tokenizer.json")
    .optionsGroup("Data:")
    .requiredOption(
      "--data <file>",
      "texts to learn from: an object of JSON a line, or a .csv or .tsv with a line of names",
    )
    .option("--eval <file>", "texts to measure with after each epoch")
    .option("--val-split <part>", "measure with this part of --data instead, such as 0.1", part)
    .option("--text <column>", "column of texts; twice: of pairs (default: one with a usual name)", collect)
    .option("--label <column>", "column of labels (default: one with a usual name)")
    .addOption(
      new Option("--task <name>", "what is to be found for a text (default: by the labels)").choices(
        Object.keys(taskNames),
      ),
    )
    .option(
      "--max-length <tokens>",
      "tokens of a text; the rest is cut off (default: what folder and model say)",
      countFrom(1),
    )
    .optionsGroup("What is trained:")
    .option(
      "--trains <selector>",
      '"classifier.**", "**.layer.5.**"; may be repeated (default: everything)',
      collect,
    )
    .option(
      "--lr <rate>",
      "a rate, or SELECTOR=RATE, which may be repeated: the first that fits holds (default: 1e-3 for the head, 2e-4 for adapters, 2e-5 for the rest)",
      collect,
    )
    .option(
      "--gradual-unfreezing [layers]",
      "the head first, and with each epoch so many layers more from the top down (default: 1), the lower the slower",
      countFrom(1),
    )
    .option("--head-first <epochs>", "the head alone for so many epochs, and then everything", countFrom(1))
    .option(
      "--lora [rank]",
      "a low-rank adapter beside the weights, and the head: --out has these alone (default rank: 8)",
      countFrom(1),
    )
    .option(
      "--lora-alpha <x>",
      "adapters count alpha / rank times (default: 8)",
      numberThat((x) => x > 0, "a number above 0"),
    )
    .option(
      "--target-modules <name>",
      "layers with an adapter, or all-linear; may be repeated (default: those of queries and values)",
      collect,
    )
    .addOption(
      new Option(
        "--frozen-mode <mode>",
        "whether dropout stays on in what is frozen (default: train, it does)",
      ).choices(["train", "eval"]),
    )
    .option("--no-keep-prefix", "run frozen layers anew in each epoch, in place of keeping what they give")
    .optionsGroup("Training:")
    .option("--epochs <n>", "passes over the texts (default: 3)", countFrom(1))
    .option("--steps <n>", "updates, in place of --epochs", countFrom(1))
    .option("--batch <n>", "texts that go through the model at once (default: 16)", countFrom(1))
    .option("--accumulate <n>", "batches of an update (default: 1)", countFrom(1))
    .option("--bucket", "texts of like lengths share a batch")
    .option("--warmup <part>", "part of the updates in which rates rise (default: 0.1)", fraction)
    .option(
      "--weight-decay <x>",
      "of matrices (default: 0.01)",
      numberThat((x) => x >= 0, "a number of at least 0"),
    )
    .option("--class-weights <weights>", '"balanced", or a number for each label, as 1,2.5,1')
    .option("--label-smoothing <x>", "how much of a target is spread over all labels (default: 0)", belowOne)
    .option(
      "--threshold <p>",
      "from which probability on one of several labels holds (default: 0.5)",
      fraction,
    )
    .option("--ema <decay>", "measure and keep an average of the weights, as with 0.999", belowOne)
    .option(
      "--metric <name>",
      "keep the weights of the best epoch by this: macro-f1, accuracy, loss, … (default: the last)",
    )
    .option("--patience <n>", "end after so many epochs that were no better by --metric", countFrom(1))
    .option("--seed <n>", "of a new head, the order of texts, and dropout (default: 0)", countFrom(0))
    .optionsGroup("Result:")
    .option("--out <folder>", "where the tuned model, its card, checkpoints and metrics go")
    .option("--resume", "go on from the last checkpoint in --out, to the bits of a run that was never ended")
    .option(
      "--save-every <n>",
      "save a checkpoint every so many updates, beside that at each epoch's end",
      countFrom(1),
    )
    .option(
      "--onnx <precisions>",
      "write files for transformers.js and ONNX Runtime too: fp32, q8, or fp32,q8",
    )
    .option(
      "--base-model <name>",
      "what the card calls the base, as at Hugging Face (default: what its config says)",
    )
    .option("--dry-run", "say what would be trained and what that takes, and write nothing")
    .addHelpText(
      "after",
      `
Example:
  thaw finetune ./minilm --data train.jsonl --eval test.jsonl --text body --label section \\
    --trains 'classifier.**' --trains '**.layer.5.**' --epochs 3 --max-length 128 --metric macro-f1 --seed 1 --out tuned
  thaw predict tuned --data new.csv > labels.jsonl
  thaw report tuned --out report.html

Ctrl-C saves a checkpoint after the update under way, and says how to go on; once more ends at once.
Exit status: 0; 1 for what cannot be done, with what helps; 2 for wrong options; 130 where Ctrl-C has ended it.`,
    )
    .action(async (folder: string, options: FinetuneOptions) => {
      process.exitCode = await (await import("./finetune.ts")).finetune(folder, options, print);
    });
}
