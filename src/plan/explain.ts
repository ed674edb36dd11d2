import { dtypes } from "../base/dtype.ts";
import { shapeText } from "../base/shape.ts";
import { sentOf } from "../ir/collective.ts";
import type { KernelCall, Value } from "./kernel.ts";
import type { ExplainedKernel, Plan, PlanExplanation } from "./plan.ts";

const silent = new Set<Value["op"]>(["load", "constant", "index", "accumulator", "cast"]);

function nameOf({ kernel }: KernelCall): string {
  if (kernel.kind === "loop" || kernel.kind === "contract") {
    const values = kernel.kind === "loop" ? kernel.body : [...kernel.prologue, ...kernel.epilogue];
    const words = values
      .filter((v) => !silent.has(v.op))
      .map((v) => (v.op === "reduce" ? `reduce ${v.kind}` : v.op));
    const distinct = [...new Set(words)];
    const shown = distinct.slice(0, 6).join(", ") + (distinct.length > 6 ? "…" : "");
    if (kernel.kind === "contract") return shown === "" ? "dot" : `dot, ${shown}`;
    return shown === "" ? "copy" : shown;
  }
  return kernel.kind;
}

const count = (n: number): string =>
  n >= 1e9
    ? `${(n / 1e9).toFixed(2)} G`
    : n >= 1e6
      ? `${(n / 1e6).toFixed(2)} M`
      : n >= 1e4
        ? `${(n / 1e3).toFixed(1)} k`
        : `${n} `;

/** The kernels of a plan with their FLOPs, bytes and peak memory, as data and as a table. */
export function explainPlan(plan: Pick<Plan, "calls" | "exchanges" | "arenaBytes">): PlanExplanation {
  const kernels = plan.calls.map((call) => ({
    name: nameOf(call),
    kind: call.kernel.kind,
    extents: call.extents,
    flops: call.flops,
    bytes: call.bytes,
    recomputedFlops: call.recomputed ?? 0,
  }));
  const total = (of: (k: ExplainedKernel) => number) => kernels.reduce((sum, k) => sum + of(k), 0);
  const flops = total((k) => k.flops);
  const bytes = total((k) => k.bytes);
  const recomputedFlops = total((k) => k.recomputedFlops);
  const exchangedBytes = plan.exchanges.reduce(
    (sum, { dtype, parts, shares, by }) =>
      sum +
      sentOf(
        parts.map(({ length }) => length * dtypes[dtype].bytes),
        dtypes[dtype].bytes,
        shares,
        by,
      ),
    0,
  );
  const structures = new Set(plan.calls.map((c) => c.kernel.key)).size;
  return {
    kernels,
    structures,
    flops,
    bytes,
    recomputedFlops,
    exchangedBytes,
    arenaBytes: plan.arenaBytes,
    toString() {
      const rows = kernels.map((k, i) => [
        `${i}`,
        k.kind,
        shapeText(k.extents),
        `${count(k.flops)}FLOP`,
        `${count(k.bytes)}B`,
        k.recomputedFlops > k.flops / 2 ? `${k.name} (once more)` : k.name,
      ]);
      const widths = [0, 1, 2, 3, 4].map((c) => Math.max(...rows.map((r) => r[c]!.length), 0));
      const lines = rows.map((r) => r.map((cell, c) => (c < 5 ? cell.padEnd(widths[c]!) : cell)).join("  "));
      const again = recomputedFlops > 0 ? ` (${count(recomputedFlops)}FLOP once more)` : "";
      const summary = `${kernels.length} kernels (${structures} different), ${count(flops)}FLOP${again}, ${count(bytes)}B moved, ${count(plan.arenaBytes)}B of scratch${exchangedBytes > 0 ? `, ${count(exchangedBytes)}B to other ranks` : ""}`;
      return [...lines, summary].join("\n");
    },
  };
}
