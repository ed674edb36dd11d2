import { bytesOf, readElement, type TypedArray } from "../base/dtype.ts";
import { sizeOf } from "../base/shape.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { Region } from "../tensor/region.ts";
import type { Meter } from "./audit-graph.ts";

/** How far a parameter is from where it was when an audit began. */
export interface AuditedMovement {
  /** The length (L2) of the difference. */
  readonly moved: number;
  /** Elements that differ in a bit. */
  readonly elementsMoved: number;
  /** Those of them that an optimizer updated although their gradient was zero every time. */
  readonly unreachedMoved: number;
  /** The whole rows among those, as a selector names them: `[2:]`; null where they are not rows. */
  readonly unreachedRows: string | null;
}

/** Compares a parameter with what it was. */
export function movementOf(
  p: Parameter,
  start: TypedArray,
  now: TypedArray,
  meters: ReadonlyMap<Region | null, Meter>,
): AuditedMovement {
  const [a, b] = [bytesOf(start), bytesOf(now)];
  const bytes = a.length / Math.max(1, start.length);
  const differs = (i: number): boolean => {
    for (let k = i * bytes; k < (i + 1) * bytes; k++) if (a[k] !== b[k]) return true;
    return false;
  };
  let [squares, elementsMoved] = [0, 0];
  for (let i = 0; i < now.length; i++)
    if (differs(i)) {
      elementsMoved++;
      squares += (readElement(p.dtype, now, i) - readElement(p.dtype, start, i)) ** 2;
    }
  const unreached = unreachedPlaces(p, meters).filter(differs);
  return {
    moved: Math.sqrt(squares),
    elementsMoved,
    unreachedMoved: unreached.length,
    unreachedRows: rowsText(p, unreached),
  };
}

/** The places of elements that were updated and never had a gradient but zero. */
function unreachedPlaces(p: Parameter, meters: ReadonlyMap<Region | null, Meter>): number[] {
  const reached = new Uint8Array(p.numel);
  const updated = new Uint8Array(p.numel);
  for (const [region, meter] of meters) {
    const places = region?.flat();
    for (const [i, flag] of meter.reached.storage.read().entries()) {
      const place = places?.[i] ?? i;
      updated[place] = 1;
      if (flag !== 0) reached[place] = 1;
    }
  }
  const found: number[] = [];
  for (let i = 0; i < updated.length; i++) if (updated[i] === 1 && reached[i] === 0) found.push(i);
  return found;
}

function rowsText({ shape }: Parameter, places: readonly number[]): string | null {
  const width = sizeOf(shape.slice(1));
  if (shape.length < 2 || places.length === 0 || places.length === sizeOf(shape)) return null;
  const rows = new Set(places.map((place) => Math.floor(place / width)));
  return rows.size * width === places.length ? Region.along(shape, 0, rows).text : null;
}
