import type { ArgsLayout } from "../../../src/codegen/args.ts";
import {
  type Cell,
  type Expr,
  type Lowered,
  type Name,
  type Param,
  type Place,
  partsOf,
  type Stmt,
} from "../../../src/lowered/ir.ts";
import { infix } from "../../../src/lowered/walk.ts";
import { layoutOf } from "./parts.ts";

const cellTypes: { readonly [C in Cell]?: string } = { f32: "f32", i32: "i32" };
const scalarTypes: { readonly [scalar: string]: string } = {
  f32: "f32",
  i32: "i32",
  u32: "u32",
  bool: "bool",
  index: "i32",
};

/** The leaves that are written by hand, by their names. */
export type WgslTiles = {
  readonly [name: string]: (operands: readonly string[], sizes: readonly string[]) => string;
};

/** A kernel as WGSL: one workgroup a task, its threads the group's; tiles by name. */
export class WgslPrinter {
  readonly #kernel: Lowered;
  readonly #layout: ArgsLayout;
  readonly #tiles: WgslTiles;
  readonly #names = new Map<Name, string>();
  readonly #lines: string[] = [];
  #indent = "  ";

  constructor(kernel: Lowered, extents: number, tiles: WgslTiles = {}) {
    this.#kernel = kernel;
    this.#layout = layoutOf(kernel, extents);
    this.#tiles = tiles;
  }

