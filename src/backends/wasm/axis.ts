import { argsLayout } from "../../codegen/args.ts";
import type { AxisKernel } from "../../plan/kernel.ts";
import { type Along, add, address, loadAt, locals, repeat, scalarOf, whileLess } from "./axis-parts.ts";
import { type FunctionBuilder, type MemoryImport, ModuleBuilder } from "./emitter.ts";
import { emitScatter } from "./scatter.ts";

/** Serial work along one axis, element by element; tasks are outer indices. */
export function emitAxis(kernel: AxisKernel, memory: MemoryImport): Uint8Array<ArrayBuffer> {
  const { kind } = kernel;
  const module = new ModuleBuilder(memory);
  const f = module.func("run", ["i32", "i32", "i32"]);
  const layout = argsLayout(kernel, 4);
  const word = (offset: number): number => {
    const l = f.local("i32");
    f.get(0);
    f.memory("i32.load", offset);
    f.set(l);
    return l;
  };
  const [, length, inner] = layout.extents.map(word) as [number, number, number];
  const accesses = layout.accesses.map((a, i) => ({
    pointer: word(a.pointer),
    strides: a.strides.map(word),
    line: f.local("i32"),
    scalar: scalarOf(kernel.accesses[i]!.dtype, kind === "scatter"),
  }));
  const outerIndex = f.local("i32");
  f.get(1);
  f.set(outerIndex);
  whileLess(f, outerIndex, 2, () => {
    for (const a of accesses) {
      address(f, { line: a.pointer, stride: a.strides[0]! }, outerIndex);
      f.set(a.line);
    }
    if (kind === "scatter" || kind === "scatterAdd")
      emitScatter(f, kind, kernel.accesses[0]!.dtype, accesses, length, inner);
    else {
      const innerIndex = f.local("i32");
      f.i32(0);
      f.set(innerIndex);
      const along = accesses.map((a) => ({ line: a.line, stride: a.strides[1]!, scalar: a.scalar }));
      whileLess(f, innerIndex, inner, () => {
        bodies[kind](f, along, length);
        for (const a of accesses) add(f, a.line, a.strides[2]!);
      });
    }
  });
  return module.bytes();
}

const isFloat = (a: Along): boolean => a.scalar.type === "f32" || a.scalar.type === "f64";
const greater = (a: Along): string => (isFloat(a) ? `${a.scalar.type}.gt` : "i32.gt_s");

/** Leaves 1 where the local's value is NaN. */
function isNaNOf(f: FunctionBuilder, a: Along, value: number): void {
  if (!isFloat(a)) {
    f.i32(0);
    return;
  }
  f.get(value);
  f.get(value);
  f.op(`${a.scalar.type}.ne`);
}

/** Leaves 1 where x sorts after y (or, descending, before it): NaN counts as the largest. */
function after(f: FunctionBuilder, a: Along, x: number, y: number, descending: boolean): void {
  const [big, small] = descending ? [y, x] : [x, y];
  f.get(big);
  f.get(small);
  f.op(greater(a));
  isNaNOf(f, a, big);
  isNaNOf(f, a, small);
  f.op("i32.eqz", "i32.and", "i32.or");
}

function argmax(f: FunctionBuilder, [source, result]: readonly Along[], length: number): void {
  const type = source!.scalar.type;
  const [i, best] = [f.local("i32"), f.local("i32")];
  const [value, top] = [f.local(type), f.local(type)];
  f.i32(0);
  f.set(best);
  loadAt(f, source!, best);
  f.set(top);
  f.i32(1);
  f.set(i);
  whileLess(f, i, length, () => {
    loadAt(f, source!, i);
    f.set(value);
    after(f, source!, value, top, false);
    f.if(() => {
      f.get(value);
      f.set(top);
      f.get(i);
      f.set(best);
    });
  });
  f.get(result!.line);
  f.get(best);
  f.memory("i32.store");
}

