import { hostEffect, Resident } from "../engine/trace.ts";
import { cast } from "../ir/build.ts";
import type { ObservedUpdate } from "../optim/optimizer.ts";
import type { Node } from "../optim/transform.ts";
import { noGrad } from "../tensor/autograd.ts";
import { add, full, mul, ne, not, or, sqrt, sub } from "../tensor/operations/elementwise.ts";
import { sum } from "../tensor/operations/reduction.ts";

/** What makes a parameter move. */
export const causes = [
  "gradient",
  "momentum",
  "coupled decay",
  "decoupled decay",
  "direct write",
  "averaging",
] as const;
/** One of what makes a parameter move. */
export type Cause = (typeof causes)[number];

/** How far each cause has moved something: the sum over steps of the length (L2) of its share. */
export type Shares = { readonly [C in Cause]: number };

/** The options that switch decay off in every optimizer. */
const decays = ["weightDecay", "lambd"];

/** What is measured of one part of a parameter, in the engine's memory, so that captured steps measure too. */
export class Meter {
  /** Whether each element has ever had a gradient that is not zero. */
  readonly reached: Resident;
  readonly #total = meters();
  readonly #last = meters();
  /** The shares of elements that had never had a gradient by then. */
  readonly #unreached = meters();
  updates = 0;
  writes = 0;

  constructor(shape: readonly number[]) {
    this.reached = new Resident("bool", shape);
  }

  /** Measures an update: the shares add up to what it moves. `done` runs when it has been carried out. */
  measure({ value, gradient, output, run }: ObservedUpdate, done: () => void): void {
    noGrad(() => {
      const zero = full(gradient.shape, 0, gradient.dtype);
      const has = ne(gradient, zero);
      this.reached.assign(or(this.reached.node, has));
      const never = not(this.reached.node);
      const moved = sub(output.value, value);
      const undecayed = sub(run(value, gradient, decays).value, value);
      // With no gradient and no decay, what still moves it is what the state remembers.
      const momentum = sub(run(value, zero, decays).value, value);
      const decay = sub(moved, undecayed);
      const decoupled =
        output.values.length > 1 || ["asgd", "adafactor"].includes(output.values[0]?.[0] ?? "");
      this.#add("gradient", sub(undecayed, momentum), never);
      this.#add("momentum", momentum, never);
      this.#add(decoupled ? "decoupled decay" : "coupled decay", decay, never);
    });
    hostEffect({ apply: () => this.updates++, undo: () => this.updates--, done });
  }

  /** Measures a write that is not the optimizer's. */
  measureWrite(cause: "direct write" | "averaging", before: Node, after: Node, done: () => void): void {
    noGrad(() => this.#add(cause, sub(cast(after, "f32"), cast(before, "f32")), null));
    hostEffect({ apply: () => this.writes++, undo: () => this.writes--, done });
  }

  #add(cause: Cause, share: Node, never: Node | null): void {
    const length = norm(share);
    const last = this.#last.get(cause)!;
    last.assign(length);
    grow(this.#total.get(cause)!, length);
    if (never !== null) grow(this.#unreached.get(cause)!, norm(mul(share, cast(never, share.dtype))));
  }

  get total(): Shares {
    return read(this.#total);
  }
  get last(): Shares {
    return read(this.#last);
  }
  get unreached(): Shares {
    return read(this.#unreached);
  }
}

const meters = (): ReadonlyMap<Cause, Resident> =>
  new Map(causes.map((cause) => [cause, new Resident("f32", [])]));

const norm = (x: Node): Node => cast(sqrt(sum(mul(x, x))), "f32");

const grow = (sum: Resident, by: Node): void => sum.assign(add(sum.node, by));

const read = (meters: ReadonlyMap<Cause, Resident>): Shares =>
  Object.fromEntries([...meters].map(([cause, { storage }]) => [cause, storage.at(0)])) as Shares;