  #line(text: string): void {
    this.#lines.push(this.#indent + text);
  }

  #inner(body: readonly Stmt[]): void {
    const before = this.#indent;
    this.#indent += "  ";
    for (const s of body) this.#statement(s);
    this.#indent = before;
  }

  #name(name: Name): string {
    let text = this.#names.get(name);
    if (text === undefined) this.#names.set(name, (text = `${name.hint}_${this.#names.size}`));
    return text;
  }

  #param(p: Param): string {
    if (p.kind === "extent") return `words[${p.dim}]`;
    if (p.kind !== "stride")
      throw new Error("no kernel here has an access without memory, or tasks of blocks");
    const access = this.#kernel.accesses[p.access]!;
    return `words[${this.#layout.accesses[(access.memory as { argument: number }).argument]!.strides[p.dim]}]`;
  }

  /** An element: WGSL has no pointers to arguments, so a buffer by its name and an index into it. */
  #element({ access, at }: Place): string {
    const { memory, strides } = this.#kernel.accesses[access]!;
    const sum = at.map((e, d) => `${this.#expr(e)} * ${this.#expr(strides[d]!)}`).join(" + ");
    if ("local" in memory) return `local${access}[${sum}]`;
    return `arena[words[${this.#layout.accesses[memory.argument]!.pointer}] + ${sum}]`;
  }

  #isLocal = ({ access }: Place): boolean => "local" in this.#kernel.accesses[access]!.memory;

  #expr(e: Expr): string {
    const [a, b, c] = partsOf(e).map((part) => (e.op === "load" ? "" : this.#expr(part)));
    const operator = infix[e.op];
    // WGSL has operators of its own for bools where both sides need not be computed.
    if (operator !== undefined && e.type.scalar === "bool" && (e.op === "and" || e.op === "or"))
      return `(${a} ${operator}${operator} ${b})`;
    if (operator !== undefined) return `(${a} ${operator} ${b})`;
    switch (e.op) {
      case "const":
        // A constant expression must be finite.
        if (e.value === -Infinity) return "bitcast<f32>(words[0] * 0 - 8388608)";
        return e.type.scalar === "f32"
          ? `f32(${e.value})`
          : e.type.scalar === "bool"
            ? `${e.value !== 0}`
            : `${e.value}`;
      case "param":
        return this.#param(e.param);
      case "ref":
        return this.#name(e.name);
      case "load":
        return this.#isLocal(e.place)
          ? this.#element(e.place)
          : `bitcast<${scalarTypes[e.type.scalar]}>(${this.#element(e.place)})`;
      case "select":
        return `select(${c}, ${b}, ${a})`;
      case "convert":
        return `${scalarTypes[e.type.scalar]}(${a})`;
      case "inside":
        return `(u32(${a}) < u32(${b}))`;
      // A queue cannot be stopped: what is wrong does no harm.
      case "within":
        return `clamp(${a}, 0, ${b} - 1)`;
      case "fma":
        return `fma(${a}, ${b}, ${c})`;
      case "exp":
      case "log":
      case "tanh":
      case "min":
      case "max":
      case "abs":
      case "sqrt":
        return `${e.op}(${partsOf(e)
          .map((part) => this.#expr(part))
          .join(", ")})`;
      default:
        throw new Error(`WGSL of ${e.op}`);
    }
  }

  #statement(s: Stmt): void {
    switch (s.op) {
      case "let":
        this.#line(`let ${this.#name(s.name)} = ${this.#expr(s.value)};`);
        break;
      case "var":
        this.#line(`var ${this.#name(s.name)}: ${scalarTypes[s.name.type.scalar]} = ${this.#expr(s.value)};`);
        break;
      case "set":
        this.#line(`${this.#name(s.name)} = ${this.#expr(s.value)};`);
        break;
      case "for": {
        const [from, to] = [this.#expr(s.from), this.#uniform(s)];
        const index = this.#name(s.index);
        const { threads } = this.#kernel;
        if (s.parallel === "tasks") {
          this.#line(`let ${index} = i32(group.x);`);
          this.#line(`if (${index} >= ${to}) { return; }`);
          for (const inner of s.steps[0]!.body) this.#statement(inner);
          break;
        }
        const [first, step] = s.parallel === "threads" ? [`${from} + thread`, threads] : [from, 1];
        this.#line(`for (var ${index} = ${first}; ${index} < ${to}; ${index} += ${step}) {`);
        this.#inner(s.steps[0]!.body);
        this.#line("}");
        break;
      }
      case "if":
        this.#line(`if (${this.#expr(s.test)}) {`);
        this.#inner(s.body);
        if (s.otherwise.length > 0) {
          this.#line("} else {");
          this.#inner(s.otherwise);
        }
        this.#line("}");
        break;
      case "store":
        this.#line(
          this.#isLocal(s.place)
            ? `${this.#element(s.place)} = ${this.#expr(s.value)};`
            : `${this.#element(s.place)} = bitcast<u32>(${this.#expr(s.value)});`,
        );
        break;
      case "barrier":
        this.#line("workgroupBarrier();");
        break;
      case "call": {
        const first = s.operands.map(({ place }) => `local${place.access}`);
        const sizes = s.operands.flatMap(({ sizes }) => sizes.map((e) => this.#expr(e)));
        for (const line of this.#tiles[s.tile.name]!(first, sizes).trim().split("\n")) this.#line(line);
        break;
      }
      default:
        throw new Error(`WGSL of ${s.op}`);
    }
  }

  /** Where a loop ends. Around a barrier that has to be known to be the same for the whole group. */
  #uniform(s: Extract<Stmt, { op: "for" }>): string {
    if (!hasBarrier(s.steps[0]!.body) || isOfParameters(s.to)) return this.#expr(s.to);
    this.#line(`if (thread == 0) { end = ${this.#expr(s.to)}; }`);
    const name = `end_${this.#lines.length}`;
    this.#line(`let ${name} = workgroupUniformLoad(&end);`);
    return name;
  }

  text(): string {
    const { accesses, body, threads, status } = this.#kernel;
    // What is read and what is written may be in one buffer, which a dispatch may then bind once only: so all of it is.
    const head = [
      "@group(0) @binding(0) var<storage, read> words: array<i32>;",
      "@group(0) @binding(1) var<storage, read_write> arena: array<u32>;",
      "var<workgroup> end: i32;",
    ];
    for (const [i, { memory, cell }] of accesses.entries()) {
      if (!("local" in memory)) continue;
      head.push(`var<workgroup> local${i}: array<${cellTypes[cell]}, ${memory.local}>;`);
    }
    if (status !== null) {
      const { pointer } = this.#layout.accesses[status]!;
      this.#line(`if (thread == 0) { end = i32(arena[words[${pointer}]]); }`);
      this.#line("if (workgroupUniformLoad(&end) != 0) { return; }");
    }
    for (const s of body) this.#statement(s);
    return `${head.join("\n")}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread_number: u32) {
  let thread = i32(thread_number);
${this.#lines.join("\n")}
}
`;
  }
}

const hasBarrier = (body: readonly Stmt[]): boolean =>
  body.some(
    (s) =>
      s.op === "barrier" ||
      (s.op === "for" && hasBarrier(s.steps[0]!.body)) ||
      (s.op === "if" && (hasBarrier(s.body) || hasBarrier(s.otherwise))),
  );

const isOfParameters = (e: Expr): boolean =>
  e.op !== "load" && e.op !== "ref" && partsOf(e).every((part) => isOfParameters(part));
