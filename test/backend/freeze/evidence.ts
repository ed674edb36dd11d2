import type { Tensor } from "thaw/tensor";
import type { World } from "./network.ts";

/** A copy of the bits of a float32 tensor. */
export const bitsOf = (t: Tensor): Uint32Array =>
  new Uint32Array(Float32Array.from(t.dataSync() as Float32Array).buffer);

/** Whether two tensors of one shape have the same bits. */
export const equalBits = (a: Uint32Array, b: Uint32Array): boolean => a.every((bits, i) => bits === b[i]);

/** Whether a float32 of these bits is NaN or an infinity. */
export const isNotFinite = (bits: number): boolean => ((bits >>> 23) & 0xff) === 0xff;

/** All that there is of one element of a parameter: the bits of its value and state, and the numbers it shares. */
export type Element = Readonly<Record<string, number>>;

/** The held parameter element by element, whatever parts its state is in. */
export function heldElements({ net, optimizer, ema }: World): Element[] {
  const p = net.held.weight;
  const all: Record<string, number>[] = [...bitsOf(p)].map((value) => ({ value }));
  if (ema !== null) for (const [i, bits] of bitsOf(ema.average.get(p)!).entries()) all[i]!.average = bits;
  for (const { region, state } of optimizer.parts(p)) {
    const shape = region === null ? p.shape : region.partShape;
    const places = region === null ? all.keys() : region.flat();
    const entries = Object.entries(state).map(([name, value]) =>
      typeof value === "number" ? ([name, value] as const) : ([name, repeated(value, shape)] as const),
    );
    let i = 0;
    for (const at of places) {
      for (const [name, bits] of entries) all[at]![name] = typeof bits === "number" ? bits : bits[i]!;
      i++;
    }
  }
  return all;
}

/** The bits of a tensor of a part's state, which factors have once for all of a row or a column. */
const repeated = (value: Tensor, shape: readonly number[]): Uint32Array =>
  bitsOf(value.shape.join() === shape.join() ? value : value.expand(shape));

/** The names of what differs, in any bit, in any of the elements that are meant. */
export function differences(
  before: readonly Element[],
  after: readonly Element[],
  meant: (place: number) => boolean,
): Set<string> {
  const found = new Set<string>();
  for (const [i, now] of after.entries())
    if (meant(i))
      for (const name of new Set([...Object.keys(now), ...Object.keys(before[i]!)]))
        if (!Object.is(now[name], before[i]![name])) found.add(name);
  return found;
}

/** The bits of all that a combination trains while something is held. */
export const trainedBits = ({ net }: World, isHeld: (place: number) => boolean): Uint32Array[] => [
  bitsOf(net.free.weight),
  bitsOf(net.output.weight),
  bitsOf(net.held.weight).filter((_, place) => !isHeld(place)),
];
