import { bumpEpoch } from "../engine/cell.ts";
import { fieldNames, namesOf, noteFieldRead, noteFieldSet, readsFields } from "../engine/fields.ts";

/**
 * Every module is seen through this: a captured step has to know that it was recorded with another layer, or another
 * option, in a field that is as plain as any other.
 */
const watch: ProxyHandler<object> = {
  get(target, key, receiver) {
    const value: unknown = Reflect.get(target, key, receiver);
    // Methods are not fields; that there is no such field is something that a forward pass may depend on.
    if (readsFields() && (value === undefined || Object.hasOwn(target, key)))
      noteFieldRead(target, key, value);
    return value;
  },
  has(target, key) {
    if (readsFields()) noteFieldRead(target, key, ownValue(target, key));
    return Reflect.has(target, key);
  },
  ownKeys(target) {
    if (readsFields()) noteFieldRead(target, fieldNames, namesOf(target));
    return Reflect.ownKeys(target);
  },
  defineProperty(target, key, descriptor) {
    const before = ownValue(target, key);
    const done = Reflect.defineProperty(target, key, descriptor);
    changed(target, key, before, ownValue(target, key));
    return done;
  },
  deleteProperty(target, key) {
    const before = ownValue(target, key);
    const done = Reflect.deleteProperty(target, key);
    changed(target, key, before, undefined);
    return done;
  },
};

const ownValue = (target: object, key: PropertyKey): unknown =>
  Reflect.getOwnPropertyDescriptor(target, key)?.value;

function changed(target: object, key: PropertyKey, before: unknown, after: unknown): void {
  if (Object.is(before, after)) return;
  noteFieldSet(target, key);
  // What is no object is no part of the module tree, which selectors have been looked up in.
  if ((typeof before === "object" && before !== null) || (typeof after === "object" && after !== null))
    bumpEpoch();
}

/** An object whose fields recordings can depend on. */
export abstract class Watched {
  constructor() {
    // biome-ignore lint/correctness/noConstructorReturn: fields of subclasses are then defined on the proxy.
    return new Proxy(this, watch);
  }
}
