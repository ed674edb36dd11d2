import { commit, currentTrace } from "thaw/engine";
import {
  arange,
  Buffer,
  fromArray,
  full,
  linspace,
  ones,
  Parameter,
  rand,
  slice,
  type Tensor,
  tensor,
  where,
  zeros,
} from "thaw/tensor";
import { describe, expect, test } from "vitest";
import {
  ArgumentError,
  DTypeError,
  IndexError,
  OutOfMemoryError,
  ShapeError,
  StaleTensorError,
} from "../../src/base/errors.ts";

describe("making tensors", () => {
  test("numbers are f32, booleans bool, typed arrays what they are", () => {
    expect(tensor([1, 2]).dtype).toBe("f32");
    expect(tensor([true, false]).dtype).toBe("bool");
    expect(tensor([]).dtype).toBe("f32");
    expect(tensor(new Float64Array(2)).dtype).toBe("f64");
    expect(tensor(new Int32Array(2)).dtype).toBe("i32");
    expect(tensor(new Uint8Array(2)).dtype).toBe("u8");
    expect(tensor(new BigInt64Array([5n])).dtype).toBe("i32");
    expect(tensor([[1], [2]]).shape).toEqual([2, 1]);
    expect(tensor([[], []]).shape).toEqual([2, 0]);
    expect(tensor(4).shape).toEqual([]);
  });

  test("data is copied", () => {
    const data = new Float32Array([1, 2]);
    const x = tensor(data);
    data[0] = 9;
    expect(x.toArraySync()).toEqual([1, 2]);
    const read = x.dataSync();
    read[1] = 9;
    expect(x.toArraySync()).toEqual([1, 2]);
  });

  test.each([
    [[[1, 2], [3]], "tensor: the arrays are ragged: 1 entries at depth 1 where the first has 2 entries"],
    [[1, [2]], "tensor: the arrays are ragged: 1 entries at depth 1 where the first has a number"],
    [[[1], 2], "tensor: the arrays are ragged: a number at depth 1 where the first has 1 entries"],
  ])("ragged arrays %j are refused", (data, message) => {
    expect(() => tensor(data as number[])).toThrow(new ShapeError(message));
  });

  test("what does not fit is refused, with the value", () => {
    expect(() => tensor([256], { dtype: "u8" })).toThrow(
      new ArgumentError("tensor: 256 does not fit u8, which holds 0 to 255"),
    );
    expect(() => tensor([Number.NaN], { dtype: "i32" })).toThrow(ArgumentError);
    expect(() => tensor(new BigInt64Array([2n ** 40n]))).toThrow(ArgumentError);
    expect(() => tensor(["a"] as unknown as number[])).toThrow(
      new ArgumentError("tensor: string among the data; numbers and booleans are taken"),
    );
    expect(() => fromArray([1, 2, 3], [2, 2])).toThrow(
      new ShapeError("fromArray: 3 values for shape [2, 2], which has 4"),
    );
    expect(() => zeros([2, -1])).toThrow(ShapeError);
    expect(() => arange(0, 5, -1)).toThrow(ArgumentError);
    expect(() => arange(1e12)).toThrow(OutOfMemoryError);
    expect(tensor([-1.7], { dtype: "i32" }).itemSync()).toBe(-1);
  });

  test("storage types keep their values", () => {
    for (const dtype of ["bf16", "f16"] as const) {
      const x = tensor([1, 0.5, -3], { dtype });
      expect(x.toArraySync()).toEqual([1, 0.5, -3]);
      expect(x.add(x).dtype).toBe("f32");
      expect(x.add(x).toArraySync()).toEqual([2, 1, -6]);
    }
    expect(tensor([-5], { dtype: "i8" }).mul(100).toArraySync()).toEqual([-500]);
  });

  test("casts cut fractions, wrap nothing in range, and tell what is not 0", () => {
    const x = tensor([-1.5, 0, 2.9]);
    expect(x.int().toArraySync()).toEqual([-1, 0, 2]);
    expect(x.bool().toArraySync()).toEqual([true, false, true]);
    expect(x.int().float().toArraySync()).toEqual([-1, 0, 2]);
    expect(x.double().dtype).toBe("f64");
  });

  test("linspace ends where it should", () => {
    expect(linspace(0, 1, 11).toArraySync()).toEqual(
      Array.from({ length: 11 }, (_, i) => Math.fround(i / 10)),
    );
  });
});

