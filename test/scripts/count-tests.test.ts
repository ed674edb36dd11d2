import { expect, test } from "vitest";
import { countTests, type TestReport } from "../../scripts/count-tests.ts";

const report: TestReport = {
  numPassedTests: 7,
  numFailedTests: 2,
  numPendingTests: 0,
  numTodoTests: 0,
  testResults: [{ name: "a.test.ts", status: "failed", assertionResults: [{}] }],
};

test("passed and failed tests are counted", () => {
  expect(countTests(report)).toEqual({ passed: 7, failed: 2 });
});

test("a file that could not be loaded is a failure", () => {
  const unloaded = { name: "b.test.ts", status: "failed", assertionResults: [] };
  expect(countTests({ ...report, testResults: [...report.testResults, unloaded] }).failed).toBe(3);
});

test("what is skipped or left to do is a failure", () => {
  expect(countTests({ ...report, numPendingTests: 1, numTodoTests: 3 }).failed).toBe(6);
});
