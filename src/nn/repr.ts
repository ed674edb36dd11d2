/** Values as Python writes them, for what a module prints. */

/** `True` or `False`. */
export const pythonFlag = (flag: boolean): string => (flag ? "True" : "False");

/** A number, with an exponent of two digits below 1e-4; null is `None`. */
export function pythonNumber(value: number | null): string {
  if (value === null) return "None";
  return value !== 0 && Math.abs(value) < 1e-4
    ? value.toExponential().replace(/e-(\d)$/, "e-0$1")
    : String(value);
}

/** A number as Python writes a float: a whole one with its `.0`. */
export const pythonFloat = (value: number): string =>
  Number.isInteger(value) && Math.abs(value) < 1e16 ? value.toFixed(1) : pythonNumber(value);

/** Sizes as Python writes a tuple. */
export const pythonTuple = (sizes: readonly number[]): string =>
  `(${sizes.join(", ")}${sizes.length === 1 ? "," : ""})`;