describe("errors name the operation, the shapes and the remedy", () => {
  const a = ones([2, 3]);
  const b = ones([4]);
  test.each<[string, () => unknown, Error]>([
    [
      "broadcast",
      () => a.add(b),
      new ShapeError("add: shapes [2, 3] and [4] do not broadcast: from the right, sizes must be equal or 1"),
    ],
    [
      "matmul",
      () => a.matmul(b),
      new ShapeError("matmul: cannot multiply [2, 3] by [4]: the inner sizes 3 and 4 differ"),
    ],
    [
      "matmul of a scalar",
      () => a.matmul(tensor(1)),
      new ShapeError("matmul: cannot multiply [2, 3] by []: a scalar is no matrix; use mul"),
    ],
    [
      "dtypes",
      () => a.matmul(ones([3], { dtype: "f64" })),
      new DTypeError("matmul: tensors of f32 and f64; cast one to the other"),
    ],
    [
      "reshape",
      () => a.reshape([4]),
      new ShapeError("reshape: shape [4] does not hold the 6 elements of a tensor of shape [2, 3]"),
    ],
    [
      "two unknowns",
      () => a.reshape([-1, -1]),
      new ShapeError("reshape: shape [-1, -1] does not hold the 6 elements of a tensor of shape [2, 3]"),
    ],
    [
      "dimension",
      () => a.sum(2),
      new IndexError("sum: dimension 2 is out of range for shape [2, 3]; it must be in [-2, 1]"),
    ],
    ["dimension twice", () => a.sum([0, -2]), new ArgumentError("sum: dimension named twice in [0,-2]")],
    [
      "index",
      () => a.at(2),
      new IndexError("select: index 2 is out of range for dimension 0 of shape [2, 3]"),
    ],
    ["too many indices", () => a.at(0, 0, 0), new IndexError("at: 3 indices for a tensor of shape [2, 3]")],
    [
      "mean of integers",
      () => a.to("i32").mean(),
      new DTypeError('mean: takes a floating-point tensor, this one is i32; cast it with to("f32")'),
    ],
    [
      "where",
      () => where(a, 1, 2),
      new DTypeError("where: the condition is f32, not bool; compare it with something first"),
    ],
    [
      "item",
      () => a.itemSync(),
      new ShapeError("item: the tensor has shape [2, 3], not one element; use data() or toArray()"),
    ],
    [
      "known indices",
      () => a.gather(1, tensor([[3]], { dtype: "i32" })),
      new IndexError("gather: index 3 is out of range; it must be in [0, 2]"),
    ],
    [
      "float indices",
      () => a.indexSelect(0, tensor([0])),
      new DTypeError('indexSelect: indices are integers, not f32; cast them with to("i32")'),
    ],
    [
      "max of nothing",
      () => zeros([0]).max(),
      new ShapeError("amax: there is no largest or smallest of no elements; the tensor has shape [0]"),
    ],
    [
      "bool minus",
      () => tensor([true]).sub(true),
      new DTypeError("sub: a bool tensor has no sub; use logicalXor or logicalNot"),
    ],
    [
      "split",
      () => a.split([1, 1], 1),
      new ShapeError("split: sizes [1,1] do not add up to 3, dimension 1 of shape [2, 3]"),
    ],
    [
      "negative power",
      () => tensor([2], { dtype: "i32" }).pow(-1),
      new ArgumentError("pow: an integer tensor to the power of -1; cast it to f32 first"),
    ],
  ])("%s", (_, fn, error) => expect(fn).toThrow(error));
});

