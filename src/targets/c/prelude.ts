import { extremeText } from "./extreme.ts";
import { functionText } from "./function-prelude.ts";
import type { CTarget } from "./target.ts";

/** A function of vectors for which machines have an instruction, and what else it can be. */
interface Instruction {
  readonly name: string;
  readonly operands: number;
  /** Clang's builtin for vectors of any width. */
  readonly elementwise: string;
  /** The compiler's builtin of one element. */
  readonly scalar: string;
  /** The call for x86, of `ps` or `pd`, by bits of the vector. */
  x86(type: "ps" | "pd", bits: number): string;
  /** GCC's builtin for arm64. */
  readonly arm: string;
  /** Clang's own for 512 bits, where it differs. */
  clang512?(type: "ps" | "pd"): string;
}

/** Rounding: the mode is a number that all of x86's widths share. */
const rounding = (name: string, elementwise: string, mode: number, arm: string): Instruction => ({
  name,
  operands: 1,
  elementwise,
  scalar: elementwise,
  x86: (type, bits) =>
    bits === 512
      ? `__builtin_ia32_rndscale${type}_mask(a, ${mode}, a, -1, 4)`
      : `__builtin_ia32_round${type}${bits === 256 ? "256" : ""}(a, ${mode})`,
  arm,
});

const instructions: readonly Instruction[] = [
  rounding("floor", "floor", 1, "floor"),
  rounding("ceil", "ceil", 2, "ceil"),
  rounding("trunc", "trunc", 3, "btrunc"),
  rounding("round", "roundeven", 0, "frintn"),
  {
    name: "sqrt",
    operands: 1,
    elementwise: "sqrt",
    scalar: "sqrt",
    x86: (type, bits) =>
      bits === 512
        ? `__builtin_ia32_sqrt${type}512_mask(a, a, -1, 4)`
        : `__builtin_ia32_sqrt${type}${bits === 256 ? "256" : ""}(a)`,
    arm: "sqrt",
    clang512: (type) => `__builtin_ia32_sqrt${type}512(a, 4)`,
  },
  {
    name: "fma",
    operands: 3,
    elementwise: "fma",
    scalar: "fma",
    x86: (type, bits) =>
      bits === 512
        ? `__builtin_ia32_vfmadd${type}512_mask(a, b, c, -1, 4)`
        : `__builtin_ia32_vfmadd${type}${bits === 256 ? "256" : ""}(a, b, c)`,
    arm: "fma",
  },
];

/** What the preprocessor asks for before x86's instructions of some width are used. */
const x86Guard = (name: string, bits: number): string => {
  if (bits === 512) return "defined(__AVX512F__)";
  if (name === "fma") return "defined(__FMA__)";
  if (bits === 256) return "defined(__AVX__)";
  return name === "sqrt" ? "defined(__SSE2__)" : "defined(__SSE4_1__)";
};

function instructionText(i: Instruction, vector: "vf" | "vd" | "vw", lanes: number): string {
  const wide = vector !== "vf";
  const bits = lanes * (wide ? 64 : 32);
  const type = wide ? "pd" : "ps";
  const names = ["a", "b", "c"].slice(0, i.operands);
  const elements = names.map((n) => `${n}[l]`).join(", ");
  const loop = `${vector} r; for (int l = 0; l < ${lanes}; l++) r[l] = __builtin_${i.scalar}${wide ? "" : "f"}(${elements}); return r;`;
  const lines = [
    `static inline ${vector} ${i.name}_${vector}(${names.map((n) => `${vector} ${n}`).join(", ")}) {`,
    `#if __has_builtin(__builtin_elementwise_${i.elementwise})`,
    `  return __builtin_elementwise_${i.elementwise}(${names.join(", ")});`,
  ];
  if (bits === 512 && i.clang512 !== undefined)
    lines.push(
      "#elif defined(__AVX512F__) && defined(__clang__)",
      `  return (${vector})${i.clang512(type)};`,
    );
  if (bits >= 128) lines.push(`#elif ${x86Guard(i.name, bits)}`, `  return (${vector})${i.x86(type, bits)};`);
  if (bits === 128)
    lines.push(
      "#elif defined(__aarch64__) && !defined(__clang__)",
      `  return __builtin_aarch64_${i.arm}v${lanes}${wide ? "df" : "sf"}(${names.join(", ")});`,
    );
  if (i.name === "fma") lines.push("#elif !defined(__FMA__) && !defined(__aarch64__)", "  return a * b + c;");
  lines.push("#else", `  ${loop}`, "#endif", "}");
  return lines.join("\n");
}

