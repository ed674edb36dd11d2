let nextId = 1;
const ids = new WeakMap<object, number>();

/** A number that stands for an object: the same each time, and of no other. */
export function idOf(object: object): number {
  let id = ids.get(object);
  if (id === undefined) ids.set(object, (id = nextId++));
  return id;
}
