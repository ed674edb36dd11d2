import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { coresFor } from "../machine.ts";
import type { Figure } from "./run.ts";

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** What a script says at its end. */
interface Trained {
  readonly loss: number;
  readonly peakMiB: number;
  readonly cpuSeconds: number;
}

/** Runs a command on one core to its end; gives what its last line says, and how long it took from its start. */
async function toTheEnd(command: string[]): Promise<Trained & { seconds: number }> {
  const list = coresFor(1);
  const [program, ...args] = list === undefined ? command : ["taskset", "-c", list, ...command];
  const start = performance.now();
  const env = { ...process.env, THAW_THREADS: "1" };
  const child = spawn(program!, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.on("data", (piece) => (said += piece));
  const code = await new Promise((resolve, reject) => child.on("close", resolve).on("error", reject));
  if (code !== 0) throw new Error(`${command.join(" ")} has ended with ${code}`);
  return {
    ...(JSON.parse(said.trim().split("\n").at(-1)!) as Trained),
    seconds: (performance.now() - start) / 1000,
  };
}

/** All of MiniLM is trained, from the start of a process to the folder of the tuned model, beside transformers' Trainer. */
export async function measureTraining({
  model,
  data,
  top,
  python,
  texts,
  say,
}: {
  model: string;
  data: string;
  top: string;
  python: string;
  texts: number;
  say(line: string): void;
}): Promise<Figure[]> {
  const common = ["--model", model, "--data", data, "--batch", "16", "--epochs", "2", "--max-length", "64"];
  say("fit: thaw");
  const own = await toTheEnd([process.execPath, file("fit.mjs"), ...common, "--out", join(top, "thaw")]);
  say(`fit: thaw ${JSON.stringify(own)}`);
  const other = await toTheEnd([python, file("trainer.py"), ...common, "--out", join(top, "trainer")]);
  say(`fit: transformers ${JSON.stringify(other)}`);
  const label = `${texts} texts, 2 epochs, all trained`;
  return [
    {
      what: `${label}: process to saved folder`,
      value: own.seconds / other.seconds,
      unit: "",
      bar: 0.75,
      of: `thaw ${own.seconds.toFixed(1)} s, Trainer ${other.seconds.toFixed(1)} s`,
    },
    {
      what: `${label}: processor time`,
      value: own.cpuSeconds / other.cpuSeconds,
      unit: "",
      bar: 0.75,
      of: `thaw ${own.cpuSeconds.toFixed(1)} s, Trainer ${other.cpuSeconds.toFixed(1)} s`,
    },
    {
      what: `${label}: peak memory`,
      value: own.peakMiB / other.peakMiB,
      unit: "",
      bar: 0.7,
      of: `thaw ${own.peakMiB.toFixed(0)} MiB, Trainer ${other.peakMiB.toFixed(0)} MiB`,
    },
  ];
}
