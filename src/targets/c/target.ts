import type { CVectors } from "./types.ts";

/** The machine that C is written for. */
export interface CTarget {
  /** A vector register: 64 with AVX-512, 32 with AVX2, else 16. */
  readonly vectorBytes: 16 | 32 | 64;
  /** Whether there is a fused multiply-add. */
  readonly fma: boolean;
  /** Bytes of the first and second data caches of a core. */
  readonly l1: number;
  readonly l2: number;
}

/** The vectors of a unit; `wide`: of one that has f64 too. */
export const vectorsOf = (target: CTarget, wide: boolean): CVectors => ({
  lanes: target.vectorBytes / (wide ? 8 : 4),
  doubles: target.vectorBytes / 8,
});
