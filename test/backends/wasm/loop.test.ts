import { describe, test } from "vitest";
import { expectClose } from "../../codegen/case-list.ts";
import { expectLoop } from "../../codegen/loop-call.ts";
import { loopCases } from "../../codegen/loop-cases.ts";
import { runCall } from "./run-call.ts";

describe.each([...new Set(loopCases.map((c) => c.title))])("%s", (title) => {
  test.each([Number.POSITIVE_INFINITY, 3])("tasks of %i", (chunk) => {
    for (const c of loopCases.filter((c) => c.title === title))
      expectClose(c, runCall(c.call, c.buffers, chunk), expectLoop(c.call, c.buffers));
  });
});
