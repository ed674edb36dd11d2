import { beforeAll, describe, expect, test } from "vitest";
import wabt from "wabt";
import { type FunctionBuilder, ModuleBuilder } from "../../../src/backends/wasm/emitter.ts";
import { laneOps, memoryLaneOps, memoryOps, plainOps } from "../../../src/backends/wasm/opcodes.ts";

type Wabt = Awaited<ReturnType<typeof wabt>>;
let tools: Wabt;
beforeAll(async () => {
  tools = await wabt();
});

/** A module with one function of these instructions, as the emitter writes it. */
function moduleOf(write: (f: FunctionBuilder) => void): Uint8Array {
  const module = new ModuleBuilder({ shared: true, maximum: 16 });
  write(module.func("run", ["i32", "v128"]));
  return module.bytes();
}

/** What a disassembler reads, instruction by instruction; types need not fit, so nothing is validated. */
function disassemble(write: (f: FunctionBuilder) => void): string[] {
  const features = {
    simd: true,
    threads: true,
    relaxed_simd: true,
    bulk_memory: true,
    sat_float_to_int: true,
  };
  const module = tools.readWasm(moduleOf(write), { readDebugNames: false, ...features });
  const text = module.toText({ foldExprs: false, inlineExport: false });
  module.destroy();
  const lines = text.split("\n").map((line) => line.trim().replace(/\)+$/, ""));
  const start = lines.findIndex((line) => line.startsWith("(func"));
  return lines.slice(start + 1).filter((line) => line !== "" && !line.startsWith("("));
}

describe("every name stands for its own instruction", () => {
  test.each(Object.keys(plainOps).filter((name) => name !== "end" && name !== "else"))("%s", (name) => {
    expect(disassemble((f) => f.op(name))).toEqual([name]);
  });
  test.each(Object.keys(memoryOps))("%s", (name) => {
    // Whatever alignment: the text has it where it is not the natural one.
    expect(disassemble((f) => f.memory(name, 4))[0]).toMatch(
      new RegExp(`^${name.replaceAll(".", "\\.")} offset=4( align=1)?$`),
    );
  });
  test.each(Object.keys(laneOps))("%s", (name) => {
    expect(disassemble((f) => f.lane(name, 1))).toEqual([`${name} 1`]);
  });
  test.each(Object.keys(memoryLaneOps))("%s", (name) => {
    expect(disassemble((f) => f.memoryLane(name, 1, 4))[0]).toMatch(
      new RegExp(`^${name.replaceAll(".", "\\.")} offset=4( align=1)? 1$`),
    );
  });
});

describe("the emitter", () => {
  test("encodes constants", () => {
    const lines = disassemble((f) => {
      for (const x of [0, 63, 64, -64, -65, 127, 128, 8191, 8192, 2147483647, -2147483648]) f.i32(x);
      f.i64(-1);
      f.f32(1.5);
      f.f64(-0.1);
      f.v128([1, -1, 2147483647, -2147483648]);
      f.f32x4(1);
      f.i32x4(-2);
      f.f64x2(1);
    });
    expect(lines).toMatchInlineSnapshot(`
      [
        "i32.const 0",
        "i32.const 63",
        "i32.const 64",
        "i32.const -64",
        "i32.const -65",
        "i32.const 127",
        "i32.const 128",
        "i32.const 8191",
        "i32.const 8192",
        "i32.const 2147483647",
        "i32.const -2147483648",
        "i64.const -1",
        "f32.const 0x1.8p+0 (;=1.5;",
        "f64.const -0x1.999999999999ap-4 (;=-0.1;",
        "v128.const i32x4 0x00000001 0xffffffff 0x7fffffff 0x80000000",
        "v128.const i32x4 0x3f800000 0x3f800000 0x3f800000 0x3f800000",
        "v128.const i32x4 0xfffffffe 0xfffffffe 0xfffffffe 0xfffffffe",
        "v128.const i32x4 0x00000000 0x3ff00000 0x00000000 0x3ff00000",
      ]
    `);
  });
  test("nests blocks, and has locals of every type", () => {
    const lines = disassemble((f) => {
      const locals = (["i32", "i32", "v128", "f32", "f64", "i64", "v128"] as const).map((t) => f.local(t));
      expect(locals).toEqual([2, 3, 4, 5, 6, 7, 8]);
      f.block(() =>
        f.loop(() => {
          f.get(0);
          f.brIf(1);
          f.bump(2, 200);
          f.br(0);
        }),
      );
      f.get(0);
      f.if(
        () => f.i32(1),
        () => f.i32(2),
        "i32",
      );
      f.set(3);
      f.get(1);
      f.get(1);
      f.shuffle(Array.from({ length: 16 }, (_, i) => 31 - i));
      f.tee(8);
      f.op("drop");
      f.memoryFill();
      f.memoryCopy();
    });
    expect(lines).toMatchInlineSnapshot(`
      [
        "block  ;; label = @1",
        "loop  ;; label = @2",
        "local.get 0",
        "br_if 1 (;@1;",
        "local.get 2",
        "i32.const 200",
        "i32.add",
        "local.set 2",
        "br 0 (;@2;",
        "end",
        "end",
        "local.get 0",
        "if (result i32)  ;; label = @1",
        "i32.const 1",
        "else",
        "i32.const 2",
        "end",
        "local.set 3",
        "local.get 1",
        "local.get 1",
        "i8x16.shuffle 31 30 29 28 27 26 25 24 23 22 21 20 19 18 17 16",
        "local.tee 8",
        "drop",
        "memory.fill",
        "memory.copy",
      ]
    `);
  });
  test("makes modules that run: imports, globals, several functions of the same types", () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 2 });
    const module = new ModuleBuilder({ shared: false, maximum: 2 });
    module.importTable();
    const twice = module.importFunction("twice", ["f64"], ["f64"]);
    const count = module.global(40);
    const type = module.type(["f64"], ["f64"]);
    const first = module.func("first", ["f64"], ["f64"]);
    first.get(0);
    first.call(twice);
    const second = module.func("second", ["f64"], ["f64"]);
    second.globalGet(count);
    second.i32(1);
    second.op("i32.add");
    second.globalSet(count);
    second.get(0);
    second.i32(0);
    second.callIndirect(type);
    second.globalGet(count);
    second.op("f64.convert_i32_s", "f64.add");
    const table = new WebAssembly.Table({ element: "anyfunc", initial: 1 });
    const env = { memory, table, twice: (x: number) => 2 * x };
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes() as BufferSource), {
      env,
    });
    table.set(0, exports.first as () => void);
    const run = exports.second as (x: number) => number;
    expect([run(10), run(10)]).toEqual([61, 62]);
  });
  test("knows the names it takes", () => {
    for (const write of [
      (f: FunctionBuilder) => f.op("f32x4.plus"),
      (f: FunctionBuilder) => f.memory("v128.read"),
      (f: FunctionBuilder) => f.lane("f32x4.lane", 0),
      (f: FunctionBuilder) => f.memoryLane("v128.lane", 0),
    ])
      expect(() => moduleOf(write)).toThrow(/wasm emitter: no .*instruction "/);
  });
});
