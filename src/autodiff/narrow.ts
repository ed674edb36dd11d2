import { type Node, topological } from "../ir/node.ts";
import { type Op, ops } from "../ir/op.ts";
import { makingInPlaceOf } from "../ir/origin.ts";
import { type Cut, type NarrowRule, type Pushed, take } from "./cut.ts";
import { narrowRules } from "./narrow-rules.ts";
import { placesOf, type Selection } from "./places.ts";

export type { Selection };

/** A part of a node, and how it is made of parts of others; `pushed` null: it is taken from the node itself. */
interface Step {
  readonly of: Node;
  readonly cut: Cut;
  /** The node that is computed in part; `of`, where that is no view of it. */
  readonly made: Node;
  readonly pushed: Pushed | null;
  /** What `pushed` needs, as far as the walk has come: nodes that it needs whole, and parts. */
  readonly sources: (Node | Step)[];
  part: Node | null;
}

/**
 * The part of `x` that a selection names, computed without the rest wherever the graph allows: what `x` is made of
 * is narrowed in its place, as far up as the axis can be followed. Nothing costly that is in `computed` (needed whole
 * by something else) is computed again in part. A narrower product may add in another order: last digits can differ
 * from those of the same part of `x`.
 */
export function narrow(x: Node, s: Selection, computed: ReadonlySet<Node> = new Set()): Node {
  const root: Cut = { axis: s.axis, places: placesOf(s) };
  const whole = new Set(computed);
  for (;;) {
    const steps = plan(x, root, whole);
    // What is needed whole for one part need not be computed once more for another.
    const needed = topological(
      steps.flatMap(({ of, pushed, sources }) => (pushed === null ? [of] : sources.filter((s) => "op" in s))),
    );
    const all = new Set(needed);
    const twice = steps.filter(({ made, pushed }) => pushed !== null && isCostly(made) && all.has(made));
    if (twice.length === 0) return build(steps);
    for (const { made } of twice) whole.add(made);
  }
}

/** Whether to compute a part of a node once more costs more than to read it from memory. */
function isCostly(n: Node): boolean {
  const { kind } = ops[n.op];
  return kind === "contraction" || kind === "reduce" || (kind === "special" && n.op !== "gather");
}

/** The parts that a part of `x` is made of, each after those that it needs itself; `x`'s is the last. */
function plan(x: Node, root: Cut, whole: ReadonlySet<Node>): Step[] {
  const known = new Map<Node, Map<string, Step>>();
  const order: Step[] = [];
  const stack: Step[] = [];
  const enter = (of: Node, cut: Cut): Step => {
    const key = `${cut.axis}:${cut.places.key}`;
    let steps = known.get(of);
    if (steps === undefined) known.set(of, (steps = new Map()));
    let step = steps.get(key);
    if (step === undefined) {
      const { start, count, size } = cut.places;
      const rule = narrowRules[of.op] as NarrowRule<Op> | null;
      const pushed = start === 0 && count === size ? null : (rule?.(of, cut) ?? null);
      const made = pushed?.made ?? of;
      const taken = isCostly(made) && whole.has(made);
      step = { of, cut, made, pushed: taken ? null : pushed, sources: [], part: null };
      steps.set(key, step);
      stack.push(step);
    }
    return step;
  };
  enter(x, root);
  for (let step = stack.at(-1); step !== undefined; step = stack.at(-1)) {
    const need = step.pushed?.needs[step.sources.length];
    if (need === undefined) order.push(stack.pop()!);
    else step.sources.push(need.cut === null ? need.of : enter(need.of, need.cut));
  }
  return order;
}

/** Makes the nodes of a plan's parts; gives the last. */
function build(steps: readonly Step[]): Node {
  for (const step of steps) {
    makingInPlaceOf(step.of);
    step.part =
      step.pushed === null
        ? take(step.of, step.cut)
        : step.pushed.build(step.sources.map((s) => ("op" in s ? s : s.part!)));
  }
  makingInPlaceOf(null);
  return steps.at(-1)!.part!;
}
