import { grouped, table } from "../base/table.ts";
import { openTensors, type TensorSource } from "../checkpoint/open.ts";
import { statisticsOf, type TensorStatistics } from "../checkpoint/statistics.ts";

/** Options of `thaw inspect`. */
export interface InspectOptions {
  json?: boolean;
  /** Read the values too. */
  stats?: boolean;
}

/** `thaw inspect FILE`: what is in a safetensors file or folder. */
export function inspect(path: string, options: InspectOptions, print: (line: string) => void): void {
  const source = openTensors(path);
  try {
    describe(source, path, options, print);
  } finally {
    source.close();
  }
}

function describe(
  source: TensorSource,
  path: string,
  { json = false, stats = false }: InspectOptions,
  print: (line: string) => void,
): void {
  const tensors = [...source.entries].map(([name, { dtype, shape, begin, end, file }]) => ({
    name,
    dtype,
    shape,
    elements: shape.reduce((product, size) => product * size, 1),
    bytes: end - begin,
    file,
    ...(stats && { statistics: statisticsOf(source, name) }),
  }));
  const files = [...new Set(tensors.map(({ file }) => file))];
  if (json) {
    print(JSON.stringify({ path, files, metadata: source.metadata, tensors }, null, 2));
    return;
  }
  const columns = ["tensor", "dtype", "shape", "elements", "bytes"];
  const rows = tensors.map(({ name, dtype, shape, elements, bytes, statistics }) => [
    name,
    dtype,
    `[${shape.join(", ")}]`,
    grouped(elements),
    grouped(bytes),
    ...(stats ? statisticsCells(statistics ?? null) : []),
  ]);
  const heads = stats ? [...columns, "min", "max", "mean", "std", "NaN", "infinite"] : columns;
  for (const line of table(heads, rows)) print(line);
  print("");
  for (const [dtype, of] of groups(tensors, ({ dtype }) => dtype))
    print(
      `${dtype}: ${grouped(of.length)} tensors, ${grouped(sum(of, "elements"))} elements, ${grouped(sum(of, "bytes"))} bytes`,
    );
  const state = tensors.filter(({ name }) => name.startsWith("optimizer."));
  if (state.length > 0 && "thaw" in source.metadata)
    print(
      `Of these, ${grouped(state.length)} are an optimizer's state, ${grouped(sum(state, "bytes"))} bytes.`,
    );
  if (files.length > 1) print(`In ${files.length} files: ${files.join(", ")}`);
  for (const [key, value] of Object.entries(source.metadata))
    print(
      `${key} = ${value.length > 200 ? `${value.slice(0, 200)}… (${grouped(value.length)} characters)` : value}`,
    );
}

function statisticsCells(statistics: TensorStatistics | null): string[] {
  if (statistics === null) return ["–", "–", "–", "–", "–", "–"];
  const { min, max, mean, std, nan, infinite } = statistics;
  return [...[min, max, mean, std].map((x) => x.toPrecision(4)), grouped(nan), grouped(infinite)];
}

function groups<T>(things: readonly T[], keyOf: (thing: T) => string): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const thing of things) found.set(keyOf(thing), [...(found.get(keyOf(thing)) ?? []), thing]);
  return found;
}

const sum = <K extends string>(of: readonly { readonly [key in K]: number }[], key: K): number =>
  of.reduce((total, thing) => total + thing[key], 0);
