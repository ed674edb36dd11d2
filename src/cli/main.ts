#!/usr/bin/env node
import { Command, CommanderError, Option } from "commander";
import { ThawError } from "../base/errors.ts";
import { printableLines } from "../base/printable.ts";
import { addFinetune } from "./finetune/command.ts";
import { collect, countFrom } from "./option-values.ts";
import { addPredict, addReport } from "./tuned.ts";
import { version } from "./version.ts";

// Each command is imported when it runs, so that `--help` starts none of the engine.

// Whatever a line quotes: commands see to it that it begins no other.
const print = (line: string): void => console.log(printableLines(line));
/** Of the terminal; undefined in a pipe. */
const { columns } = process.stdout;

// Whoever reads our lines may stop reading: `thaw seed | head`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  // With the status that there is by now.
  process.exit();
});

const { inspect } = process.getBuiltinModule("node:util");

const program = new Command("thaw")
  .description("Train only what you mean to: what a step does not train does not move by a bit.")
  .version(version())
  .exitOverride()
  .configureOutput({ writeErr: (text) => void process.stderr.write(printableLines(text)) })
  .showHelpAfterError("(thaw --help says what there is)")
  .addHelpText(
    "after",
    `
Start with:
  thaw digits          train a network with two kinds of input on real handwriting
  thaw seed            see how freezing leaks, and how it does not
  thaw finetune DIR    tune a text encoder on a file of texts
  thaw diff A B        compare two checkpoints, tensor by tensor, bit by bit
  thaw digits --help   what a command takes

Environment:
  THAW_BACKEND         backend to use: see thaw devices
  THAW_THREADS         threads of the CPU backends, 1 to 256 (default: the cores there are, for large work)
  THAW_MAX_MEMORY      bytes that a backend may use, as 1073741824 or 1GiB
  THAW_CC              C compiler of the native backend (default: cc, gcc or clang on the path); if it
                       does not work, nothing else takes its place
  THAW_CC_TIMEOUT      seconds that it may take (default 120)
  THAW_CACHE           folder of compiled kernels (default ~/.cache/thaw)
  THAW_CACHE_MAX       bytes that it may hold (default 256 MiB)
  THAW_KERNELS         folder that thaw compile made: its kernels are used, without a compiler`,
  );

program
  .command("digits")
  .description("train two tasks that share a trunk on real digits, and beside it the recipe that leaks")
  .option("--epochs <n>", "passes over the training set", countFrom(1), 40)
  .option("--batch-size <n>", "rows a step", countFrom(1), 32)
  .option("--seed <n>", "seed of weights and order", countFrom(0), 0)
  .action(async (options) => {
    await (await import("./digits.ts")).digits(options, print);
  });

program
  .command("seed")
  .description("the article's two-task network, frozen in four ways: two leak nothing, one leaks, one cannot")
  .action(async () => (await import("./seed.ts")).seed(print));

addFinetune(program, print);
addPredict(program, print);
addReport(program, print);

program
  .command("replay")
  .description("replay recorded training runs and compare every value; exits 1 if any differs")
  .argument("<file...>", "cases as JSON, plain or gzip")
  .action(async (files: string[]) => {
    const { failed } = await (await import("./replay.ts")).replay(files, print);
    if (failed > 0) process.exitCode = 1;
  });

program
  .command("diff")
  .description("compare the tensors of two safetensors files, indices or folders, whoever made them")
  .argument("<a>", "a .safetensors file, its index, or a folder with either")
  .argument("<b>", "what to compare it with")
  .option(
    "--expect-frozen <selector>",
    'exit 1 if what it names has moved: "encoder.**", "!**.bias", "emb.weight[:32000]"; may be repeated',
    collect,
  )
  .option("--exit-code", "exit 1 if anything differs")
  .option(
    "--map <old=new>",
    "a prefix of names in A, and what stands for it in B; may be repeated (found by itself where most names agree)",
    collect,
  )
  .option("--all", "show tensors that are the same too")
  .option("--rows <n>", "ranges of rows to show of each tensor", countFrom(0), 4)
  .option("--json", "print JSON")
  .addHelpText(
    "after",
    `
Bits are compared: 0 and -0 differ, and NaNs with other bits; neither is a change of value.
Elements that are NaN or infinite on a side are counted, and left out of the measures.
What has another dtype is compared by value; "rounded to nearest" says that nothing but that happened.

Exit status: 0, or with --exit-code 1 where something differs; 1 where something expected to be
frozen has moved, is missing (a buffer may be), renamed, re-typed or re-shaped; 2 for what cannot be read, or a
selector that names no tensor of A.

With --json:
  a, b, differs, same (how many tensors), prefixes [{before, after}], metadata [names that differ],
  expectFrozen: null, or {selectors, tensors (how many), lacked [names of buffers that B lacks],
    moved [{name, region, kind, change}]}
  tensors: [{name, to, kind, compared, change, before, after}]; kind is same (with --all), changed,
    re-typed, re-shaped, renamed, missing or added; before and after {dtype, shape, file} or null
  change: null, or {elements, changed, onlyBits, unmeasured, bitsChanged, maxChange, norm, relative,
    rounded, rows [[from, to]], rowsChanged, within (the same of the region expected to be frozen)};
    a number that cannot be given is null`,
  )
  .action(async (a: string, b: string, { exitCode, ...options }) => {
    const { differs, moved } = await (await import("./diff.ts")).diff(a, b, { ...options, columns }, print);
    if (moved.length > 0 || (exitCode && differs)) process.exitCode = 1;
  });

