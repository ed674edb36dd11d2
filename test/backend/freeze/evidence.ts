import type { Tensor } from "thaw/tensor";
import type { World } from "./network.ts";

/** The bits of a float32 tensor. */
export const bitsOf = (t: Tensor): Uint32Array => {
  const data = t.dataSync() as Float32Array;
  return new Uint32Array(data.buffer, data.byteOffset, data.length);
};

/** All that there is of one element of a parameter: the bits of its value and state, and the numbers it shares. */
export type Element = Readonly<Record<string, number>>;

const wide = new Float64Array(1);

/** A number of a state as something that tells two of them apart by any bit. */
function numberBits(x: number): number {
  wide[0] = x;
  const [low, high] = new Uint32Array(wide.buffer);
  return high! * 2 ** 20 + (low! & 0xfffff);
}

/** The held parameter element by element, whatever parts its state is in. */
export function heldElements({ net, optimizer, ema }: World): Element[] {
  const p = net.held.weight;
  const all: Record<string, number>[] = [...bitsOf(p)].map((value) => ({ value }));
  if (ema !== null) for (const [i, bits] of bitsOf(ema.average.get(p)!).entries()) all[i]!.average = bits;
  for (const { region, state } of optimizer.parts(p)) {
    const places = region === null ? all.keys() : region.flat();
    const entries = Object.entries(state).map(([name, value]) =>
      typeof value === "number" ? ([name, numberBits(value)] as const) : ([name, bitsOf(value)] as const),
    );
    let i = 0;
    for (const at of places) {
      for (const [name, bits] of entries) all[at]![name] = typeof bits === "number" ? bits : bits[i]!;
      i++;
    }
  }
  return all;
}

/** Of each tensor, and number, whether it differs in any element that is meant; "" if none does. */
export function differences(
  before: readonly Element[],
  after: readonly Element[],
  meant: (place: number) => boolean,
): Set<string> {
  const found = new Set<string>();
  for (const [i, now] of after.entries())
    if (meant(i))
      for (const name of new Set([...Object.keys(now), ...Object.keys(before[i]!)]))
        if (now[name] !== before[i]![name]) found.add(name);
  return found;
}

/** What is trained whatever is held: the bits of each parameter. */
export const trainedBits = ({ net }: World): Uint32Array[] => [
  bitsOf(net.free.weight),
  bitsOf(net.output.weight),
];
