import type { LoadablePlan } from "../../src/backends/contract.ts";
import {
  allocate,
  dtypes,
  readElement,
  roundTo,
  type TypedArray,
  writeElement,
} from "../../src/base/dtype.ts";
import { threefry2x32 } from "../../src/base/threefry.ts";
import { evaluate } from "../../src/ir/evaluate.ts";
import { node } from "../../src/ir/node.ts";
import type { AccessArgs, KernelCall, Value } from "../../src/plan/kernel.ts";

/** Runs a plan's kernels one element at a time: what the planner means, with no code generation in between. */
export function interpret(
  plan: LoadablePlan,
  inputs: TypedArray[],
  scalars: number[],
): { failed: number; outputs: TypedArray[]; inputs: TypedArray[] } {
  const arena = new ArrayBuffer(Math.max(64, plan.arenaBytes));
  new Uint8Array(arena).fill(0xa5);
  const after = inputs.map((a) => a.slice());
  const memory = (args: AccessArgs, dtype: keyof typeof dtypes): TypedArray => {
    const buffer = plan.buffers[args.buffer]!;
    if (buffer.kind === "input") return after[buffer.slot]!;
    const info = dtypes[dtype];
    if (buffer.kind === "scalar" || buffer.kind === "constant") {
      const cell = allocate(dtype, 1);
      writeElement(dtype, cell, 0, buffer.kind === "scalar" ? scalars[buffer.index]! : buffer.value);
      return cell;
    }
    return new info.array(arena, buffer.offset, Math.floor((arena.byteLength - buffer.offset) / info.bytes));
  };
  let checks = 0;
  for (const call of plan.calls) {
    run(call, memory);
    if (call.check) {
      const args = call.accesses[call.kernel.kind === "loop" ? call.kernel.stores[0]!.access : 0]!;
      if (memory(args, "i32")[args.offset] !== 0) return { failed: checks, outputs: [], inputs: after };
      checks++;
    }
  }
  const outputs = plan.outputs.map((o) => {
    const size = o.shape.reduce((a, b) => a * b, 1);
    return new dtypes[o.dtype].array(arena.slice(o.offset, o.offset + size * dtypes[o.dtype].bytes), 0, size);
  });
  return { failed: -1, outputs, inputs: after };
}

type Memory = (args: AccessArgs, dtype: keyof typeof dtypes) => TypedArray;

function* indices(extents: readonly number[]): Generator<number[]> {
  const index = extents.map(() => 0);
  if (extents.includes(0)) return;
  for (;;) {
    yield index;
    let d = extents.length - 1;
    while (d >= 0 && ++index[d]! === extents[d]) index[d--] = 0;
    if (d < 0) return;
  }
}

const elementwise = (
  op: string,
  dtype: keyof typeof dtypes,
  args: { dtype: keyof typeof dtypes; value: number }[],
): number => {
  const leaves = args.map((a) =>
    node("input", [], { source: { id: 0 }, version: 0, shape: [], dtype: a.dtype }),
  );
  const result = node(op as "cast", leaves, { dtype }, false);
  const values = evaluate([...leaves, result], (leaf) => {
    const cell = allocate(leaf.dtype, 1);
    cell[0] = args[leaves.indexOf(leaf as (typeof leaves)[number])]!.value;
    return cell;
  });
  return values.get(result)![0]!;
};

