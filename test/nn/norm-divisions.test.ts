import { expect, test } from "vitest";
import { sizeOf } from "../../src/base/shape.ts";
import { topological } from "../../src/ir/node.ts";
import { gradient, groupNorm, layerNorm, ones, randn, rmsNorm } from "../../src/tensor/index.ts";

test.each(["layer", "root mean square", "group"])(
  "divides once a row and not once an element, gradients too: %s norm",
  (kind) => {
    const [x, weight] = [randn([6, 8], { requiresGrad: true }), randn([8], { requiresGrad: true })];
    const y =
      kind === "layer"
        ? layerNorm(x, [8], weight)
        : kind === "group"
          ? groupNorm(x, 2, weight)
          : rmsNorm(x, [8], weight);
    const all = [y, ...gradient(y, [x, weight], { gradient: ones([6, 8]) })];
    const divisions = topological(all.map((t) => t!.node)).filter((n) => n.op === "div");
    expect(divisions.length).toBeGreaterThan(0);
    for (const { shape } of divisions) expect(sizeOf(shape)).toBeLessThanOrEqual(12);
  },
);
