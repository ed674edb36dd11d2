import { errorText } from "../base/error-text.ts";
import { printable } from "../base/printable.ts";
import { type ReplayCase, readCases } from "./replay/case.ts";
import { type Difference, runCase } from "./replay/run.ts";

/** How many cases agreed with their record, and how many did not. */
export interface ReplayResult {
  passed: number;
  failed: number;
}

/**
 * Replays recorded training runs (plain or gzip JSON) on the current backend: prints each case that differs with
 * its first difference, and at the end how many passed and failed.
 */
export async function replay(
  files: readonly string[],
  print: (line: string) => void = console.log,
): Promise<ReplayResult> {
  const result: ReplayResult = { passed: 0, failed: 0 };
  for (const file of files)
    for (const replayed of readCases(file)) {
      const failure = attempt(replayed);
      if (failure === null) result.passed++;
      else {
        result.failed++;
        print(printable(`FAILED ${replayed.name}: ${failure}`));
      }
    }
  print(`${result.passed} passed, ${result.failed} failed`);
  return result;
}

/** What is wrong with a case, as text; an error that it throws is its difference. */
function attempt(replayed: ReplayCase): string | null {
  try {
    const found = runCase(replayed);
    return found === null ? null : describe(found);
  } catch (error) {
    return errorText(error);
  }
}

const describe = ({ step, what, index, got, expected }: Difference): string =>
  `step ${step}, ${what}${index === "" ? "" : ` ${index}`}: got ${got}, expected ${expected}`;
