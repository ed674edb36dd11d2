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
  const access = layout.accesses.map((a) => ({ pointer: word(a.pointer), strides: a.strides.map(word) }));
  const line = access.map(() => f.local("i32"));
  const outerIndex = f.local("i32");
  const innerIndex = f.local("i32");
  f.get(1);
  f.set(outerIndex);
  whileLess(f, outerIndex, 2, () => {
    f.i32(0);
    f.set(innerIndex);
    whileLess(f, innerIndex, inner, () => {
      for (const [i, a] of access.entries()) {
        f.get(a.pointer);
        f.get(outerIndex);
        f.get(a.strides[0]!);
        f.op("i32.mul", "i32.add");
        f.get(innerIndex);
        f.get(a.strides[2]!);
        f.op("i32.mul", "i32.add");
        f.set(line[i]!);
      }
      const along = access.map((a, i) => ({
        line: line[i]!,
        stride: a.strides[1]!,
        scalar: scalarOf(kernel.accesses[i]!.dtype),
      }));
      bodies[kernel.kind](f, along, length);
    });
  });
  return module.bytes();
}

/** One access along the axis: address of its first element, stride, and how to load and store. */
interface Along {
  readonly line: number;
  readonly stride: number;
  readonly scalar: { type: WasmType; load: string; store: string };
}

function whileLess(f: FunctionBuilder, index: number, limit: number, body: () => void): void {
  f.block(() => {
    f.loop(() => {
      f.get(index);
      f.get(limit);
      f.op("i32.ge_s");
      f.brIf(1);
      body();
      f.bump(index, 1);
      f.br(0);
    });
  });
}

/** Pushes the address of element `index` (a local). */
function address(f: FunctionBuilder, a: Along, index: number): void {
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

function cumsum(f: FunctionBuilder, [source, result]: readonly Along[], length: number): void {
  const { type, store } = source!.scalar;
  const i = f.local("i32");
  const sum = f.local(type);
  zero(f, type);
  f.set(sum);
  f.i32(0);
  f.set(i);
  whileLess(f, i, length, () => {
    address(f, result!, i);
    f.get(sum);
    loadAt(f, source!, i);
    f.op(`${type}.add`);
    f.tee(sum);
    f.memory(store);
  });
}

function zero(f: FunctionBuilder, type: WasmType): void {
  if (type === "f32") f.f32(0);
  else if (type === "f64") f.f64(0);
  else f.i32(0);
}

function scatterAdd(f: FunctionBuilder, [result, indices, updates]: readonly Along[], length: number): void {
  const { type, load, store } = result!.scalar;
  const [i, index, at] = [f.local("i32"), f.local("i32"), f.local("i32")];
  f.i32(0);
  f.set(i);
  whileLess(f, i, length, () => {
    loadAt(f, indices!, i);
    f.set(index);
    address(f, result!, index);
    f.tee(at);
    f.get(at);
    f.memory(load);
    loadAt(f, updates!, i);
    f.op(`${type}.add`);
    f.memory(store);
  });
}

/** Indices by binary insertion: stable, and as many moves as the input is out of order. */
function argsort(descending: boolean) {
  return (f: FunctionBuilder, [source, result]: readonly Along[], length: number): void => {
    const type = source!.scalar.type;
    const [i, low, high, middle, other] = Array.from({ length: 5 }, () => f.local("i32")) as [
      number,
      number,
      number,
      number,
      number,
    ];
    const [value, there] = [f.local(type), f.local(type)];
    f.i32(0);
    f.set(i);
    whileLess(f, i, length, () => {
      loadAt(f, source!, i);
      f.set(value);
      f.i32(0);
      f.set(low);
      f.get(i);
      f.set(high);
      f.block(() => {
        f.loop(() => {
          f.get(low);
          f.get(high);
          f.op("i32.ge_s");
          f.brIf(1);
          f.get(low);
          f.get(high);
          f.op("i32.add");
          f.i32(1);
          f.op("i32.shr_s");
          f.set(middle);
          loadAt(f, result!, middle);
          f.set(other);
          loadAt(f, source!, other);
          f.set(there);
          after(f, source!, there, value, descending);
          f.if(
            () => {
              f.get(middle);
              f.set(high);
            },
            () => {
              f.get(middle);
              f.i32(1);
              f.op("i32.add");
              f.set(low);
            },
          );
          f.br(0);
        });
      });
      // Makes room at `low`, from the end.
      f.get(i);
      f.set(middle);
      f.block(() => {
        f.loop(() => {
          f.get(middle);
          f.get(low);
          f.op("i32.le_s");
          f.brIf(1);
          f.get(middle);
          f.i32(1);
          f.op("i32.sub");
          f.set(other);
          address(f, result!, middle);
          loadAt(f, result!, other);
          f.memory("i32.store");
          f.get(other);
          f.set(middle);
          f.br(0);
        });
      });
      address(f, result!, low);
      f.get(i);
      f.memory("i32.store");
    });
  };
}

const bodies: {
  readonly [K in AxisKernel["kind"]]: (
    f: FunctionBuilder,
    accesses: readonly Along[],
    length: number,
  ) => void;
} = {
  argmax,
  cumsum,
  scatterAdd,
  argsort: argsort(false),
  argsortDescending: argsort(true),
};
