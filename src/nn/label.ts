import type { Stored } from "../tensor/stored.ts";

/** By what is named, the module that it was named from. Weakly: a parameter must not keep what once held it alive. */
const roots = new WeakMap<Stored, WeakRef<object>>();
const references = new WeakMap<object, WeakRef<object>>();

function referenceTo(module: object): WeakRef<object> {
  let reference = references.get(module);
  if (reference === undefined) references.set(module, (reference = new WeakRef(module)));
  return reference;
}

/** Names a value for errors by its path from the outermost module that it has been named from. */
export function label(member: Stored, path: string, root: object): void {
  const inside = member.label !== path && member.label.endsWith(`.${path}`);
  if (!inside) member.label = path;
  const reference = referenceTo(root);
  const before = roots.get(member);
  if (before !== reference && (!inside || before?.deref() === undefined)) roots.set(member, reference);
}

/** The outermost module, of those that are alive, from which a parameter or buffer has been named. */
export const rootOf = (member: Stored): object | null => roots.get(member)?.deref() ?? null;
