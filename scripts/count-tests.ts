import { readFileSync } from "node:fs";
import { isMain } from "./sources.ts";

/** The part of vitest's JSON report that is counted. */
export interface TestReport {
  testResults: { name: string; status: string; assertionResults: { fullName: string; status: string }[] }[];
}

/** How many tests passed, and a line for each that did not. */
export interface TestCount {
  passed: number;
  failures: string[];
}

/** Counts tests. Skipped tests, and files that could not be loaded, are failures too. */
export function countTests(report: TestReport): TestCount {
  let passed = 0;
  const failures: string[] = [];
  for (const file of report.testResults) {
    if (file.status === "failed" && file.assertionResults.length === 0)
      failures.push(`not loaded: ${file.name}`);
    for (const { fullName, status } of file.assertionResults) {
      if (status === "passed") passed++;
      else failures.push(`${status}: ${file.name}: ${fullName}`);
    }
  }
  return { passed, failures };
}

if (isMain(import.meta.url)) {
  const { passed, failures } = countTests(JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")));
  console.log(`${passed} ${failures.length}`);
  for (const failure of failures) console.log(failure);
}
