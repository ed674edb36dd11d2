import type { LoopKernel, Store } from "../plan/kernel.ts";
import { argsOf } from "./body.ts";

/** One pass over the inner dimensions. */
export interface Stage {
  /** Reductions that this pass completes. */
  readonly reduces: readonly number[];
  /** Stores of full values; all are in the last pass, as they may overwrite what earlier ones read. */
  readonly stores: readonly Store[];
  /** Values that the pass needs for them, at every element. */
  readonly wanted: readonly number[];
  /** Row values (reductions of earlier passes among them) that go into those. */
  readonly rows: readonly number[];
  /** Accesses that the pass walks along. */
  readonly accesses: readonly number[];
  /** Elementwise functions per element that take long enough for one vector at a time to fill the processor. */
  readonly heavy: boolean;
}

/** The order of work of a loop kernel. */
export interface LoopStructure {
  readonly stages: readonly Stage[];
  /** Stores that happen once per outer index. */
  readonly rowStores: readonly Store[];
}

const levels = ["scalar", "row", "full"];
const slow = new Set([
  "exp",
  "log",
  "expm1",
  "log1p",
  "sin",
  "cos",
  "tanh",
  "sigmoid",
  "erf",
  "erfc",
  "pow",
  "random",
  "remainder",
]);

/** Works out which values are needed when. */
export function analyse(kernel: LoopKernel): LoopStructure {
  const { body, accesses, stores } = kernel;
  // 0: the same everywhere, 1: per outer index, 2: per element.
  const level: number[] = [];
  /** How many passes come before a value can be computed. */
  const depth: number[] = [];
  for (const value of body) {
    const args = argsOf(value);
    const own = "access" in value ? levels.indexOf(accesses[value.access]!.level) : 0;
    const reduces = value.op === "reduce";
    level.push(reduces ? 1 : Math.max(own, ...args.map((a) => level[a]!)));
    depth.push(Math.max(0, ...args.map((a) => depth[a]!)) + (reduces ? 1 : 0));
  }
  const reductions = body.flatMap((v, i) => (v.op === "reduce" ? [i] : []));
  const isFull = (s: Store) =>
    reductions.length === 0 || accesses[s.access]!.level === "full" || level[s.value] === 2;
  const fullStores = stores.filter(isFull);
  const passes = [...reductions.map((r) => depth[r]! - 1), ...fullStores.map((s) => depth[s.value]!)];
  const last = Math.max(-1, ...passes);
  const stages = [...new Set([...passes, last])]
    .filter((p) => p >= 0)
    .sort((a, b) => a - b)
    .map((pass): Stage => {
      const reduces = reductions.filter((r) => depth[r] === pass + 1);
      const here = pass === last ? fullStores : [];
      const wanted = [...new Set([...reduces.map((r) => argsOf(body[r]!)[0]!), ...here.map((s) => s.value)])];
      const rows = new Set<number>();
      const seen = new Set<number>();
      const visit = (v: number): void => {
        if (seen.has(v)) return;
        seen.add(v);
        if (level[v]! < 2) rows.add(v);
        else for (const a of argsOf(body[v]!)) visit(a);
      };
      for (const v of wanted) visit(v);
      const full = [...seen].filter((v) => level[v] === 2).map((v) => body[v]!);
      const walked = [
        ...full.flatMap((v) => ("access" in v ? [v.access] : [])),
        ...here.map((s) => s.access),
      ];
      return {
        reduces,
        stores: here,
        wanted,
        rows: [...rows],
        accesses: [...new Set(walked)],
        heavy: full.length > 24 || full.some((v) => slow.has(v.op)),
      };
    });
  return { stages, rowStores: stores.filter((s) => !isFull(s)) };
}
