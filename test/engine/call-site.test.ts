import { expect, test } from "vitest";
import { callSiteOf } from "../../src/engine/call-site.ts";

const library = "file:///app/node_modules/thaw/dist/chunks/thaw.js";

const v8 = (...frames: string[]): string => ["Error", ...frames.map((frame) => `    at ${frame}`)].join("\n");

test("what the user called is the library's function nearest to the user's line", () => {
  const stack = v8(
    `noteOrigin (${library}:1:1)`,
    `node (${library}:2:1)`,
    `make$1 (${library}:3:1)`,
    `div (${library}:4:1)`,
    `Array.map (<anonymous>)`,
    `crossEntropy$1 (${library}:5:1)`,
    "loss (file:///app/my%20run.mjs:9:58)",
    `differentiated (${library}:6:1)`,
    "file:///app/my%20run.mjs:12:3",
  );
  expect(callSiteOf(stack)).toEqual({ operation: "crossEntropy", place: "/app/my run.mjs:9:58" });
});

test("of a row of layers, it is what the innermost called", () => {
  const stack = v8(
    `noteOrigin (${library}:1:1)`,
    `node (${library}:2:1)`,
    `linear (${library}:3:1)`,
    `Linear.forward (${library}:4:1)`,
    `Linear.value [as forward] (${library}:5:1)`,
    `Sequential.forward (${library}:6:1)`,
    "Net.forward (/app/net.ts:3:5)",
  );
  expect(callSiteOf(stack)).toEqual({ operation: "linear", place: "/app/net.ts:3:5" });
});

test("a node that is made by hand has no operation but its own", () => {
  const stack = v8(`noteOrigin (${library}:1:1)`, `node (${library}:2:1)`, "file:///app/run.mjs:1:1");
  expect(callSiteOf(stack)).toEqual({ operation: null, place: "/app/run.mjs:1:1" });
});

test("stacks of browsers", () => {
  const at = "https://example.org/lib/thaw/chunks/thaw.js";
  const stack = [
    `noteOrigin@${at}:1:1`,
    `log@${at}:2:1`,
    "loss@https://example.org/train.js:4:2",
    "@https://example.org/train.js:9:1",
  ].join("\n");
  expect(callSiteOf(stack)).toEqual({ operation: "log", place: "https://example.org/train.js:4:2" });
});

test("nothing can be made out where there is no stack, or all is one file", () => {
  const nothing = { operation: null, place: null };
  expect(callSiteOf("")).toEqual(nothing);
  expect(callSiteOf(v8("a (file:///app/dist/all.js:1:1)", "b (file:///app/dist/all.js:2:1)"))).toEqual(
    nothing,
  );
});
