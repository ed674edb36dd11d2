const range = (count: number, of: (i: number) => number | string): string =>
  Array.from({ length: count }, (_, i) => of(i)).join(", ");

/**
 * What the functions of f32 need beside arithmetic. In f64: `vww` of all lanes, and `vw` (as bits `vx`, i64, and `vy`,
 * u64) of as many as fill a register, which are all of them or half. GCC converts vectors of two registers well but
 * compares them element by element, so that they are only converted, and halved by LOW, HIGH and JOIN. `low_words` are
 * the low i32 of all f64, `any_vi` says whether a mask is set anywhere, and `at_most`, `at_least` limit a number but not
 * a NaN.
 */
export function functionText(lanes: number, vectorBytes: number): string {
  const count = vectorBytes / 8;
  const vector = (type: string, name: string, n: number) =>
    `typedef ${type} ${name} __attribute__((vector_size(${n * 8})));`;
  const splat = (type: string, element: string) =>
    `static inline ${type} splat_${type}(${element} x) { return (${type}){${range(count, () => "x")}}; }`;
  return [
    vector("double", "vw", count),
    vector("i64", "vx", count),
    vector("__UINT64_TYPE__", "vy", count),
    vector("double", "vww", lanes),
    splat("vw", "double"),
    splat("vx", "i64"),
    ...(count === lanes ? [lowWordsOfOne] : halvesText(lanes)),
    anyText(lanes),
    ...(["at_most", "at_least"] as const).flatMap((name) => [
      limitText(name, "vf", lanes * 32),
      limitText(name, "vw", vectorBytes * 8),
    ]),
  ].join("\n");
}

const lowWordsOfOne = "static inline vf low_words(vw a) { return (vf)__builtin_convertvector((vx)a, vi); }";

const halvesText = (lanes: number): string[] => [
  "#if __has_builtin(__builtin_shufflevector)",
  `#define LOW(a) __builtin_shufflevector(a, a, ${range(lanes / 2, (l) => l)})`,
  `#define HIGH(a) __builtin_shufflevector(a, a, ${range(lanes / 2, (l) => lanes / 2 + l)})`,
  `#define JOIN(a, b) __builtin_shufflevector(a, b, ${range(lanes, (l) => l)})`,
  "#else",
  "#define PART(a, at) ({ vw p; __builtin_memcpy(&p, (const char *)&a + (at) * sizeof p, sizeof p); p; })",
  "#define LOW(a) PART(a, 0)",
  "#define HIGH(a) PART(a, 1)",
  "#define JOIN(a, b) ({ vww r; __builtin_memcpy(&r, &a, sizeof a); " +
    "__builtin_memcpy((char *)&r + sizeof a, &b, sizeof b); r; })",
  "#endif",
  `static inline vf low_words(vw a, vw b) { return (vf)SHUFFLE((vi)a, (vi)b, ${range(lanes, (l) => 2 * l)}); }`,
];

function anyText(lanes: number): string {
  const bits = lanes * 32;
  // All bits of a lane set are a NaN.
  const [guard, text] =
    bits === 512
      ? ["__AVX512F__", "__builtin_ia32_cmpps512_mask((vf)mask, (vf)mask, 3, -1, 4)"]
      : bits === 256
        ? ["__AVX__", "__builtin_ia32_movmskps256((vf)mask)"]
        : ["__SSE2__", "__builtin_ia32_movmskps((vf)mask)"];
  const turns = Array.from({ length: Math.log2(lanes) }, (_, i) => lanes >> (i + 1)).map(
    (n) => `  mask |= rotate${n}_vi(mask);`,
  );
  const portable = [...turns, "  return mask[0] != 0;"];
  return [
    "static inline int any_vi(vi mask) {",
    ...(bits < 128
      ? portable
      : [`#ifdef ${guard}`, `  return ${text} != 0;`, "#else", ...portable, "#endif"]),
    "}",
  ].join("\n");
}

/** x86's instruction gives its second operand where either is NaN. */
function limitText(name: "at_most" | "at_least", vector: "vf" | "vw", bits: number): string {
  const [least, operator] = name === "at_most" ? ["min", "<"] : ["max", ">"];
  const builtin = `__builtin_ia32_${least}${vector === "vf" ? "ps" : "pd"}`;
  const choices: (readonly [guard: string, expression: string])[] = [];
  if (bits === 512)
    choices.push(
      ["defined(__AVX512F__) && defined(__clang__)", `${builtin}512(limit, a, 4)`],
      ["defined(__AVX512F__)", `${builtin}512_mask(limit, a, a, -1, 4)`],
    );
  if (bits === 256) choices.push(["defined(__AVX__)", `${builtin}256(limit, a)`]);
  if (bits === 128) choices.push(["defined(__SSE2__)", `${builtin}(limit, a)`]);
  const integer = vector === "vf" ? "vi" : "vx";
  const exceeds = `(limit ${operator} a)`;
  const portable = `(${vector})((${exceeds} & (${integer})limit) | (~${exceeds} & (${integer})a))`;
  return [
    `static inline ${vector} ${name}_${vector}(${vector} a, ${vector} limit) {`,
    ...choices.flatMap(([guard, expression], i) => [
      `#${i === 0 ? "if" : "elif"} ${guard}`,
      `  return ${expression};`,
    ]),
    ...(choices.length > 0 ? ["#else"] : []),
    `  return ${portable};`,
    ...(choices.length > 0 ? ["#endif"] : []),
    "}",
  ].join("\n");
}
