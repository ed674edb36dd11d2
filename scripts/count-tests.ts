import { readFileSync } from "node:fs";
import { isMain } from "./sources.ts";

/** The part of vitest's JSON report that is counted. */
export interface TestReport {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: { name: string; status: string; assertionResults: unknown[] }[];
}

/** How many tests passed and failed. Skipped tests, and files that could not be loaded, count as failed. */
export function countTests(report: TestReport): { passed: number; failed: number } {
  const unloaded = report.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.length === 0,
  );
  const skipped = report.numPendingTests + report.numTodoTests;
  return { passed: report.numPassedTests, failed: report.numFailedTests + unloaded.length + skipped };
}

if (isMain(import.meta.url)) {
  const { passed, failed } = countTests(JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")));
  console.log(`${passed} ${failed}`);
}
