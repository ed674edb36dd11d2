import { InternalError } from "../../base/errors.ts";
import type { ArgsLayout } from "../../codegen/args.ts";
import {
  bodiesOf,
  type Cell,
  type Expr,
  type LibraryFunction,
  type Lowered,
  type Name,
  type Place,
  type Stmt,
  type Type,
} from "../../lowered/ir.ts";
import {
  cellBytes,
  eachExpr,
  isInvariant,
  libraryFunctions,
  localBytes,
  type Operation,
} from "../../lowered/walk.ts";
import { Addresses, type Stride, wordBytes } from "./addresses.ts";
import { type FunctionBuilder, type MemoryImport, ModuleBuilder, type WasmType } from "./emitter.ts";
import { importOf, localType, Operations, type Values } from "./operations.ts";

/** An operand of a leaf: what leaves its address on the stack, and along each dimension a stride in bytes and a size. */
export interface WasmOperand {
  pointer(): void;
  readonly strides: readonly Stride[];
  readonly sizes: readonly (() => void)[];
}

/** Makes a function of the module, once by its name; gives its number. */
export type Define = (
  name: string,
  parameters: readonly WasmType[],
  write: (f: FunctionBuilder) => void,
) => number;

/** The leaves that are written by hand, by their names. */
export type WasmTiles = {
  readonly [name: string]: (f: FunctionBuilder, operands: readonly WasmOperand[], define: Define) => void;
};

/** A lowered kernel as a module that exports `run(args, begin, end)`; `layout` says where its arguments are. */
export function printWasm(
  kernel: Lowered,
  layout: ArgsLayout,
  memory: MemoryImport,
  relaxed: boolean,
  tiles: WasmTiles = {},
): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(memory);
  const scratch = kernel.accesses.some((a) => "local" in a.memory) ? module.importGlobal("scratch") : -1;
  const functions = new Map<LibraryFunction, number>();
  eachExpr(kernel.body, (e) => {
    if (!libraryFunctions.has(e.op) || functions.has(e.op as LibraryFunction)) return;
    const op = e.op as LibraryFunction;
    const { name, more } = importOf(op);
    const parameters = [...(e as Operation).args, ...more].map(() => "f64" as const);
    functions.set(op, module.importFunction(name, parameters, ["f64"]));
  });
  const f = module.func("run", ["i32", "i32", "i32"]);
  const defined = new Map<string, number>();
  const define: Define = (name, parameters, write) => {
    const there = defined.get(name);
    if (there !== undefined) return there;
    const own = module.func(name, parameters);
    defined.set(name, own.index);
    write(own);
    return own.index;
  };
  new WasmPrinter(kernel, layout, f, relaxed, scratch, functions, tiles, define).print();
  return module.bytes();
}

const loads: { readonly [C in Cell]: string } = {
  f32: "f32.load",
  f64: "f64.load",
  i32: "i32.load",
  u8: "i32.load8_u",
  u16: "i32.load16_u",
};
const stores: { readonly [C in Cell]: string } = {
  f32: "f32.store",
  f64: "f64.store",
  i32: "i32.store",
  u8: "i32.store8",
  u16: "i32.store16",
};

/** Byte shuffles that bring the low bytes of 32-bit lanes together. */
const together: { readonly [bytes: number]: readonly number[] } = {
  1: [0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12],
  2: [0, 1, 4, 5, 8, 9, 12, 13, 0, 1, 4, 5, 8, 9, 12, 13],
};

class WasmPrinter implements Values {
  readonly f: FunctionBuilder;
  readonly #kernel: Lowered;
  readonly #layout: ArgsLayout;
  readonly #operations: Operations;
  readonly #addresses: Addresses;
  readonly #tiles: WasmTiles;
  readonly #define: Define;
  readonly #scratch: number;
  readonly #names = new Map<Name, number>();
  readonly #pointers: number[] = [];
  /** Of names that say how many lanes there are, the most that they can be. */
  readonly #most = new Map<Name, number>();
  /** Blocks between here and the innermost `while`. */
  #depth = 0;

