import { filledLike } from "../../ir/build.ts";
import { isGradEnabled, type Node, node } from "../../ir/node.ts";

/** What an input gets of the gradient `g` of a value. */
export type Slope = (g: Node, value: Node) => Node;

/**
 * A value with the gradient that is stated for each input, in place of the one that follows from how it was computed:
 * where a branch that is not taken would overflow, digits cancel, or PyTorch chooses otherwise. Slopes are made of nodes,
 * so they have derivatives. The value must depend on nothing that is tracked but the inputs, which are of its compute dtype.
 */
export function stated(value: Node, ...inputs: readonly (readonly [Node, Slope])[]): Node {
  const tracked = inputs.filter(([x]) => x.tracked);
  if (tracked.length === 0 || !isGradEnabled()) return value;
  return node("stated", [value, ...tracked.map(([x]) => x)], { rules: tracked.map(([, slope]) => slope) });
}

/** The slope of what is constant in pieces: 0 everywhere, whatever the gradient is. */
export const flat: Slope = (g) => filledLike(0, g);