program
  .command("inspect")
  .description("list the tensors and metadata of a safetensors file, index or folder")
  .argument("<file>", "a .safetensors file, its index, or a folder with either")
  .option("--stats", "read the values: smallest, largest, mean, deviation, NaNs and infinities")
  .option("--json", "print JSON")
  .action(async (file: string, options) => {
    await (await import("./inspect.ts")).inspect(file, { ...options, columns }, print);
  });

program
  .command("devices")
  .description("list the backends: what each is on this machine, or why it is missing")
  .option("--peaks", "measure what the machine can do: FLOP/s and bytes/s")
  .action(async (options) => (await import("./devices.ts")).devices(options, print));

program
  .command("cache")
  .description("show the compiled kernels on disk, or remove them")
  .option("--clear", "remove them all; programs that run go on")
  .option("--json", "print JSON")
  .action(async (options) => (await import("./cache.ts")).cache(options, print));

program
  .command("compile")
  .description("run a script, and keep the kernels that it uses for machines without a compiler")
  .argument(
    "<script>",
    "what to run; it should do all that the program will, in shapes and sets of what is trained",
  )
  .argument("[args...]", "its arguments, after --")
  .requiredOption("--out <dir>", "folder for the kernels")
  .addHelpText(
    "after",
    `
Kernels are compiled for this machine's processor. Set THAW_KERNELS=DIR where they are to be used: their folder
is trusted, so nobody else should be able to write to it. The script's exit status is passed on.`,
  )
  .action(async (script: string, args: string[], { out }) => {
    process.exitCode = (await import("./compile.ts")).compile(script, args, out, print);
  });

program
  .command("profile")
  .description("run a script, and show what each of its kernels took beside what the machine can do")
  .argument("<script>", "what to run")
  .argument("[args...]", "its arguments, after --")
  .option("--trace <file>", "write a Chrome trace too, for chrome://tracing or ui.perfetto.dev")
  .option("--all", "show every row, and all the modules that each comes from")
  .addHelpText(
    "after",
    `
A script may be in TypeScript, and import files that are, by their names: Node 22.6 and later run it;
before, typescript, esbuild or tsx does, whichever the script's project has.`,
  )
  .action(async (script: string, args: string[], options) => {
    await (await import("./profile.ts")).profileScript(script, args, options, print);
  });

program
  .command("run")
  .description("run a script on several ranks, which train one network together")
  .argument("<script>", "what each rank runs; distributed.group() tells it which it is")
  .argument("[args...]", "its arguments, after --")
  .option("-n, --ranks <n>", "how many ranks", countFrom(1), 2)
  .addOption(
    new Option("--engine <name>", "how ranks reach each other")
      .choices(["threads", "mpi"])
      .default("threads"),
  )
  .option("--mpirun <program>", "what starts ranks of MPI", "mpirun")
  .option("--restarts <n>", "begin again so often where a rank fails", countFrom(0), 0)
  .option("--timeout <seconds>", "wait so long for a rank before it counts as hung", countFrom(1), 300)
  .addHelpText(
    "after",
    `
Each rank is a thread, or a process of MPI, with a backend of its own; THAW_THREADS and THAW_MAX_MEMORY are divided
among them. Lines that rank 1 writes begin with [1]. Where one fails, all end, and the exit status is 1. A script that
is run plainly has a group of one. On --restarts a script is to load its last checkpoint.`,
  )
  .action(async (script: string, args: string[], options) => {
    process.exitCode = await (await import("./run.ts")).run(script, args, options);
  });

try {
  await program.parseAsync();
} catch (error) {
  const command = process.argv[2] ?? "";
  // As diff(1): 1 says that something differs, 2 that nothing can be said.
  const failure = ["diff", "inspect"].includes(command) ? 2 : 1;
  const misuse = ["finetune", "predict", "report"].includes(command) ? 2 : failure;
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : misuse;
  else {
    // What thaw throws on purpose says what to do; a stack of its insides would bury that.
    console.error(printableLines(error instanceof ThawError ? `thaw: ${error.message}` : inspect(error)));
    process.exitCode = failure;
  }
}