/** Loads and stores of the first `n` lanes: 0 < n < lanes. What is not loaded is zero. */
function partText(vector: "vf" | "vd", lanes: number): string {
  const wide = vector === "vd";
  const bits = lanes * (wide ? 64 : 32);
  const suffix = `${wide ? "pd" : "ps"}${bits}`;
  const element = wide ? "double" : "float";
  const masks = `(${wide ? "vl" : "vi"}){${Array.from({ length: lanes }, (_, l) => l).join(", ")}} < n`;
  const head = [
    `static inline ${vector} load_part_${vector}(const char *p, int n) {`,
    `static inline void store_part_${vector}(char *p, ${vector} v, int n) {`,
  ] as const;
  const lanesMask = `(unsigned${lanes <= 8 ? " char" : lanes <= 16 ? " short" : ""})((1u << n) - 1)`;
  const plain = [
    `  ${vector} v = {0}; __builtin_memcpy(&v, p, n * sizeof(${element})); return v;`,
    `  __builtin_memcpy(p, &v, n * sizeof(${element}));`,
  ] as const;
  const avx512 = [
    `  return __builtin_ia32_loadu${suffix}_mask((const ${element} *)p, (${vector}){0}, ${lanesMask});`,
    `  __builtin_ia32_storeu${suffix}_mask((${element} *)p, v, ${lanesMask});`,
  ] as const;
  const name = wide ? "pd" : "ps";
  const wideName = bits === 256 ? "256" : "";
  const avx = [
    `  return __builtin_ia32_maskload${name}${wideName}((const ${vector} *)p, ${masks});`,
    `  __builtin_ia32_maskstore${name}${wideName}((${vector} *)p, ${masks}, v);`,
  ] as const;
  return [0, 1]
    .map((i) => {
      const lines: string[] = [head[i]!];
      const choices: [string, string][] = [];
      if (bits === 512) choices.push(["THAW_MASKS && defined(__AVX512F__)", avx512[i]!]);
      if (bits === 256 || bits === 128) choices.push(["THAW_MASKS && defined(__AVX2__)", avx[i]!]);
      for (const [c, [guard, text]] of choices.entries())
        lines.push(`#${c === 0 ? "if" : "elif"} ${guard}`, text);
      if (choices.length > 0) lines.push("#else");
      lines.push(plain[i]!);
      if (choices.length > 0) lines.push("#endif");
      lines.push("}");
      return lines.join("\n");
    })
    .join("\n");
}

/**
 * Between elements of one or two bytes and lanes of 32 bits. GCC takes a conversion of vectors apart element by element,
 * so that it gets the instruction by name.
 */
function narrowText(element: "u8" | "u16", lanes: number): string {
  const bytes = element === "u16" ? 2 : 1;
  const bits = lanes * 32;
  const source = bytes === 2 ? "wd" : "bd";
  const from = `v_x86_${bytes}`;
  const lines = [`static inline vi widen_${element}(v_${element} v) {`];
  const guards: string[] = [];
  const branch = (guard: string, text: string) => {
    lines.push(`#${guards.length === 0 ? "if" : "elif"} !defined(__clang__) && ${guard}`, `  ${text}`);
    guards.push(guard);
  };
  if (bits === 512)
    branch("defined(__AVX512F__)", `return __builtin_ia32_pmovzx${source}512_mask((${from})v, (vi){0}, -1);`);
  if (bits === 256)
    branch(
      "defined(__AVX2__)",
      `${from} x = {0}; __builtin_memcpy(&x, &v, sizeof v); return __builtin_ia32_pmovzx${source}256(x);`,
    );
  const end = (fallback: string) => {
    if (guards.length > 0) lines.push("#else");
    lines.push(`  ${fallback}`);
    if (guards.length > 0) lines.push("#endif");
    lines.push("}");
    guards.length = 0;
  };
  end("return __builtin_convertvector(v, vi);");
  lines.push(`static inline v_${element} narrow_${element}(vi v) {`);
  const down = bytes === 2 ? "dw" : "db";
  if (bits === 512)
    branch(
      "defined(__AVX512F__)",
      `return (v_${element})__builtin_ia32_pmov${down}512_mask(v, (${from}){0}, -1);`,
    );
  if (bits === 256)
    branch(
      "defined(__AVX512VL__)",
      `${from} x = __builtin_ia32_pmov${down}256_mask(v, (${from}){0}, -1); ` +
        `v_${element} r; __builtin_memcpy(&r, &x, sizeof r); return r;`,
    );
  end(`return __builtin_convertvector(v, v_${element});`);
  return lines.join("\n");
}

const list = (lanes: number, of: (lane: number) => string | number): string =>
  Array.from({ length: lanes }, (_, l) => of(l)).join(", ");