/** Floats are added in f64 and rounded only when stored, as the definition does and PyTorch on the CPU. */
function cumsum(f: FunctionBuilder, [source, result]: readonly Along[], length: number): void {
  const { type, store } = source!.scalar;
  const wide = type === "i32" ? "i32" : "f64";
  const i = f.local("i32");
  const sum = f.local(wide);
  if (wide === "f64") f.f64(0);
  else f.i32(0);
  f.set(sum);
  f.i32(0);
  f.set(i);
  whileLess(f, i, length, () => {
    address(f, result!, i);
    f.get(sum);
    loadAt(f, source!, i);
    if (type === "f32") f.op("f64.promote_f32");
    f.op(`${wide}.add`);
    f.tee(sum);
    if (type === "f32") f.op("f32.demote_f64");
    f.memory(store);
  });
}

/**
 * Indices by heap sort, which needs no memory but the result. It is stable because equal values are told apart by
 * their indices: no two elements are the same in the order that it sorts by.
 */
function argsort(descending: boolean) {
  return (f: FunctionBuilder, [source, result]: readonly Along[], length: number): void => {
    const [start, end, root, child, next] = locals(f, 5);
    const [index, candidate, other, zero] = locals(f, 4);
    const [value, best, rival] = [0, 1, 2].map(() => f.local(source!.scalar.type)) as [
      number,
      number,
      number,
    ];
    const read = (into: number, intoValue: number, at: number) => {
      loadAt(f, result!, at);
      f.set(into);
      loadAt(f, source!, into);
      f.set(intoValue);
    };
    const write = (at: number, from: number) => {
      address(f, result!, at);
      f.get(from);
      f.memory("i32.store");
    };
    const move = (to: number, from: number) => {
      f.get(from);
      f.set(to);
    };
    // Leaves 1 where element (x, at index i) comes after (y, j).
    const comesAfter = (x: number, i: number, y: number, j: number) => {
      after(f, source!, x, y, descending);
      f.get(i);
      f.get(j);
      f.op("i32.gt_s");
      after(f, source!, y, x, descending);
      f.op("i32.eqz", "i32.and", "i32.or");
    };
    f.i32(0);
    f.set(root);
    whileLess(f, root, length, () => write(root, root));
    // [0, end) is unsorted; what is at `start` and after it is in a heap, the last in order at its top.
    f.get(length);
    f.i32(1);
    f.op("i32.shr_u");
    f.set(start);
    move(end, length);
    repeat(f, () => {
      f.get(end);
      f.i32(2);
      f.op("i32.lt_s");
      f.brIf(1);
      f.get(start);
      f.if(
        () => {
          f.bump(start, -1);
          read(index, value, start);
        },
        () => {
          f.bump(end, -1);
          read(index, value, end);
          loadAt(f, result!, zero);
          f.set(other);
          write(end, other);
        },
      );
      move(root, start);
      repeat(f, () => {
        f.get(root);
        f.i32(1);
        f.op("i32.shl");
        f.i32(1);
        f.op("i32.add");
        f.tee(child);
        f.get(end);
        f.op("i32.ge_s");
        f.brIf(1);
        read(candidate, best, child);
        move(next, child);
        f.bump(next, 1);
        f.get(next);
        f.get(end);
        f.op("i32.lt_s");
        f.if(() => {
          read(other, rival, next);
          comesAfter(rival, other, best, candidate);
          f.if(() => {
            move(child, next);
            move(candidate, other);
            move(best, rival);
          });
        });
        comesAfter(best, candidate, value, index);
        f.op("i32.eqz");
        f.brIf(1);
        write(root, candidate);
        move(root, child);
      });
      write(root, index);
    });
  };
}

const bodies: {
  readonly [K in Exclude<AxisKernel["kind"], "scatter" | "scatterAdd">]: (
    f: FunctionBuilder,
    accesses: readonly Along[],
    length: number,
  ) => void;
} = {
  argmax,
  cumsum,
  argsort: argsort(false),
  argsortDescending: argsort(true),
};