describe("indices that are computed", () => {
  test("are checked when read, and the value they made stays an error", () => {
    const x = tensor([1, 2, 3]);
    const index = tensor([1, 3], { dtype: "i32" }).add(0);
    const picked = x.indexSelect(0, index);
    const later = picked.mul(2);
    expect(() => picked.dataSync()).toThrow(
      new IndexError("indexSelect: an index is out of range; it must be in [0, 2]"),
    );
    expect(() => picked.dataSync()).toThrow(IndexError);
    expect(() => later.dataSync()).toThrow(IndexError);
    expect(index.toArraySync()).toEqual([1, 3]);
    expect(x.add(1).toArraySync()).toEqual([2, 3, 4]);
  });

  test("stop a step before it writes anything", () => {
    const state = new Buffer(tensor([1, 2]));
    commit();
    const picked = tensor([5, 6]).indexSelect(0, tensor([2], { dtype: "i32" }).add(0));
    state.add_(picked.sum());
    expect(() => commit()).toThrow(IndexError);
    expect(state.toArraySync()).toEqual([1, 2]);
    state.add_(1);
    commit();
    expect(state.toArraySync()).toEqual([2, 3]);
  });
});

describe("at", () => {
  const x = arange(0, 24).reshape([2, 3, 4]);
  test("takes numbers, slices, null, ... and tensors, as NumPy", () => {
    expect(x.at(1, 2, 3).itemSync()).toBe(23);
    expect(x.at(-1, slice(1)).toArraySync()).toEqual([
      [16, 17, 18, 19],
      [20, 21, 22, 23],
    ]);
    expect(x.at("...", 0).toArraySync()).toEqual([
      [0, 4, 8],
      [12, 16, 20],
    ]);
    expect(x.at(0, null, slice(0, 1)).shape).toEqual([1, 1, 4]);
    expect(x.at(slice(), slice(null, null, 2), slice(-2)).toArraySync()).toEqual([
      [
        [2, 3],
        [10, 11],
      ],
      [
        [14, 15],
        [22, 23],
      ],
    ]);
    const rows = tensor([0, -1], { dtype: "i32" });
    expect(x.at(slice(), rows).shape).toEqual([2, 2, 4]);
    expect(x.at(slice(), rows, 1).toArraySync()).toEqual([
      [1, 9],
      [13, 21],
    ]);
    expect(x.at(tensor([1, 0], { dtype: "i32" }), rows).toArraySync()).toEqual([
      [12, 13, 14, 15],
      [8, 9, 10, 11],
    ]);
    // Tensors of indices apart from each other: their dimension comes first.
    expect(x.at(rows, slice(0, 3), rows).shape).toEqual([2, 3]);
  });

  test("refuses what it cannot know", () => {
    expect(x.at(tensor([true, false])).shape[0]).toBe(1);
    expect(() => x.at(tensor([2], { dtype: "i32" }))).toThrow(
      new IndexError("at: index 2 is out of range; it must be in [-2, 1]"),
    );
  });
});

describe("values", () => {
  test("item() fixes its value when called", async () => {
    const state = new Buffer(tensor(1));
    const promise = state.item();
    state.add_(1);
    commit();
    expect(await promise).toBe(1);
    expect(await state.item()).toBe(2);
  });

  test("an error of item() is a rejection, not a throw", async () => {
    const promise = ones([2]).item();
    await expect(promise).rejects.toThrow(ShapeError);
  });

  test("of a bool are booleans", () => {
    expect(tensor(true).itemSync()).toBe(true);
    expect(tensor([[true], [false]]).toArraySync()).toEqual([[true], [false]]);
    expect([...tensor([true]).dataSync()]).toEqual([1]);
  });

  test("print as in PyTorch, with what autograd knows", () => {
    expect(String(tensor([1, 2], { requiresGrad: true }))).toBe("tensor([1., 2.], requires_grad=True)");
    expect(String(tensor([1, 2], { requiresGrad: true }).mul(2))).toBe(
      "tensor([2., 4.], grad_fn=<MulBackward0>)",
    );
    expect(String(full([2], 7, { dtype: "i32" }))).toBe("tensor([7, 7], dtype=torch.int32)");
  });
});