  constructor(
    kernel: Lowered,
    layout: ArgsLayout,
    f: FunctionBuilder,
    relaxed: boolean,
    scratch: number,
    functions: ReadonlyMap<LibraryFunction, number>,
    tiles: WasmTiles,
    define: Define,
  ) {
    if (kernel.threads !== 1) throw new InternalError(`wasm: kernel ${kernel.name} is for groups of threads`);
    this.f = f;
    this.#kernel = kernel;
    this.#layout = layout;
    this.#tiles = tiles;
    this.#define = define;
    this.#scratch = scratch;
    this.#operations = new Operations(this, relaxed, functions);
    this.#addresses = new Addresses(kernel, layout, this, this.#operations, this.#pointers, this.#names);
  }

  print(): void {
    const f = this.f;
    let local = 0;
    for (const access of this.#kernel.accesses) {
      const { memory } = access;
      const pointer = f.local("i32");
      this.#pointers.push(pointer);
      if ("local" in memory) {
        f.globalGet(this.#scratch);
        f.i32(local);
        f.op("i32.add");
        local += localBytes(access);
      } else {
        f.get(0);
        f.memory("i32.load", this.#layout.accesses[memory.argument]!.pointer * wordBytes);
      }
      f.set(pointer);
    }
    const { status } = this.#kernel;
    if (status !== null) {
      f.get(this.#pointers[status]!);
      f.memory("i32.load");
      f.if(() => f.op("return"));
    }
    // Division and the like are done once.
    eachExpr(this.#kernel.body, (e) => {
      if (e.op === "param" || (isInvariant(e) && "args" in e)) this.#addresses.invariant(e);
    });
    for (const [a, access] of this.#kernel.accesses.entries())
      for (const d of access.strides.keys()) this.#addresses.stride(a, d);
    this.#body(this.#kernel.body);
  }

  #name(name: Name): number {
    const local = this.f.local(localType(name.type));
    this.#names.set(name, local);
    return local;
  }

  #body(body: readonly Stmt[]): void {
    for (const s of body) this.#statement(s);
  }

  /** What `write` writes is so many blocks deeper. */
  #deeper(blocks: number, write: () => void): void {
    this.#depth += blocks;
    write();
    this.#depth -= blocks;
  }

