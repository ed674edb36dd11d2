import { type DType, dtypes, isFloat } from "../base/dtype.ts";
import { type Shape, sizeOf } from "../base/shape.ts";

// PyTorch's default print options.
const precision = 4;
const threshold = 1000;
const edgeItems = 3;
const lineWidth = 80;

const prefix = "tensor(";

/** How every number of one tensor is written, so that columns line up. */
interface Style {
  readonly width: number;
  readonly text: (value: number) => string;
}

/**
 * A tensor's elements (row-major; bool as 0 and 1) as PyTorch prints them: `tensor([[1., 2.]])`. A dtype that
 * PyTorch would not infer is named; `suffix` ("requires_grad=True") comes last.
 */
export function formatTensor(data: ArrayLike<number>, shape: Shape, dtype: DType, suffix = ""): string {
  const suffixes: string[] = [];
  const empty = sizeOf(shape) === 0;
  if (empty && shape.length !== 1) suffixes.push(`size=(${shape.join(", ")})`);
  if (dtype !== "f32" && (empty || dtype !== "bool")) suffixes.push(`dtype=torch.${dtypes[dtype].torch}`);
  if (suffix) suffixes.push(suffix);
  return withSuffixes(prefix + (empty ? "[]" : bodyOf(data, shape, dtype)), suffixes);
}

function bodyOf(data: ArrayLike<number>, shape: Shape, dtype: DType): string {
  const summarize = sizeOf(shape) > threshold;
  const shown: number[] = [];
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const indices = (axis: number): number[] => {
    const all = Array.from({ length: shape[axis]! }, (_, i) => i);
    return hides(axis) ? [...all.slice(0, edgeItems), ...all.slice(-edgeItems)] : all;
  };
  const hides = (axis: number): boolean => summarize && shape[axis]! > 2 * edgeItems;
  const collect = (axis: number, at: number): void => {
    if (axis === shape.length) shown.push(data[at]!);
    else for (const i of indices(axis)) collect(axis + 1, at + i * strides[axis]!);
  };
  collect(0, 0);

  const style = styleOf(shown, dtype);
  const padded = (value: number): string => style.text(value).padStart(style.width);
  const write = (axis: number, at: number): string => {
    if (axis === shape.length) return padded(data[at]!);
    const last = axis === shape.length - 1;
    const parts = indices(axis).map((i) => write(axis + 1, at + i * strides[axis]!));
    if (hides(axis)) parts.splice(edgeItems, 0, last ? " ..." : "...");
    const indent = " ".repeat(prefix.length + axis + 1);
    if (!last) return `[${parts.join(`,${"\n".repeat(shape.length - axis - 1)}${indent}`)}]`;
    const perLine = Math.max(1, Math.floor((lineWidth - prefix.length - axis) / (style.width + 2)));
    const lines: string[] = [];
    for (let i = 0; i < parts.length; i += perLine) lines.push(parts.slice(i, i + perLine).join(", "));
    return `[${lines.join(`,\n${indent}`)}]`;
  };
  return write(0, 0);
}

function styleOf(shown: readonly number[], dtype: DType): Style {
  const styled = (text: (value: number) => string, values: readonly number[], extra = 0): Style => ({
    text,
    width: values.reduce((width, v) => Math.max(width, text(v).length + extra), 1),
  });
  if (dtype === "bool") return styled((v) => (v ? "True" : "False"), shown);
  if (!isFloat(dtype)) return styled(String, shown);
  const values = shown.filter((v) => Number.isFinite(v) && v !== 0);
  const largest = values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  const smallest = values.reduce((m, v) => Math.min(m, Math.abs(v)), Number.POSITIVE_INFINITY);
  if (values.length > 0 && (largest / smallest > 1000 || largest > 1e8 || smallest < 1e-4))
    return styled(exponential, values);
  if (values.every(Number.isInteger))
    return styled((v) => fixed(v, 0) + (Number.isFinite(v) ? "." : ""), values);
  return styled((v) => fixed(v, precision), values);
}

const special = (value: number): string => (Number.isNaN(value) ? "nan" : value < 0 ? "-inf" : "inf");
const signOf = (value: number): string => (value < 0 || Object.is(value, -0) ? "-" : "");

/** As C's %.nf: unlike toFixed it takes halves to the even digit, and keeps the sign of -0. */
function fixed(value: number, digits: number): string {
  if (!Number.isFinite(value)) return special(value);
  const size = Math.abs(value);
  return signOf(value) + halfToEven(size, size.toFixed(digits), size.toFixed(digits + 1));
}

/** As C's %.4e. */
function exponential(value: number): string {
  if (!Number.isFinite(value)) return special(value);
  const size = Math.abs(value);
  const [digits, exponent] = size.toExponential(precision).split("e") as [string, string];
  const [longer, power] = size.toExponential(precision + 1).split("e") as [string, string];
  // The exponents differ only where rounding carried to a new digit, which no tie does.
  const mantissa = power === exponent ? halfToEven(size, digits, longer, Number(power)) : digits;
  return `${signOf(value)}${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

/** `rounded`, or the even neighbour where `longer`, a digit more, is the exact value and ends in 5. */
function halfToEven(exact: number, rounded: string, longer: string, power = 0): string {
  if (!longer.endsWith("5") || Number(`${longer}e${power}`) !== exact) return rounded;
  const cut = longer.slice(0, -1).replace(/\.$/, "");
  return Number(cut.at(-1)) % 2 === 0 ? cut : rounded;
}

function withSuffixes(text: string, suffixes: readonly string[]): string {
  let result = text;
  let lastLine = text.length - text.lastIndexOf("\n") + 1;
  for (const suffix of suffixes) {
    if (lastLine + suffix.length + 2 > lineWidth) {
      result += `,\n${" ".repeat(prefix.length)}${suffix}`;
      lastLine = prefix.length + suffix.length;
    } else {
      result += `, ${suffix}`;
      lastLine += suffix.length + 2;
    }
  }
  return `${result})`;
}
