import { ArgumentError } from "../base/errors.ts";
import { Module, type ParameterTree } from "../nn/module.ts";
import { type Selector, selectorKey } from "./selector.ts";

/** Selectors that are remembered at a time, of each tree. */
const most = 2048;

/**
 * As `find`, which answers what a selector names in a module, but gives the same object for the same selector for as
 * long as the modules stay as they are.
 */
export function remembered<T>(
  find: (root: Module, tree: ParameterTree, selector: Selector) => T,
): (root: Module, selector: Selector) => T {
  const known = new WeakMap<ParameterTree, Map<string, T>>();
  return (root, selector) => {
    if (!(root instanceof Module))
      throw new ArgumentError(
        `select: ${root === null ? "null" : typeof root} is no module; what selectors name is looked for in a module, which comes first`,
      );
    const tree = root.parameterTree();
    const key = selectorKey(selector);
    if (key === null) return find(root, tree, selector);
    let ofTree = known.get(tree);
    if (ofTree === undefined || ofTree.size >= most) known.set(tree, (ofTree = new Map()));
    let found = ofTree.get(key);
    if (found === undefined) ofTree.set(key, (found = find(root, tree, selector)));
    return found;
  };
}