  #statement(s: Stmt): void {
    const f = this.f;
    switch (s.op) {
      case "let":
      case "var": {
        this.push(s.value);
        f.set(this.#name(s.name));
        if (s.op === "let") this.#addresses.keeps(s.name);
        break;
      }
      case "set":
        this.push(s.value);
        f.set(this.#names.get(s.name)!);
        break;
      case "for":
        this.#loop(s);
        break;
      case "while": {
        const depth = this.#depth;
        f.block(() =>
          f.loop(() => {
            this.push(s.test);
            f.op("i32.eqz");
            f.brIf(1);
            this.#depth = 1;
            this.#body(s.body);
            f.br(0);
          }),
        );
        this.#depth = depth;
        break;
      }
      case "break":
        f.br(this.#depth);
        break;
      case "if":
        this.push(s.test);
        f.if(
          () => this.#deeper(1, () => this.#body(s.body)),
          s.otherwise.length === 0 ? undefined : () => this.#deeper(1, () => this.#body(s.otherwise)),
        );
        break;
      case "store":
        this.#store(s.place, s.value);
        break;
      case "copy":
        this.#addresses.pushWhole(s.to);
        this.#addresses.pushWhole(s.from);
        this.push(s.count);
        f.i32(cellBytes[this.#kernel.accesses[s.to.access]!.cell]);
        f.op("i32.mul");
        f.memoryCopy();
        break;
      // One thread is a group.
      case "barrier":
      // Nothing says so in wasm.
      case "prefetch":
        break;
      case "call": {
        const tile = this.#tiles[s.tile.name];
        if (tile === undefined) throw new InternalError(`wasm: no leaf is called ${s.tile.name}`);
        const operands = s.operands.map(({ place, sizes }) => ({
          pointer: () => this.#addresses.pushWhole(place),
          strides: place.at.map((_, d) => this.#addresses.stride(place.access, d)),
          sizes: sizes.map((e) => () => this.push(e)),
        }));
        tile(f, operands, this.#define);
      }
    }
  }

  /** What `write` leaves on the stack, in a local. */
  kept(type: WasmType, write: () => void): number {
    write();
    const local = this.f.local(type);
    this.f.set(local);
    return local;
  }

  #loop(loop: Extract<Stmt, { op: "for" }>): void {
    const { index, from, to, steps, rest, parallel, unroll } = loop;
    const f = this.f;
    const i = this.#name(index);
    if (unroll && from.op === "const" && to.op === "const") {
      for (let turn = from.value; turn < to.value; turn++) {
        f.i32(turn);
        f.set(i);
        this.#body(steps[0]!.body);
      }
      return;
    }
    const tasks = parallel === "tasks";
    if (tasks) f.get(1);
    else this.push(from);
    f.set(i);
    const end = tasks
      ? 2
      : isInvariant(to) && to.op !== "const"
        ? this.#addresses.invariant(to)
        : this.kept("i32", () => this.push(to));
    const move = this.#addresses.enter(index, bodiesOf(loop));
    const needsIndex = this.#addresses.needs(index, bodiesOf(loop));
    // V8 makes better code of what counts down to a constant.
    let left = this.kept("i32", () => {
      f.get(end);
      f.get(i);
      f.op("i32.sub");
    });
    for (const { by, body, enter = [], leave = [] } of steps) {
      const moveOn = move(by);
      const before = left;
      const now = this.kept("i32", () => f.get(before));
      const goesOn = () => {
        f.get(now);
        f.i32(by);
        f.op("i32.ge_s");
      };
      goesOn();
      f.if(() => {
        this.#deeper(1, () => this.#body(enter));
        f.loop(() => {
          this.#deeper(2, () => this.#body(body));
          moveOn();
          if (needsIndex) f.bump(i, by);
          f.bump(now, -by);
          goesOn();
          f.brIf(0);
        });
        this.#deeper(1, () => this.#body(leave));
      });
      left = now;
    }
    if (rest === undefined) return;
    f.get(left);
    f.if(() =>
      this.#deeper(1, () => {
        f.get(left);
        f.set(this.#name(rest.live));
        this.#addresses.keeps(rest.live);
        this.#most.set(rest.live, (steps.at(-1)?.by ?? Number.POSITIVE_INFINITY) - 1);
        this.#body(rest.body);
      }),
    );
  }

  #store(place: Place, value: Expr): void {
    const f = this.f;
    const { cell } = this.#kernel.accesses[place.access]!;
    const bytes = cellBytes[cell];
    /** A narrow element is in the low bits of its 32-bit lane. */
    const storeLane = (lane: number, offset: number) =>
      f.memoryLane(`v128.store${bytes * 8}_lane`, bytes < 4 ? lane * (4 / bytes) : lane, offset);
    if (value.type.lanes === 1) {
      const offset = this.#addresses.push(place);
      const isLane = value.op === "lane" && value.type.scalar !== "bool";
      this.push(isLane ? value.args[0] : value);
      if (isLane) storeLane(value.lane, offset);
      else f.memory(stores[cell], offset);
      return;
    }
    const { lanes } = value.type;
    if (place.along?.packed && place.along.live === undefined) {
      const offset = this.#addresses.push(place);
      this.push(value);
      if (bytes < 4) {
        const vector = this.kept("v128", () => {});
        f.get(vector);
        f.get(vector);
        f.shuffle(together[bytes]!);
      }
      if (bytes * lanes === 16) f.memory("v128.store", offset);
      else f.memoryLane(`v128.store${bytes * lanes * 8}_lane`, 0, offset);
      return;
    }
    const vector = this.kept("v128", () => this.push(value));
    this.#eachLane(place, lanes, (lane) => {
      const offset = this.#addresses.push(place, lane);
      f.get(vector);
      storeLane(lane, offset);
    });
  }

  /** Does something for each lane that there is. */
  #eachLane({ along }: Place, lanes: number, write: (lane: number) => void): void {
    const count = along?.live;
    const most = count?.op === "ref" ? this.#most.get(count.name) : undefined;
    const live = count === undefined ? null : this.kept("i32", () => this.push(count));
    for (let lane = 0; lane < Math.min(lanes, most ?? lanes); lane++) {
      if (live === null || lane === 0) {
        write(lane);
        continue;
      }
      this.f.i32(lane);
      this.f.get(live);
      this.f.op("i32.lt_s");
      this.f.if(() => write(lane));
    }
  }

