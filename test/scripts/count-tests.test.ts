import { expect, test } from "vitest";
import { countTests, type TestReport } from "../../scripts/count-tests.ts";

const report = (...files: TestReport["testResults"]): TestReport => ({ testResults: files });

const ofStatus = (...statuses: string[]): TestReport =>
  report({
    name: "a.test.ts",
    status: statuses.includes("failed") ? "failed" : "passed",
    assertionResults: statuses.map((status, i) => ({ fullName: `test ${i}`, status })),
  });

test("passed and failed tests are counted", () => {
  expect(countTests(ofStatus("passed", "failed", "passed"))).toEqual({
    passed: 2,
    failures: ["failed: a.test.ts: test 1"],
  });
});

test("a file that could not be loaded is a failure", () => {
  const unloaded = { name: "b.test.ts", status: "failed", assertionResults: [] };
  expect(countTests(report(...ofStatus("passed").testResults, unloaded))).toEqual({
    passed: 1,
    failures: ["not loaded: b.test.ts"],
  });
});

test.each(["skipped", "pending", "todo"])("a test that is %s is a failure", (status) => {
  expect(countTests(ofStatus("passed", status))).toEqual({
    passed: 1,
    failures: [`${status}: a.test.ts: test 1`],
  });
});
