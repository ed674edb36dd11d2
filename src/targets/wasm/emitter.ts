import { InternalError } from "../../base/errors.ts";
import { laneOps, memoryLaneOps, memoryOps, plainOps } from "./opcodes.ts";

/** Types of locals, parameters and results. */
export type WasmType = "i32" | "i64" | "f32" | "f64" | "v128";

const typeByte: { readonly [T in WasmType]: number } = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};

/** Unsigned LEB128. */
function unsigned(value: number): number[] {
  if (value >= 0 && value < 128) return [value];
  const out: number[] = [];
  let rest = value >>> 0;
  do {
    const byte = rest & 127;
    rest >>>= 7;
    out.push(rest === 0 ? byte : byte | 128);
  } while (rest !== 0);
  return out;
}

/** Signed LEB128 of 32 bits. */
function signed(value: number): number[] {
  const out: number[] = [];
  let rest = value | 0;
  for (;;) {
    const byte = rest & 127;
    rest >>= 7;
    if ((rest === 0 && (byte & 64) === 0) || (rest === -1 && (byte & 64) !== 0)) {
      out.push(byte);
      return out;
    }
    out.push(byte | 128);
  }
}

const text = (s: string): number[] => [...unsigned(s.length), ...[...s].map((c) => c.charCodeAt(0))];
// `concat` copies arrays whole, where a spread goes through them one by one.
const section = (id: number, body: readonly number[]): number[] => [id].concat(unsigned(body.length), body);
const vector = (items: readonly (readonly number[])[]): number[] => unsigned(items.length).concat(...items);

/**
 * Builds one function. Instructions are appended in order, by their standard names; every method returns nothing and
 * works on the wasm stack. Locals are numbers; `local` makes one (parameters come first, from 0).
 */
export class FunctionBuilder {
  readonly index: number;
  readonly #params: readonly WasmType[];
  readonly #locals: WasmType[] = [];
  readonly #code: number[] = [];
  readonly #view = new DataView(new ArrayBuffer(8));

  constructor(index: number, params: readonly WasmType[]) {
    this.index = index;
    this.#params = params;
  }

  /** A new local, zero at first. */
  local(type: WasmType): number {
    return this.#params.length + this.#locals.push(type) - 1;
  }

  get(local: number): void {
    this.#local(0x20, local);
  }
  set(local: number): void {
    this.#local(0x21, local);
  }
  #local(instruction: number, local: number): void {
    if (local < 128) this.#code.push(instruction, local);
    else this.#code.push(instruction, ...unsigned(local));
  }
  tee(local: number): void {
    this.#code.push(0x22, ...unsigned(local));
  }
  i32(value: number): void {
    this.#code.push(0x41, ...signed(value));
  }
  i64(value: number): void {
    this.#code.push(0x42, ...signed(value));
  }
  f32(value: number): void {
    this.#view.setFloat32(0, value, true);
    this.#code.push(0x43, ...this.#bytes(4));
  }
  f64(value: number): void {
    this.#view.setFloat64(0, value, true);
    this.#code.push(0x44, ...this.#bytes(8));
  }
  /** v128.const of four i32 lanes. */
  v128(lanes: readonly [number, number, number, number]): void {
    this.#code.push(0xfd, 12);
    for (const lane of lanes)
      this.#code.push(lane & 255, (lane >>> 8) & 255, (lane >>> 16) & 255, lane >>> 24);
  }
  /** v128.const with one f32 in all lanes. */
  f32x4(value: number): void {
    this.#view.setFloat32(0, value, true);
    const bits = this.#view.getInt32(0, true);
    this.v128([bits, bits, bits, bits]);
  }
  /** v128.const with one i32 in all lanes. */
  i32x4(value: number): void {
    this.v128([value, value, value, value]);
  }
  /** v128.const with one f64 in both lanes. */
  f64x2(value: number): void {
    this.#view.setFloat64(0, value, true);
    const low = this.#view.getInt32(0, true);
    const high = this.#view.getInt32(4, true);
    this.v128([low, high, low, high]);
  }
  #bytes(count: number): number[] {
    return Array.from({ length: count }, (_, i) => this.#view.getUint8(i));
  }

  /** An instruction without immediates: `op("f32x4.add")`. Several may be given. */
  op(...names: string[]): void {
    for (const name of names) {
      const bytes = plainOps[name];
      if (bytes === undefined) throw new InternalError(`wasm emitter: no instruction "${name}"`);
      for (const byte of bytes) this.#code.push(byte);
    }
  }
  /** A load, store or atomic at the address on the stack plus `offset`. */
  memory(name: string, offset = 0): void {
    const known = memoryOps[name];
    if (known === undefined) throw new InternalError(`wasm emitter: no memory instruction "${name}"`);
    // Plain accesses need no alignment; atomics demand their natural one.
    this.#code.push(...known[0], known[0][0] === 0xfe ? known[1] : 0, ...unsigned(offset));
  }
  /** `lane("f32x4.extract_lane", 2)`. */
  lane(name: string, lane: number): void {
    const bytes = laneOps[name];
    if (bytes === undefined) throw new InternalError(`wasm emitter: no lane instruction "${name}"`);
    this.#code.push(...bytes, lane);
  }
  /** `memoryLane("v128.load32_lane", 1, offset)`: address and vector on the stack. */
  memoryLane(name: string, lane: number, offset = 0): void {
    const known = memoryLaneOps[name];
    if (known === undefined) throw new InternalError(`wasm emitter: no memory lane instruction "${name}"`);
    this.#code.push(...known[0], 0, ...unsigned(offset), lane);
  }
  /** i8x16.shuffle: 16 byte numbers, 0 to 15 of the first operand, 16 to 31 of the second. */
  shuffle(lanes: readonly number[]): void {
    this.#code.push(0xfd, 13, ...lanes);
  }

  /** A block: `br(0)` inside leaves it. */
  block(body: () => void): void {
    this.#code.push(0x02, 0x40);
    body();
    this.#code.push(0x0b);
  }
  /** A loop: `br(0)` inside goes back to its start. */
  loop(body: () => void): void {
    this.#code.push(0x03, 0x40);
    body();
    this.#code.push(0x0b);
  }
  /** Takes a condition; `result` is what both branches leave, if anything. */
  if(then: () => void, otherwise?: () => void, result?: WasmType): void {
    this.#code.push(0x04, result === undefined ? 0x40 : typeByte[result]);
    then();
    if (otherwise !== undefined) {
      this.#code.push(0x05);
      otherwise();
    }
    this.#code.push(0x0b);
  }
  br(depth: number): void {
    this.#code.push(0x0c, ...unsigned(depth));
  }
  brIf(depth: number): void {
    this.#code.push(0x0d, ...unsigned(depth));
  }
  call(index: number): void {
    this.#code.push(0x10, ...unsigned(index));
  }
  /** Calls the function whose number in the table is on the stack, after its arguments. */
  callIndirect(type: number): void {
    this.#code.push(0x11, ...unsigned(type), 0);
  }
  globalGet(index: number): void {
    this.#code.push(0x23, ...unsigned(index));
  }
  globalSet(index: number): void {
    this.#code.push(0x24, ...unsigned(index));
  }
  /** Copies bytes: target, source and count are on the stack. */
  memoryCopy(): void {
    this.#code.push(0xfc, 10, 0, 0);
  }
  memoryFill(): void {
    this.#code.push(0xfc, 11, 0);
  }

  /** local += amount. */
  bump(local: number, amount: number): void {
    this.get(local);
    this.i32(amount);
    this.op("i32.add");
    this.set(local);
  }

  /** The body with its locals, as the code section wants it. */
  bytes(): number[] {
    const groups: number[][] = [];
    for (const type of this.#locals) {
      const last = groups.at(-1);
      if (last !== undefined && last[1] === typeByte[type]) last[0]!++;
      else groups.push([1, typeByte[type]]);
    }
    const body = vector(groups.map(([n, t]) => [...unsigned(n!), t!])).concat(this.#code, 0x0b);
    return unsigned(body.length).concat(body);
  }
}