function run(call: KernelCall, memory: Memory): void {
  const { kernel, extents } = call;
  const at = (access: number, index: readonly number[]) =>
    call.accesses[access]!.offset +
    call.accesses[access]!.strides.reduce((sum, s, d) => sum + s * (index[d] ?? 0), 0);
  const body = (
    values: readonly Value[],
    index: readonly number[],
    known: (v: Value, i: number) => number | undefined,
  ): number[] => {
    const out: number[] = [];
    for (const [i, v] of values.entries()) {
      const given = known(v, i);
      if (given !== undefined) out.push(given);
      else if (v.op === "constant") out.push(roundTo(v.dtype, v.value));
      else if (v.op === "load") {
        const { dtype } = kernel.accesses[v.access]!;
        out.push(readElement(dtype, memory(call.accesses[v.access]!, dtype), at(v.access, index)));
      } else if (v.op === "index") out.push(at(v.access, index));
      else if (v.op === "gather") {
        const { dtype } = kernel.accesses[v.access]!;
        const place = at(v.access, index) + out[v.args[0]]! * call.accesses[v.access]!.axisStride!;
        out.push(readElement(dtype, memory(call.accesses[v.access]!, dtype), place));
      } else if (v.op === "random") {
        const [a, b, e] = v.args.map((x) => out[x]!) as [number, number, number];
        out.push(threefry2x32(a, b, e >>> 1, 0)[e & 1]!);
      } else if (v.op === "reduce" || v.op === "accumulator") out.push(Number.NaN);
      else
        out.push(
          elementwise(
            v.op,
            v.dtype,
            v.args.map((x) => ({ dtype: values[x]!.dtype, value: out[x]! })),
          ),
        );
    }
    return out;
  };
  const write = (access: number, index: readonly number[], value: number) => {
    const { dtype } = kernel.accesses[access]!;
    writeElement(dtype, memory(call.accesses[access]!, dtype), at(access, index), value);
  };
  if (kernel.kind === "loop") {
    const outerExtents = extents.slice(0, kernel.outer);
    const innerExtents = extents.slice(kernel.outer);
    /** Sums over the rows of a block so far, by the store and the place. */
    const sums = new Map<string, number>();
    for (const outer of indices(outerExtents)) {
      const done = new Map<number, number>();
      for (const [r, v] of kernel.body.entries()) {
        if (v.op !== "reduce") continue;
        let total = v.kind === "sum" ? 0 : v.kind === "prod" ? 1 : v.kind === "max" ? -Infinity : Infinity;
        for (const inner of indices(innerExtents)) {
          const x = body(kernel.body.slice(0, r), [...outer, ...inner], (_, i) => done.get(i))[v.args[0]]!;
          total = v.kind === "sum" ? total + x : v.kind === "prod" ? total * x : Math[v.kind](total, x);
        }
        done.set(r, roundTo(v.dtype, total));
      }
      const stores: [number, number[], number][] = [];
      for (const inner of indices(innerExtents.includes(0) ? innerExtents.map(() => 1) : innerExtents)) {
        const index = [...outer, ...inner];
        const values = body(kernel.body, index, (_, i) => done.get(i));
        // Element stores at once (a kernel may overwrite what it reads), row stores once a row.
        for (const s of kernel.stores) {
          if (s.adds) {
            const place = `${s.access} ${at(s.access, index)}`;
            sums.set(place, values[s.value]! + (sums.get(place) ?? -0));
            write(s.access, index, sums.get(place)!);
          } else if (kernel.accesses[s.access]!.level === "full") write(s.access, index, values[s.value]!);
          else if (inner.every((x) => x === 0)) stores.push([s.access, [...index], values[s.value]!]);
        }
      }
      for (const [access, index, value] of stores) write(access, index, value);
    }
  } else if (kernel.kind === "contract") {
    const depth = extents.at(-1)!;
    const sums: number[] = [];
    for (const index of indices(extents.slice(0, -1))) {
      let sum = 0;
      for (let k = 0; k < depth; k++) {
        const values = body(kernel.prologue, [...index, k], () => undefined);
        sum += values[kernel.left]! * values[kernel.right]!;
      }
      sums.push(roundTo(kernel.dtype, sum));
    }
    let next = 0;
    for (const index of indices(extents.slice(0, -1))) {
      const sum = sums[next++]!;
      const values = body(kernel.epilogue, [...index, 0], (v) => (v.op === "accumulator" ? sum : undefined));
      for (const s of kernel.stores) write(s.access, [...index, 0], values[s.value]!);
    }
  } else {
    const [outer, axis, inner] = extents as [number, number, number];
    const cell = (access: number) => memory(call.accesses[access]!, kernel.accesses[access]!.dtype);
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < inner; i++) {
        if (kernel.kind === "scatter" || kernel.kind === "scatterAdd") {
          for (let a = 0; a < axis; a++) {
            const target = at(0, [o, cell(1)[at(1, [o, a, i])]!, i]);
            const before = kernel.kind === "scatterAdd" ? cell(0)[target]! : 0;
            cell(0)[target] = before + cell(2)[at(2, [o, a, i])]!;
          }
          continue;
        }
        const line = Array.from({ length: axis }, (_, a) => cell(0)[at(0, [o, a, i])]!);
        if (kernel.kind === "argmax") {
          let best = 0;
          for (let a = 1; a < axis; a++)
            if (line[a]! > line[best]! || (Number.isNaN(line[a]!) && !Number.isNaN(line[best]!))) best = a;
          cell(1)[at(1, [o, 0, i])] = best;
        } else if (kernel.kind === "cumsum") {
          let sum = 0;
          for (let a = 0; a < axis; a++) cell(1)[at(1, [o, a, i])] = sum += line[a]!;
        } else {
          const sign = kernel.kind === "argsort" ? 1 : -1;
          const sorted = line.map((_, a) => a).sort((x, y) => sign * (line[x]! - line[y]!) || x - y);
          for (let a = 0; a < axis; a++) cell(1)[at(1, [o, a, i])] = sorted[a]!;
        }
      }
  }
}