/** Element types in memory, and the vectors of as many of them as a register has lanes: narrow ones are shorter. */
const memoryTypes: readonly (readonly [name: string, element: string, bytes: number])[] = [
  ["f32", "float", 4],
  ["i32", "int", 4],
  ["u8", "unsigned char", 1],
  ["u16", "unsigned short", 2],
];

/** Lanes of a unit's vectors: half as many where anything is f64. */
const lanesOf = (target: CTarget, wide: boolean): number => target.vectorBytes / (wide ? 8 : 4);

/**
 * What every unit begins with: vector types of `lanes` elements (`vf` f32, `vi` i32, `vu` u32, and where `wide` `vd`
 * f64, `vl` i64), types of elements in memory (`f32_m` …: at any address, and may alias; `v_f32_m` … so many of them),
 * and functions: floor, ceil, trunc, round (to even), sqrt, fma, max, min, splat, rotate4 … (lane i is lane i + 4), load_part and
 * store_part, each with the vector's type at its end: `floor_vf`.
 */
export function preludeC(target: CTarget, wide: boolean): string {
  const key = `${target.vectorBytes} ${wide}`;
  let text = preludes.get(key);
  if (text === undefined) preludes.set(key, (text = writePrelude(target, wide)));
  return text;
}

/** What all C begins with: what compilers know, whether there are masked loads, and numbers of 64 bits. */
export const basicsC = [
  "#ifndef __has_builtin",
  "#define __has_builtin(x) 0",
  "#endif",
  "#ifndef __has_feature",
  "#define __has_feature(x) 0",
  "#endif",
  "// Sanitizers do not see through masked loads.",
  "#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)",
  "#define THAW_MASKS 0",
  "#else",
  "#define THAW_MASKS 1",
  "#endif",
  "typedef __INT64_TYPE__ i64;",
].join("\n");

/** Every kernel has one of these few. */
const preludes = new Map<string, string>();

function writePrelude(target: CTarget, wide: boolean): string {
  const lanes = lanesOf(target, wide);
  const text: string[] = [
    basicsC,
    "// Lanes of two vectors, counted through.",
    "#if __has_builtin(__builtin_shufflevector)",
    "#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)",
    "#else",
    "#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (vi){__VA_ARGS__})",
    "#endif",
  ];
  const vector = (name: string, element: string, bytes: number, more = "") =>
    text.push(`typedef ${element} ${name} __attribute__((vector_size(${lanes * bytes})${more}));`);
  vector("vf", "float", 4);
  vector("vi", "int", 4);
  vector("vu", "unsigned", 4);
  const types = [...memoryTypes];
  if (wide) {
    vector("vd", "double", 8);
    vector("vl", "i64", 8);
    types.push(["f64", "double", 8]);
  }
  for (const [name, element, bytes] of types) {
    text.push(`typedef ${element} ${name}_m __attribute__((aligned(1), may_alias));`);
    vector(`v_${name}`, element, bytes);
    vector(`v_${name}_m`, element, bytes, ", aligned(1), may_alias");
  }
  // What x86's conversions take: bytes fill 16 bytes at least.
  text.push(`typedef char v_x86_1 __attribute__((vector_size(16)));`);
  text.push(`typedef short v_x86_2 __attribute__((vector_size(${Math.max(16, lanes * 2)})));`);
  for (const element of ["u8", "u16"] as const) text.push(narrowText(element, lanes));
  const splat = (type: string, element: string) =>
    text.push(
      `static inline ${type} splat_${type}(${element} x) { return (${type}){${list(lanes, () => "x")}}; }`,
    );
  splat("vf", "float");
  splat("vi", "int");
  if (wide) splat("vd", "double");
  const floats = wide ? (["vf", "vd"] as const) : (["vf"] as const);
  for (const type of floats) {
    for (const i of instructions) text.push(instructionText(i, type, lanes));
    text.push(partText(type, lanes), extremeText(type, lanes));
  }
  for (const type of wide ? ["vf", "vi", "vd"] : ["vf", "vi"]) {
    const shuffle = (n: number) => `__builtin_shufflevector(v, v, ${list(lanes, (l) => (l + n) % lanes)})`;
    const old = type === "vd" ? "vl" : "vi";
    for (let n = lanes / 2; n >= 1; n /= 2)
      text.push(
        `static inline ${type} rotate${n}_${type}(${type} v) {`,
        "#if __has_builtin(__builtin_shufflevector)",
        `  return ${shuffle(n)};`,
        "#else",
        `  return __builtin_shuffle(v, (${old}){${list(lanes, (l) => (l + n) % lanes)}});`,
        "#endif",
        "}",
      );
  }
  text.push(functionText(lanes, target.vectorBytes));
  for (const i of instructions)
    if (i.name === "fma") text.push(instructionText(i, "vw", target.vectorBytes / 8));
  return `${text.join("\n")}\n`;
}