/** What a module imports as its memory: pages of 64 KiB. */
export interface MemoryImport {
  readonly shared: boolean;
  readonly maximum: number;
}

/**
 * Builds a module that imports `env.memory` (and, if asked, functions and `env.table`) and exports functions. Imports
 * must be declared before functions.
 */
export class ModuleBuilder {
  readonly #types: string[] = [];
  readonly #typeBytes: number[][] = [];
  readonly #imports: number[][] = [];
  readonly #functions: { type: number; builder: FunctionBuilder; name: string }[] = [];
  readonly #globals: number[][] = [];
  #imported = 0;
  #importedGlobals = 0;

  constructor(memory: MemoryImport) {
    this.#imports.push([
      ...text("env"),
      ...text("memory"),
      0x02,
      memory.shared ? 3 : 1,
      ...unsigned(1),
      ...unsigned(memory.maximum),
    ]);
  }

  /** The number of a function type. */
  type(params: readonly WasmType[], results: readonly WasmType[]): number {
    const key = `${params}>${results}`;
    const known = this.#types.indexOf(key);
    if (known >= 0) return known;
    this.#typeBytes.push([
      0x60,
      ...vector(params.map((t) => [typeByte[t]])),
      ...vector(results.map((t) => [typeByte[t]])),
    ]);
    return this.#types.push(key) - 1;
  }

  /** Imports `env.table`, a table of functions. */
  importTable(): void {
    this.#imports.push([...text("env"), ...text("table"), 0x01, 0x70, 0x00, 0]);
  }

  /** Imports the constant i32 `env.name`; gives the number for `globalGet`. Before any `global`. */
  importGlobal(name: string): number {
    this.#imports.push([...text("env"), ...text(name), 0x03, typeByte.i32, 0x00]);
    return this.#importedGlobals++;
  }

  /** Imports `env.name`; gives the number to `call`. */
  importFunction(name: string, params: readonly WasmType[], results: readonly WasmType[]): number {
    this.#imports.push([...text("env"), ...text(name), 0x00, ...unsigned(this.type(params, results))]);
    return this.#imported++;
  }

  /** A mutable i32 of the module's own; gives its number. */
  global(initial: number): number {
    return (
      this.#importedGlobals + this.#globals.push([typeByte.i32, 0x01, 0x41, ...signed(initial), 0x0b]) - 1
    );
  }

  /** An exported function, to be filled in. */
  func(name: string, params: readonly WasmType[], results: readonly WasmType[] = []): FunctionBuilder {
    const builder = new FunctionBuilder(this.#imported + this.#functions.length, params);
    this.#functions.push({ type: this.type(params, results), builder, name });
    return builder;
  }

  /** The module's bytes. */
  bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0].concat(
        section(1, vector(this.#typeBytes)),
        section(2, vector(this.#imports)),
        section(3, vector(this.#functions.map((f) => unsigned(f.type)))),
        this.#globals.length > 0 ? section(6, vector(this.#globals)) : [],
        section(7, vector(this.#functions.map((f) => [...text(f.name), 0x00, ...unsigned(f.builder.index)]))),
        section(10, vector(this.#functions.map((f) => f.builder.bytes()))),
      ),
    );
  }
}
