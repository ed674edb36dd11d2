import { expect, test } from "vitest";
import { globPattern } from "../../src/freeze/glob.ts";

const paths = [
  "weight",
  "output.weight",
  "output.bias",
  "blocks.0.norm.weight",
  "blocks.1.norm.weight",
  "blocks.10.fc.bias",
  "blocksWeight",
];

test.each<[string, string[]]>([
  ["output.weight", ["output.weight"]],
  ["output.**", ["output.weight", "output.bias"]],
  ["output.*", ["output.weight", "output.bias"]],
  ["*.weight", ["output.weight"]],
  ["**.weight", ["weight", "output.weight", "blocks.0.norm.weight", "blocks.1.norm.weight"]],
  ["weight.**", ["weight"]],
  ["**", paths],
  ["**.**", paths],
  ["*", ["weight", "blocksWeight"]],
  ["blocks.*", []],
  ["blocks.*.norm.*", ["blocks.0.norm.weight", "blocks.1.norm.weight"]],
  ["blocks.1.**", ["blocks.1.norm.weight"]],
  ["blocks.1*.**", ["blocks.1.norm.weight", "blocks.10.fc.bias"]],
  ["blocks.**.weight", ["blocks.0.norm.weight", "blocks.1.norm.weight"]],
  ["**.norm.**", ["blocks.0.norm.weight", "blocks.1.norm.weight"]],
  ["blocks.{0,10}.**", ["blocks.0.norm.weight", "blocks.10.fc.bias"]],
  ["{output.weight,blocks.{0,1}.norm.*}", ["output.weight", "blocks.0.norm.weight", "blocks.1.norm.weight"]],
  ["output.{weight,bias}", ["output.weight", "output.bias"]],
  ["out*.*ight", ["output.weight"]],
  ["output_weight", []],
  ["outputXweight", []],
  ["Output.weight", []],
  ["output.(weight|bias)", []],
  ["output", []],
])("%s", (glob, expected) => {
  expect(paths.filter((path) => globPattern(glob).test(path))).toEqual(expected);
});

test("a dot in a glob is a dot", () => expect(globPattern("a.b").test("axb")).toBe(false));

test("** stands for names with line breaks too", () => {
  for (const path of ["a\nb.weight", "a\r\u2028.weight", "\n"])
    expect(globPattern("**").test(path)).toBe(true);
});
