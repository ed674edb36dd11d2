import { printable } from "../base/printable.ts";
import { sizeOf } from "../base/shape.ts";
import { grouped } from "../base/table.ts";
import type { TensorSource } from "../checkpoint/open.ts";
import { statisticsOf, type TensorStatistics } from "../checkpoint/statistics.ts";
import { type CheckpointSummary, summaryOf } from "./checkpoint-summary.ts";
import { fittedTable } from "./fitted-table.ts";
import { withSource } from "./with-source.ts";

/** Options of `thaw inspect`. */
export interface InspectOptions {
  json?: boolean;
  /** Read the values too. */
  stats?: boolean;
  /** Width of the terminal; without, nothing is cut to fit. */
  columns?: number | undefined;
}

/** A tensor as it is described. */
interface Described {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly elements: number;
  readonly bytes: number;
  readonly file: string;
  /** Null for what is not read as numbers; undefined where nothing was asked for. */
  readonly statistics?: TensorStatistics | null;
}

/** `thaw inspect FILE`: what is in a safetensors file or folder. */
export async function inspect(
  path: string,
  { json = false, stats = false, columns }: InspectOptions,
  print: (line: string) => void,
): Promise<void> {
  const { tensors, metadata } = await withSource(path, { progress: true }, (source) => ({
    tensors: describe(source, stats),
    metadata: source.metadata,
  }));
  const checkpoint = summaryOf(metadata, tensors);
  if (json) {
    const files = [...new Set(tensors.map(({ file }) => file))];
    print(JSON.stringify({ path, files, metadata, checkpoint, tensors }, null, 2));
  } else show(tensors, metadata, checkpoint, { stats, columns }, (line) => print(printable(line)));
}

function describe(source: TensorSource, stats: boolean): Described[] {
  return [...source.entries].map(([name, { dtype, shape, begin, end, file }]) => ({
    name,
    dtype,
    shape,
    elements: sizeOf(shape),
    bytes: end - begin,
    file,
    ...(stats && { statistics: statisticsOf(source, name) }),
  }));
}

function show(
  tensors: readonly Described[],
  metadata: Readonly<Record<string, string>>,
  checkpoint: CheckpointSummary | null,
  { stats, columns }: { stats: boolean; columns: number | undefined },
  print: (line: string) => void,
): void {
  const heads = ["tensor", "dtype", "shape", "elements", "bytes"];
  const rows = tensors.map(({ name, dtype, shape, elements, bytes, statistics }) => [
    name,
    dtype,
    `[${shape.join(", ")}]`,
    grouped(elements),
    grouped(bytes),
    ...(stats ? statisticsCells(statistics ?? null) : []),
  ]);
  const all = stats ? [...heads, "min", "max", "mean", "std", "NaN", "infinite"] : heads;
  for (const line of fittedTable(all, rows, {
    columns,
    cut: ["tensor", "shape"],
    drop: ["bytes", "elements"],
  }))
    print(line);
  print("");
  const dtypes = [...new Set(tensors.map(({ dtype }) => dtype))];
  for (const of of dtypes) print(`${of}: ${sizes(tensors.filter(({ dtype }) => dtype === of))}`);
  if (dtypes.length !== 1) print(`In all: ${sizes(tensors)}`);
  const files = [...new Set(tensors.map(({ file }) => file))];
  if (files.length > 1) print(`In ${files.length} files: ${files.join(", ")}`);
  if (checkpoint !== null) showCheckpoint(checkpoint, print);
  for (const [key, value] of Object.entries(metadata))
    if (checkpoint === null || (key !== "thaw" && !key.startsWith("thaw.")))
      print(
        `${key} = ${value.length > 200 ? `${value.slice(0, 200)}… (${grouped(value.length)} characters)` : value}`,
      );
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);

function sizes(of: readonly Described[]): string {
  const elements = sum(of.map(({ elements }) => elements));
  const bytes = sum(of.map(({ bytes }) => bytes));
  return `${grouped(of.length)} tensor${of.length === 1 ? "" : "s"}, ${grouped(elements)} elements, ${grouped(bytes)} bytes`;
}

function showCheckpoint(
  { arithmetic, optimizer, frozen, leftOut }: CheckpointSummary,
  print: (line: string) => void,
): void {
  print(`A checkpoint of thaw, made with ${arithmetic}.`);
  if (optimizer !== null) {
    const { name, states, tensors, bytes, steps } = optimizer;
    const counted = steps === null ? "" : `, at step ${steps.map(grouped).join(" to ")}`;
    print(
      `Optimizer: ${name}, ${grouped(states)} state${states === 1 ? "" : "s"} in ${grouped(tensors)} of the tensors, ${grouped(bytes)} bytes${counted}.`,
    );
  }
  const inAll = frozen.length > 20 ? `, … (${grouped(frozen.length)} in all)` : "";
  print(`Frozen: ${frozen.length === 0 ? "nothing" : frozen.slice(0, 20).join(", ")}${inAll}.`);
  if (leftOut.length > 0)
    print(
      `${leftOut.length === frozen.length ? "The last step left them out" : `Of these the last step left out ${grouped(leftOut.length)}`}: its \`trains\` named the others.`,
    );
}

function statisticsCells(statistics: TensorStatistics | null): string[] {
  if (statistics === null) return ["–", "–", "–", "–", "–", "–"];
  const { min, max, mean, std, nan, infinite } = statistics;
  return [...[min, max, mean, std].map((x) => x.toPrecision(4)), grouped(nan), grouped(infinite)];
}