  #load(place: Place, { lanes }: Type): void {
    const f = this.f;
    const { cell } = this.#kernel.accesses[place.access]!;
    const bytes = cellBytes[cell];
    if (lanes === 1) {
      f.memory(loads[cell], this.#addresses.push(place));
      return;
    }
    const { along } = place;
    if (along === undefined) throw new InternalError("wasm: a vector is loaded along a dimension");
    if (along.packed && along.live === undefined) {
      const offset = this.#addresses.push(place);
      if (bytes * lanes < 4) {
        f.memory("i32.load16_u", offset);
        f.op("i32x4.splat");
      } else f.memory(bytes * lanes === 16 ? "v128.load" : `v128.load${bytes * lanes * 8}_zero`, offset);
      if (bytes === 1) f.op("i16x8.extend_low_i8x16_u");
      if (bytes <= 2) f.op("i32x4.extend_low_i16x8_u");
      return;
    }
    const { each } = along;
    const index = each && this.kept("v128", () => this.push(each.index));
    const address = (lane: number): number => {
      const offset = this.#addresses.push(place, lane);
      if (each === undefined) return offset;
      f.get(index!);
      f.lane("i32x4.extract_lane", lane);
      this.#addresses.times(place.access, each.dim);
      f.op("i32.add");
      return offset;
    };
    const got = f.local("v128");
    this.#eachLane(place, lanes, (lane) => {
      if (lane === 0) {
        f.memory(bytes < 4 ? loads[cell] : `v128.load${bytes * 8}_zero`, address(0));
        if (bytes < 4) f.op("i32x4.splat");
      } else if (bytes < 4) {
        f.get(got);
        f.memory(loads[cell], address(lane));
        f.lane("i32x4.replace_lane", lane);
      } else {
        const offset = address(lane);
        f.get(got);
        f.memoryLane(`v128.load${bytes * 8}_lane`, lane, offset);
      }
      f.set(got);
    });
    f.get(got);
  }

  /** One element in all lanes. */
  #splat(place: Place): void {
    const { cell } = this.#kernel.accesses[place.access]!;
    const offset = this.#addresses.push(place);
    const narrow = cellBytes[cell] < 4;
    this.f.memory(narrow ? loads[cell] : `v128.load${cellBytes[cell] * 8}_splat`, offset);
    if (narrow) this.f.op("i32x4.splat");
  }

  /** Leaves a value on the stack. */
  push(e: Expr): void {
    const f = this.f;
    switch (e.op) {
      case "const":
        this.#operations.constant(e.type, e.value);
        break;
      case "ref":
        f.get(this.#names.get(e.name)!);
        break;
      case "load":
        this.#load(e.place, e.type);
        break;
      case "iota":
        f.v128([0, 1, 2, 3]);
        break;
      default:
        if (e.op === "splat" && e.args[0].op === "load") this.#splat(e.args[0].place);
        else if (isInvariant(e)) f.get(this.#addresses.invariant(e));
        else this.#operations.operation(e as Operation);
    }
  }
}
