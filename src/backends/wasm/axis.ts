import type { DType } from "../../base/dtype.ts";
import { DTypeError } from "../../base/errors.ts";
import type { AxisKernel } from "../../plan/kernel.ts";
import { argsLayout } from "./args.ts";
import { type FunctionBuilder, type MemoryImport, ModuleBuilder, type WasmType } from "./emitter.ts";

const scalars: Partial<Record<DType, { type: WasmType; load: string; store: string }>> = {
  f32: { type: "f32", load: "f32.load", store: "f32.store" },
  f64: { type: "f64", load: "f64.load", store: "f64.store" },
  i32: { type: "i32", load: "i32.load", store: "i32.store" },
  u8: { type: "i32", load: "i32.load8_u", store: "i32.store8" },
  bool: { type: "i32", load: "i32.load8_u", store: "i32.store8" },
};

function scalarOf(dtype: DType) {
  const known = scalars[dtype];
  if (known === undefined)
    throw new DTypeError(`wasm: no kernel along an axis for ${dtype}; cast to f32 first`);
  return known;
}

/** Serial work along one axis, element by element; tasks are outer indices. */
export function emitAxis(kernel: AxisKernel, memory: MemoryImport): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(memory);
  const f = module.func("run", ["i32", "i32", "i32"]);
  const layout = argsLayout(kernel);
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
    scalar: scalarOf(kernel.accesses[i]!.dtype),
  }));
  const outerIndex = f.local("i32");
  f.get(1);
  f.set(outerIndex);
  whileLess(f, outerIndex, 2, () => {
    for (const a of accesses) {
      address(f, { line: a.pointer, stride: a.strides[0]! }, outerIndex);
      f.set(a.line);
    }
    if (kernel.kind === "scatterAdd") scatterAdd(f, kernel.accesses[0]!.dtype, accesses, length, inner);
    else {
      const innerIndex = f.local("i32");
      f.i32(0);
      f.set(innerIndex);
      const along = accesses.map((a) => ({ line: a.line, stride: a.strides[1]!, scalar: a.scalar }));
      whileLess(f, innerIndex, inner, () => {
        bodies[kernel.kind as Exclude<AxisKernel["kind"], "scatterAdd">](f, along, length);
        for (const a of accesses) add(f, a.line, a.strides[2]!);
      });
    }
  });
  return module.bytes();
}

/** An access within one outer index. Locals: address of its first element, strides over (outer, axis, inner). */
interface Strided {
  readonly line: number;
  readonly strides: readonly number[];
  readonly scalar: Along["scalar"];
}

/** One access along the axis: address of its first element, stride, and how to load and store. */
interface Along {
  readonly line: number;
  readonly stride: number;
  readonly scalar: { type: WasmType; load: string; store: string };
}

/** Repeats until the body leaves by `brIf(1)`. */
function repeat(f: FunctionBuilder, body: () => void): void {
  f.block(() => {
    f.loop(() => {
      body();
      f.br(0);
    });
  });
}

function whileLess(f: FunctionBuilder, index: number, limit: number, body: () => void): void {
  repeat(f, () => {
    f.get(index);
    f.get(limit);
    f.op("i32.ge_s");
    f.brIf(1);
    body();
    f.bump(index, 1);
  });
}

/** target += amount, both locals. */
function add(f: FunctionBuilder, target: number, amount: number): void {
  f.get(target);
  f.get(amount);
  f.op("i32.add");
  f.set(target);
}

/** Pushes the address of element `index` (a local). */
function address(f: FunctionBuilder, a: Pick<Along, "line" | "stride">, index: number): void {
  f.get(a.line);
  f.get(index);
  f.get(a.stride);
  f.op("i32.mul", "i32.add");
}

function loadAt(f: FunctionBuilder, a: Along, index: number): void {
  address(f, a, index);
  f.memory(a.scalar.load);
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
 * Updates in row-major order, so that neighbours in memory follow each other. An index out of range is dropped: a
 * check may stop the plan only after this kernel, and until then nothing that is not the result's may change.
 */
function scatterAdd(
  f: FunctionBuilder,
  dtype: DType,
  [result, indices, updates]: readonly Strided[],
  length: number,
  inner: number,
): void {
  const { type, load, store } = result!.scalar;
  const [i, j, limit, index, at] = locals(f, 5);
  const [place, source, update] = locals(f, 3);
  // The result is whole, so its strides give its extent along the axis, which is not that of the updates.
  f.get(result!.strides[0]!);
  f.get(result!.strides[1]!);
  f.op("i32.div_u");
  f.set(limit);
  f.i32(0);
  f.set(i);
  whileLess(f, i, length, () => {
    for (const [target, a] of [
      [source, indices!],
      [update, updates!],
    ] as const) {
      address(f, { line: a.line, stride: a.strides[1]! }, i);
      f.set(target);
    }
    f.get(result!.line);
    f.set(place);
    f.i32(0);
    f.set(j);
    whileLess(f, j, inner, () => {
      f.get(source);
      f.memory("i32.load");
      f.tee(index);
      f.get(limit);
      // Unsigned, a negative index is a large one.
      f.op("i32.lt_u");
      f.if(() => {
        address(f, { line: place, stride: result!.strides[1]! }, index);
        f.tee(at);
        f.get(at);
        f.memory(load);
        f.get(update);
        f.memory(updates!.scalar.load);
        // A sum of bools is whether any is true.
        f.op(dtype === "bool" ? "i32.or" : `${type}.add`);
        f.memory(store);
      });
      add(f, place, result!.strides[2]!);
      add(f, source, indices!.strides[2]!);
      add(f, update, updates!.strides[2]!);
    });
  });
}

function locals(f: FunctionBuilder, count: number): [number, number, number, number, number] {
  return Array.from({ length: count }, () => f.local("i32")) as [number, number, number, number, number];
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
  readonly [K in Exclude<AxisKernel["kind"], "scatterAdd">]: (
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
