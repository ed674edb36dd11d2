import type { Cell } from "../../lowered/ir.ts";
import { cellBytes } from "../../lowered/walk.ts";
import { type CVectors, vectorOf } from "./types.ts";
import type { CWriter } from "./writer.ts";

/** Lanes that there are, as an expression of C; null: all. Nothing else is loaded or stored. */
type Live = string | null;

const isNarrow = (cell: Cell): boolean => cellBytes[cell] < 4;

/** Defines a vector of elements at addresses of their own, widened. */
export function loadApart(
  w: CWriter,
  { lanes }: CVectors,
  cell: Cell,
  live: Live,
  address: (lane: string | number) => string,
): string {
  const vector = vectorOf[cell];
  const at = (lane: string | number) => `*(const ${cell}_m *)(${address(lane)})`;
  const all = (of: (lane: number) => string) =>
    w.define(vector, `(${vector}){${Array.from({ length: lanes }, (_, l) => of(l)).join(", ")}}`);
  if (live === null) return all(at);
  // So few that lanes beyond the last are worth loading it once more: the vector then stays in a register.
  if (lanes <= 4) return all((l) => at(l === 0 ? "0" : `(${l} < ${live} ? ${l} : ${live} - 1)`));
  const got = w.name("t");
  w.line(`${vector} ${got} = {0};`);
  w.line(`for (int l = 0; l < ${live}; l++) ${got}[l] = ${at("l")};`);
  return got;
}

/** A vector of consecutive elements, widened. */
export function loadRow(w: CWriter, cell: Cell, live: Live, pointer: string): string {
  const vector = vectorOf[cell];
  if (!isNarrow(cell)) {
    if (live === null) return `*(const v_${cell}_m *)(${pointer})`;
    const as = vector === "vi" ? "vf" : vector;
    return `(${vector})load_part_${as}(${pointer}, ${live})`;
  }
  if (live === null) return `widen_${cell}(*(const v_${cell}_m *)(${pointer}))`;
  const loaded = w.name("t");
  w.line(`v_${cell} ${loaded} = {0};`);
  w.line(`__builtin_memcpy(&${loaded}, ${pointer}, ${live} * ${cellBytes[cell]});`);
  return `widen_${cell}(${loaded})`;
}

/** Writes a vector: of narrow elements the low bits of the lanes. `step`: from one to the next in bytes; null: they are packed. */
export function storeVector(
  w: CWriter,
  { lanes }: CVectors,
  cell: Cell,
  live: Live,
  pointer: string,
  step: string | null,
  value: string,
): void {
  if (step !== null)
    w.line(
      `for (int l = 0; l < ${live ?? lanes}; l++) *(${cell}_m *)(${pointer} + l * ${step}) = ${value}[l];`,
    );
  else if (isNarrow(cell)) {
    const packed = w.define(`v_${cell}`, `narrow_${cell}(${value})`);
    if (live === null) w.line(`*(v_${cell}_m *)(${pointer}) = ${packed};`);
    else w.line(`__builtin_memcpy(${pointer}, &${packed}, ${live} * ${cellBytes[cell]});`);
  } else if (live === null) w.line(`*(v_${cell}_m *)(${pointer}) = ${value};`);
  else {
    const as = vectorOf[cell] === "vi" ? "vf" : vectorOf[cell];
    w.line(`store_part_${as}(${pointer}, (${as})${value}, ${live});`);
  }
}
