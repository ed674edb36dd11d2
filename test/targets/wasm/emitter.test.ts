import { describe, expect, test } from "vitest";
import wabt from "wabt";
import { type FunctionBuilder, ModuleBuilder, type WasmType } from "../../../src/targets/wasm/emitter.ts";
import { laneOps, memoryLaneOps, memoryOps, plainOps } from "../../../src/targets/wasm/opcodes.ts";

const judge = await wabt();

/** A module of one function, as another assembler reads it. */
function disassemble(body: (f: FunctionBuilder) => void, shared = false): string {
  const module = new ModuleBuilder({ shared, maximum: 4 });
  body(module.func("run", []));
  const features = { threads: true, relaxed_simd: true } as Parameters<typeof judge.readWasm>[1];
  const read = judge.readWasm(module.bytes(), features);
  const text = read.toText({});
  read.destroy();
  return text;
}

/** After `unreachable` the stack has any type, so one instruction can stand alone. */
const alone = (body: (f: FunctionBuilder) => void): string =>
  disassemble((f) => {
    f.op("unreachable");
    body(f);
    f.op("unreachable");
  }, true);

/** Instructions in the text, one a line. */
const lines = (text: string): string[] => text.split("\n").map((l) => l.trim().replace(/\)+$/, ""));

describe("another assembler reads every instruction by the same name", () => {
  test.each(Object.keys(plainOps))("%s", (name) => {
    expect(lines(alone((f) => f.op(name)))).toContain(name);
  });
  test.each(Object.keys(memoryOps))("%s", (name) => {
    const found = lines(alone((f) => f.memory(name, 200))).find((l) => l.startsWith(`${name} `));
    expect(found).toMatch(/ offset=200\b/);
  });
  test.each(Object.keys(laneOps))("%s", (name) => {
    expect(lines(alone((f) => f.lane(name, 1)))).toContain(`${name} 1`);
  });
  test.each(Object.keys(memoryLaneOps))("%s", (name) => {
    const found = lines(alone((f) => f.memoryLane(name, 1, 16))).find((l) => l.startsWith(`${name} `));
    expect(found).toMatch(/ offset=16\b.* 1$/);
  });
});

/** Builds, validates and runs a function. */
function run(
  params: WasmType[],
  results: WasmType[],
  body: (f: FunctionBuilder, module: ModuleBuilder) => void,
  ...args: number[]
): number {
  const module = new ModuleBuilder({ shared: false, maximum: 4 });
  const f = module.func("run", params, results);
  body(f, module);
  const bytes = module.bytes();
  expect(WebAssembly.validate(bytes)).toBe(true);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 4 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  return (exports.run as (...numbers: number[]) => number)(...args);
}

test.each([0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, 2 ** 31 - 1, -(2 ** 31)])(
  "i32.const %i",
  (value) => {
    expect(run([], ["i32"], (f) => f.i32(value))).toBe(value);
  },
);

test("f32, f64 and vector constants", () => {
  expect(run([], ["f32"], (f) => f.f32(1.5))).toBe(1.5);
  expect(run([], ["f64"], (f) => f.f64(-Math.PI))).toBe(-Math.PI);
  const lane = (push: (f: FunctionBuilder) => void, op: string, n: number, type: WasmType) =>
    run([], [type], (f) => {
      push(f);
      f.lane(op, n);
    });
  expect(lane((f) => f.f32x4(0.25), "f32x4.extract_lane", 3, "f32")).toBe(0.25);
  expect(lane((f) => f.f64x2(1e-300), "f64x2.extract_lane", 1, "f64")).toBe(1e-300);
  expect(lane((f) => f.v128([1, -2, 3, -4]), "i32x4.extract_lane", 3, "i32")).toBe(-4);
});

test("locals of several types, a loop with a block, and bump", () => {
  // The sum of 1 to n, kept in an f64.
  const sum = run(
    ["i32"],
    ["f64"],
    (f) => {
      const i = f.local("i32");
      const total = f.local("f64");
      const other = f.local("i32");
      f.block(() => {
        f.loop(() => {
          f.get(i);
          f.get(0);
          f.op("i32.ge_s");
          f.brIf(1);
          f.bump(i, 1);
          f.get(total);
          f.get(i);
          f.tee(other);
          f.op("f64.convert_i32_s", "f64.add");
          f.set(total);
          f.br(0);
        });
      });
      f.get(total);
    },
    200,
  );
  expect(sum).toBe(20_100);
});

test("if with a result, calls, globals and memory", () => {
  const result = run(
    ["i32"],
    ["i32"],
    (f, module) => {
      const counter = module.global(40);
      const next = module.func("next", [], ["i32"]);
      next.globalGet(counter);
      next.i32(1);
      next.op("i32.add");
      next.globalSet(counter);
      next.globalGet(counter);
      f.i32(256);
      f.get(0);
      f.if(
        () => f.call(next.index),
        () => f.i32(7),
        "i32",
      );
      f.memory("i32.store", 300);
      f.i32(0);
      f.memory("i32.load", 556);
    },
    1,
  );
  expect(result).toBe(41);
});

test("shuffles take lanes of both operands", () => {
  const value = run([], ["i32"], (f) => {
    f.v128([1, 2, 3, 4]);
    f.v128([5, 6, 7, 8]);
    f.shuffle([0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 28, 29, 30, 31]);
    f.lane("i32x4.extract_lane", 3);
  });
  expect(value).toBe(8);
});

test("imported functions, a table and globals", () => {
  const module = new ModuleBuilder({ shared: false, maximum: 4 });
  const double = module.importFunction("double", ["f64"], ["f64"]);
  const scratch = module.importGlobal("scratch");
  module.importTable();
  const type = module.type(["f64"], ["f64"]);
  const f = module.func("run", ["f64"], ["f64"]);
  f.get(0);
  f.call(double);
  f.globalGet(scratch);
  f.op("f64.convert_i32_s", "f64.add");
  f.i32(0);
  f.callIndirect(type);
  const add = new ModuleBuilder({ shared: false, maximum: 4 });
  const one = add.func("one", ["f64"], ["f64"]);
  one.get(0);
  one.f64(1);
  one.op("f64.add");
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 4 });
  const table = new WebAssembly.Table({ element: "anyfunc", initial: 1 });
  table.set(
    0,
    new WebAssembly.Instance(new WebAssembly.Module(add.bytes()), { env: { memory } }).exports
      .one as () => void,
  );
  const env = { memory, table, scratch: 100, double: (x: number) => 2 * x };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), { env });
  expect((exports.run as (x: number) => number)(21)).toBe(143);
});

test("an instruction that does not exist is an error of thaw's own", () => {
  const f = new ModuleBuilder({ shared: false, maximum: 1 }).func("run", []);
  expect(() => f.op("f32x4.sine")).toThrowErrorMatchingInlineSnapshot(
    `[InternalError: wasm emitter: no instruction "f32x4.sine"]`,
  );
  expect(() => f.memory("f32x4.add")).toThrow("no memory instruction");
  expect(() => f.lane("f32x4.add", 0)).toThrow("no lane instruction");
  expect(() => f.memoryLane("f32x4.add", 0)).toThrow("no memory lane instruction");
});
