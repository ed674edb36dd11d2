import type { LoadablePlan } from "../../src/backends/contract.ts";
import { allocate, type DType, dtypes, type TypedArray } from "../../src/base/dtype.ts";
import type { Access, AccessArgs, ContractKernel, Store, Value } from "../../src/plan/kernel.ts";
import type { PlanBuffer } from "../../src/plan/plan.ts";

/** A product to try: result[b, m, n] = epilogue(Σ_k left[b, m, k] · right[b, n, k]). */
export interface Product {
  batch?: number[];
  m: number;
  n: number;
  k: number;
  dtype?: DType;
  /** Dtype of the operands in memory. */
  stored?: DType;
  /**
   * Which dimension of the operand is contiguous; none: every second element of a k-contiguous one; same: every second
   * element, whatever k.
   */
  left?: "m" | "k" | "none" | "same";
  right?: "n" | "k" | "none" | "same";
  /** Left out: the operands as they are. */
  prologue?: (left: number, right: number, body: Value[], scale: number) => [number, number];
  /** Values after the sum (value 0); gives the one to store. `row` and `column` are accesses of a value per m, per n. */
  epilogue?: (body: Value[], accesses: { row: number; column: number; full: number }) => number;
  /** Dtype of the result in memory. */
  result?: DType;
  /** The result is stored with m contiguous. */
  transposed?: boolean;
  /** What is stored also takes the place of the value per element. */
  inPlace?: boolean;
}

/** A plan of one contraction over inputs left, right, a value per m, one per n, and one per element. */
export function contractPlan(p: Product): { plan: LoadablePlan; inputs: TypedArray[] } {
  const batch = p.batch ?? [];
  const { m, n, k, dtype = "f32" } = p;
  const stored = p.stored ?? dtype;
  const result = p.result ?? dtype;
  const batches = batch.reduce((a, b) => a * b, 1);
  const batchStrides = (size: number) =>
    batch.map((_, d) => size * batch.slice(d + 1).reduce((a, b) => a * b, 1));
  const zeros = batch.map(() => 0);
  const operand = (free: number, layout: "free" | "k" | "none" | "same", at: number): number[] => {
    const strides = { free: [1, free], k: [k, 1], none: [2 * k, 2], same: [2, 0] }[layout];
    const size = { free: free * k, k: free * k, none: 2 * free * k, same: 2 * free }[layout];
    const out = [...batchStrides(size), 0, 0, strides[1]!];
    out[batch.length + at] = strides[0]!;
    return out;
  };
  const leftLayout = p.left ?? "k";
  const rightLayout = p.right ?? "k";
  const leftStrides = operand(m, leftLayout === "m" ? "free" : leftLayout, 0);
  const rightStrides = operand(n, rightLayout === "n" ? "free" : rightLayout, 1);
  const kind = (layout: string): Access["vector"] =>
    layout === "none" ? "strided" : layout === "same" ? "uniform" : "unit";
  const access = (d: DType, vector: Access["vector"], level: Access["level"] = "full"): Access => ({
    dtype: d,
    level,
    vector,
  });
  const accesses: Access[] = [
    access(stored, kind(leftLayout)),
    access(stored, kind(rightLayout)),
    access(dtype, "uniform"),
    access(dtype, "unit"),
    access(dtype, "unit"),
    access(result, p.transposed ? "strided" : "unit"),
  ];
  const resultStrides = [...batchStrides(m * n), p.transposed ? 1 : n, p.transposed ? m : 1, 0];
  const args: AccessArgs[] = [
    { buffer: 0, offset: 0, strides: leftStrides },
    { buffer: 1, offset: 0, strides: rightStrides },
    { buffer: 2, offset: 0, strides: [...zeros, 1, 0, 0] },
    { buffer: 3, offset: 0, strides: [...zeros, 0, 1, 0] },
    { buffer: 4, offset: 0, strides: [...batchStrides(m * n), n, 1, 0] },
    { buffer: 5, offset: 0, strides: resultStrides },
  ];
  const prologue: Value[] = [
    { op: "load", dtype, access: 0 },
    { op: "load", dtype, access: 1 },
    { op: "constant", dtype, value: 2 },
  ];
  if (stored !== dtype) {
    // Storage types are widened by the load itself; other types by a cast.
    const storage = !dtypes[stored].compute;
    prologue[0] = { op: "load", dtype: storage ? dtype : stored, access: 0 };
    prologue[1] = { op: "load", dtype: storage ? dtype : stored, access: 1 };
  }
  const cast = (value: number): number =>
    prologue[value]!.dtype === dtype ? value : prologue.push({ op: "cast", dtype, args: [value] }) - 1;
  const [left, right] = p.prologue?.(cast(0), cast(1), prologue, 2) ?? [cast(0), cast(1)];
  const epilogue: Value[] = [{ op: "accumulator", dtype }];
  const value = p.epilogue?.(epilogue, { row: 2, column: 3, full: 4 }) ?? 0;
  const stores: Store[] = [{ access: 5, value }, ...(p.inPlace ? [{ access: 4, value }] : [])];
  const structure = {
    kind: "contract" as const,
    batch: batch.length,
    dtype,
    accesses,
    prologue,
    left,
    right,
    leftUnit: leftLayout === "same" ? ("none" as const) : leftLayout,
    rightUnit: rightLayout === "same" ? ("none" as const) : rightLayout,
    epilogue,
    stores,
  };
  const kernel: ContractKernel = { ...structure, key: JSON.stringify(structure) };
  const size = (strides: readonly number[]) =>
    1 +
    strides.reduce(
      (sum, s, d) => sum + s * ((d < batch.length ? batch[d]! : [m, n, k][d - batch.length]!) - 1),
      0,
    );
  const sizes = args.map((a) => Math.max(1, size(a.strides)));
  const types = [stored, stored, dtype, dtype, dtype];
  // Small whole numbers: sums are exact in f32, whatever their order.
  const inputs = types.map((d, i) => {
    const data = allocate(d, sizes[i]!);
    for (let e = 0; e < data.length; e++) {
      const number = ((e * 7 + (e >> 3) * 5 + i) % 7) - (d === "u8" ? 0 : 3);
      data[e] = d === "bf16" ? new Uint32Array(new Float32Array([number]).buffer)[0]! >>> 16 : number;
    }
    return data;
  });
  let next = 0;
  const place = (bytes: number) => {
    next += Math.ceil(bytes / 64) * 64;
    return next - Math.ceil(bytes / 64) * 64;
  };
  const planInputs = types.map((d, i) => ({
    dtype: d,
    shape: [sizes[i]!],
    offset: place(sizes[i]! * dtypes[d].bytes),
  }));
  const elements = batches * m * n;
  const bytes = elements * dtypes[result].bytes;
  // Inputs are the first buffers, and the result is the one after them.
  const outputs = [{ dtype: result, shape: [elements], offset: place(bytes), buffer: types.length }];
  const buffers: PlanBuffer[] = [
    ...planInputs.map((_, slot) => ({ kind: "input" as const, slot })),
    { kind: "arena" as const, offset: outputs[0]!.offset, bytes },
  ];
  const extents = [...batch, m, n, k];
  const plan: LoadablePlan = {
    id: 0,
    inputs: planInputs,
    scalars: [],
    buffers,
    arenaBytes: next,
    exchanges: [],
    calls: [{ kernel, extents, accesses: args, flops: 2 * elements * k, bytes: 0, check: false }],
    outputs,
    graph: { order: [], leaves: [], scalars: [], outputs: [], writes: [], checks: [] },
  };
  return { plan, inputs };
}
