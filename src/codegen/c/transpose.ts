import type { CWriter } from "./writer.ts";

/**
 * Transposes a square of `lanes` vectors, elements of the array `rows`; gives the names of its columns. Step by step
 * squares of 1, 2, 4 … swap places across the diagonal (Eklundh, "A Fast Computer Method for Matrix Transposing", 1972).
 */
export function emitTranspose(w: CWriter, rows: string, lanes: number): string[] {
  let now = Array.from({ length: lanes }, (_, r) => w.define("vf", `${rows}[${r}]`, "u"));
  for (let half = 1; half < lanes; half *= 2) {
    const next = [...now];
    const list = (from: (lane: number) => number) =>
      Array.from({ length: lanes }, (_, l) => from(l)).join(", ");
    for (let r = 0; r < lanes; r++) {
      if ((r & half) !== 0) continue;
      const [a, b] = [now[r]!, now[r + half]!];
      // Lanes from `lanes` on are of the second operand.
      const low = list((l) => ((l & half) === 0 ? l : lanes + l - half));
      const high = list((l) => ((l & half) === 0 ? l + half : lanes + l));
      next[r] = w.define("vf", `SHUFFLE(${a}, ${b}, ${low})`, "u");
      next[r + half] = w.define("vf", `SHUFFLE(${a}, ${b}, ${high})`, "u");
    }
    now = next;
  }
  return now;
}
