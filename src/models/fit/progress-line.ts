import { Progress, type ProgressOutput } from "../../train/progress.ts";
import type { Rate } from "./rates.ts";

/**
 * A line on a terminal that tells how a training goes, below what is trained at which rate, and some lines more; null where
 * there is no terminal.
 */
export function progressOf(
  steps: number,
  from: number,
  rates: readonly Rate[],
  lines: readonly string[],
): Progress | null {
  const { process } = globalThis as { process?: { stderr?: ProgressOutput } };
  const output = process?.stderr;
  if (output?.isTTY !== true) return null;
  for (const { of, lr, paths } of rates)
    output.write(`fit: ${of}: ${paths.length} parameter${paths.length === 1 ? "" : "s"} at ${lr}\n`);
  for (const line of lines) output.write(`fit: ${line}\n`);
  return new Progress(steps, { label: "fit", from, output });
}