describe("a value is right or an error, never newer", () => {
  test("what a step consumes and overwrites is gone unless kept", () => {
    const p = new Parameter(tensor([1, 2]));
    commit();
    const doubled = p.mul(2);
    const kept = p.mul(3).keep();
    const unused = p.mul(5);
    p.assign(p.sub(doubled).sub(kept));
    commit();
    expect(() => doubled.dataSync()).toThrow(StaleTensorError);
    expect(kept.toArraySync()).toEqual([3, 6]);
    expect(unused.toArraySync()).toEqual([5, 10]);
    expect(p.toArraySync()).toEqual([-4, -8]);
  });

  test("the error names the parameter and the remedy", () => {
    const p = new Parameter(tensor([1]));
    p.label = "output.weight";
    commit();
    const used = p.mul(2);
    p.assign(used.add(1));
    commit();
    expect(() => used.dataSync()).toThrow(/output\.weight.*keep\(\)/s);
  });

  test("a value made before an assignment is of the old value", () => {
    const p = new Parameter(tensor([1]));
    const before = p.mul(10);
    p.assign(tensor([2]));
    const after = p.mul(10);
    expect(after.itemSync()).toBe(20);
    expect(before.itemSync()).toBe(10);
    expect(p.itemSync()).toBe(2);
  });

  test("writes in one step all read the old values", () => {
    const [a, b] = [new Buffer(tensor(1)), new Buffer(tensor(2))];
    commit();
    const [oldA, oldB] = [a.add(0), b.add(0)];
    a.assign(oldB);
    b.assign(oldA);
    commit();
    expect([a.itemSync(), b.itemSync()]).toEqual([2, 1]);
  });

  test("a chain of values read one by one", () => {
    let x = tensor([1]);
    const seen: Tensor[] = [];
    for (let i = 0; i < 50; i++) {
      x = x.add(1);
      seen.push(x);
      if (i % 7 === 0) expect(x.itemSync()).toBe(i + 2);
    }
    expect(seen.map((t) => t.itemSync())).toEqual(seen.map((_, i) => i + 2));
  });

  test("reading in a loop that never steps holds nothing", () => {
    const p = new Parameter(ones([64]));
    commit();
    for (let i = 0; i < 300; i++)
      expect(
        p
          .mul(i)
          .sum()
          .add(rand([]))
          .gt(64 * i - 1)
          .itemSync(),
      ).toBe(true);
    expect(currentTrace().pending.length).toBe(0);
    expect(currentTrace().events.length).toBe(0);
  });
});

describe("in place", () => {
  test("this object changes, no other does", () => {
    const x = tensor([1, 2]);
    const y = x.add(0);
    const same = x;
    x.add_(1).mul_(2);
    expect(same.toArraySync()).toEqual([4, 6]);
    expect(y.toArraySync()).toEqual([1, 2]);
    expect(x.zero_().toArraySync()).toEqual([0, 0]);
    expect(x.copy_(tensor(5)).toArraySync()).toEqual([5, 5]);
    expect(x.clamp_({ max: 3 }).div_(2).toArraySync()).toEqual([1.5, 1.5]);
  });

  test("shape and dtype stay", () => {
    expect(() => tensor([1, 2]).add_(ones([2, 2]))).toThrow(
      new ShapeError("add_: the result has shape [2, 2], this tensor [2]"),
    );
    expect(() => tensor([1], { dtype: "i32" }).mul_(0.5)).toThrow(
      new DTypeError("mul_: a result of f32 does not fit this tensor of i32; cast it first"),
    );
    const x = tensor([1], { dtype: "u8" });
    expect(x.add_(255).toArraySync()).toEqual([0]);
  });
});
