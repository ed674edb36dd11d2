/**
 * The text of `max_vf` and `min_vf` (or `_vd`): NaN where either is, and 0 is more than -0. x86's instruction gives
 * its second operand for two zeros and where either is NaN, so both orders are asked for: of two zeros the bits of one
 * and the other give the right one, of any other numbers both orders give the same. Bits that are all set are a NaN.
 */
export function extremeText(vector: "vf" | "vd", lanes: number): string {
  return [one(vector, lanes, "max"), one(vector, lanes, "min")].join("\n");
}

function one(vector: "vf" | "vd", lanes: number, name: "max" | "min"): string {
  const [bits, type] = vector === "vd" ? (["vl", "pd"] as const) : (["vi", "ps"] as const);
  const [operator, join] = name === "max" ? ([">", "&"] as const) : (["<", "|"] as const);
  const width = lanes * (vector === "vd" ? 64 : 32);
  const both = (builtin: string, rest = "") =>
    `  ${vector} x = __builtin_ia32_${builtin}(a, b${rest}), y = __builtin_ia32_${builtin}(b, a${rest});`;
  const chosen = (a: string, b: string) => {
    const better = `(${bits})(${a} ${operator} ${b})`;
    return `(${vector})((${better} & (${bits})${a}) | (~${better} & (${bits})${b}))`;
  };
  const lines = [`static inline ${vector} ${name}_${vector}(${vector} a, ${vector} b) {`];
  if (width === 512)
    lines.push(
      "#if defined(__AVX512DQ__) && !defined(__clang__)",
      "  // This one knows zeros, and its mask leaves out NaNs; clang makes as good code of the other.",
      `  return __builtin_ia32_range${type}512_mask(a, b, ${name === "max" ? 5 : 4}, (${vector})((${bits}){0} - 1), ` +
        `__builtin_ia32_cmp${type}512_mask(a, b, 7, -1, 4), 4);`,
      "#else",
      "#if defined(__AVX512F__) && defined(__clang__)",
      both(`${name}${type}512`, ", 4"),
    );
  else if (width === 256) lines.push("#if defined(__AVX__)", both(`${name}${type}256`));
  else if (width === 128) lines.push("#if defined(__SSE2__)", both(`${name}${type}`));
  if (width >= 128) lines.push("#else");
  lines.push(`  ${vector} x = ${chosen("a", "b")}, y = ${chosen("b", "a")};`);
  if (width >= 128) lines.push("#endif");
  lines.push(`  return (${vector})(((${bits})x ${join} (${bits})y) | (${bits})((a != a) | (b != b)));`);
  if (width === 512) lines.push("#endif");
  lines.push("}");
  return lines.join("\n");
}
