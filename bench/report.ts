import type { Machine } from "./machine.ts";
import type { Measured, Measurements } from "./measure.ts";

const titles: Record<string, string> = {
  W1: "the article's network, AdamW, batch 10, tasks alternating",
  W2: "perceptron 784-256-128-10, batch 64, Adam",
  W3: "perceptron 1024-4096-1024, batch 256, AdamW",
  W5: "encoder of 6 layers, 384 wide, 6 heads, batch 8 of 64 tokens, AdamW",
};

const thawLabels = ["thaw (captured)", "thaw (uncaptured)"];

/** All tables, ratios and versions as text. */
export function report(machine: Machine, { rows, versions, absent }: Measurements): string {
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.os}`,
    Object.entries(versions)
      .map(([system, version]) => `${system} ${version}`)
      .join("; "),
  ];
  if (!machine.pinned) lines.push("Processes are not pinned to cores on this system.");
  const keys = new Set(rows.map(({ result }) => `${result.workload} ${result.threads}`));
  for (const key of keys) {
    lines.push(
      "",
      ...workloadTable(rows.filter((row) => `${row.result.workload} ${row.result.threads}` === key)),
    );
  }
  lines.push("", ...scaling(rows), ...residentMemory(rows));
  for (const [what, why] of absent) lines.push(`absent: ${what}: ${why}`);
  return lines.join("\n");
}

function workloadTable(rows: Measured[]): string[] {
  const { workload, threads } = rows[0]!.result;
  const size = /^matmul-(\d+)$/.exec(workload)?.[1];
  const own = rows.filter(({ label }) => thawLabels.includes(label));
  const header = ["system", "median ms", "min ms", "runs", "first step ms", "peak MiB", "engine MiB"];
  if (size !== undefined) header.push("GFLOP/s");
  header.push(...own.map(({ label }) => `${label} / it`));
  const cells = rows.map(({ label, result, firstStepMs, engineMiB }) => [
    label,
    time(result.medianMs),
    time(result.minMs),
    `${result.runs}`,
    time(firstStepMs),
    result.peakMiB.toFixed(0),
    engineMiB === undefined ? "" : engineMiB.toFixed(1),
    ...(size === undefined ? [] : [((2 * Number(size) ** 3) / result.medianMs / 1e6).toFixed(1)]),
    ...own.map((thaw) => (thaw.result.medianMs / result.medianMs).toPrecision(3)),
  ]);
  const title = titles[workload] ?? `product of two ${size} x ${size} matrices`;
  return [
    `${workload}: ${title}; ${threads} ${threads === 1 ? "core" : "cores"}`,
    ...table([header, ...cells]),
  ];
}

/** How much faster each system is on more cores than on one. */
function scaling(rows: Measured[]): string[] {
  return rows.flatMap(({ label, result }) => {
    if (result.threads === 1) return [];
    const one = rows.find(
      (row) => row.label === label && row.result.workload === result.workload && row.result.threads === 1,
    );
    if (one === undefined) return [];
    const speedup = (one.result.medianMs / result.medianMs).toFixed(2);
    return [`${result.workload}, ${label}: ${result.threads} cores ${speedup} x one`];
  });
}

/** W3's memory beside what the work needs: parameters, Adam's two moments, and one batch's activations. */
function residentMemory(rows: Measured[]): string[] {
  const parameters = 1024 * 4096 + 4096 + 4096 * 1024 + 1024;
  const activations = 256 * (1024 + 4096 + 1024 + 1024);
  const needed = (4 * (3 * parameters + activations)) / 2 ** 20;
  return rows.flatMap(({ label, result, idleMiB }) => {
    if (result.workload !== "W3" || idleMiB === undefined) return [];
    const more = result.peakMiB - idleMiB;
    const ratio = (more / needed).toFixed(2);
    return [
      `W3, ${label}, threads ${result.threads}: ${more.toFixed(0)} MiB over the idle process, ${ratio} x what it must hold (${needed.toFixed(0)} MiB)`,
    ];
  });
}

function time(ms: number): string {
  return ms >= 100 ? ms.toFixed(0) : ms.toPrecision(3);
}

/** Lines of a table whose first column is text and whose others are numbers. */
function table(rows: string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  "),
  );
}
