import { type DType, dtypes } from "../../base/dtype.ts";
import { add, address, locals, type Strided, whileLess } from "./axis-parts.ts";
import type { FunctionBuilder } from "./emitter.ts";

/** Elements from which on a row is copied as one: below, the loop is through before the copy has begun. */
const copied = 8;

/**
 * scatter or scatterAdd within one outer index: updates in row-major order, so that neighbours in memory follow each
 * other and the last of those with one index stays. An index out of range is dropped: a check may stop the plan only
 * after this kernel, and until then nothing that is not the result's may change.
 */
export function emitScatter(
  f: FunctionBuilder,
  kind: "scatter" | "scatterAdd",
  dtype: DType,
  [result, indices, updates]: readonly Strided[],
  length: number,
  inner: number,
): void {
  const { type, load, store } = result!.scalar;
  const [i, j, limit, index, at] = locals(f, 5);
  const [place, source, update, rows] = locals(f, 4);
  // The result is whole, so its strides give its extent along the axis, which is not that of the updates.
  f.get(result!.strides[0]!);
  f.get(result!.strides[1]!);
  f.op("i32.div_u");
  f.set(limit);
  /** Runs `body` with the address of the result's element on the stack and in `at`, if its index is in range. */
  const inRange = (body: () => void) => {
    f.get(source);
    f.memory("i32.load");
    f.tee(index);
    f.get(limit);
    // Unsigned, a negative index is a large one.
    f.op("i32.lt_u");
    f.if(() => {
      address(f, { line: place, stride: result!.strides[1]! }, index);
      f.tee(at);
      body();
    });
  };
  const byElement = () => {
    f.i32(0);
    f.set(j);
    whileLess(f, j, inner, () => {
      inRange(() => {
        if (kind === "scatterAdd") {
          f.get(at);
          f.memory(load);
        }
        f.get(update);
        f.memory(updates!.scalar.load);
        // A sum of bools is whether any is true.
        if (kind === "scatterAdd") f.op(dtype === "bool" ? "i32.or" : `${type}.add`);
        f.memory(store);
      });
      add(f, place, result!.strides[2]!);
      add(f, source, indices!.strides[2]!);
      add(f, update, updates!.strides[2]!);
    });
  };
  const { bytes } = dtypes[dtype];
  const asRow = () =>
    inRange(() => {
      f.get(update);
      f.get(inner);
      f.i32(bytes);
      f.op("i32.mul");
      f.memoryCopy();
    });
  if (kind === "scatter") {
    // One index for the whole row, whose elements lie together on both sides.
    f.get(indices!.strides[2]!);
    f.op("i32.eqz");
    f.get(updates!.strides[2]!);
    f.i32(bytes);
    f.op("i32.eq");
    f.get(inner);
    f.i32(copied);
    f.op("i32.ge_s", "i32.and", "i32.and");
    f.set(rows);
  }
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
    if (kind === "scatterAdd") byElement();
    else {
      f.get(rows);
      f.if(asRow, byElement);
    }
  });
}
