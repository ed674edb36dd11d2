import { ArgumentError } from "../base/errors.ts";
import { sameShape } from "../base/shape.ts";
import { bumpEpoch } from "../engine/cell.ts";
import { fieldNames, namesOf, noteFieldRead, noteFieldSet, readsFields } from "../engine/fields.ts";
import { Buffer } from "../tensor/buffer.ts";
import { Stored } from "../tensor/stored.ts";
import { Tensor } from "../tensor/tensor.ts";

/**
 * Every module is seen through this: a captured step has to know that it was recorded with another layer, or another
 * option, in a field that is as plain as any other.
 */
const watch: ProxyHandler<object> = {
  get(target, key, receiver) {
    const value: unknown = Reflect.get(target, key, receiver);
    // What is computed at each reading is no field. That there is no such field is something that a forward pass may
    // depend on, as is a method, which a function in a field of that name would take the place of.
    if (readsFields() && (typeof value === "function" || Object.is(ownValue(target, key), value)))
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
    const holds = before instanceof Stored && isPlainTensor(descriptor.value);
    const done = Reflect.defineProperty(
      target,
      key,
      holds ? { ...descriptor, value: assigned(target, key, before, descriptor.value) } : descriptor,
    );
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

const isPlainTensor = (value: unknown): value is Tensor =>
  value instanceof Tensor && !(value instanceof Stored);

/**
 * What a field comes to hold where it has a buffer or a parameter and a tensor is assigned, as PyTorch's
 * `Module.__setattr__`: a buffer stays one. It takes the value as `update` does, so that it stands still in a module
 * that is frozen; one of another shape or dtype takes its place.
 */
function assigned(target: object, key: PropertyKey, before: Stored, value: Tensor): Stored {
  if (!(before instanceof Buffer))
    throw new ArgumentError(
      `${target.constructor.name}.${String(key)} is a parameter, and a tensor is assigned to it, which would no longer be ` +
        "trained. Assign a new nn.Parameter(…), or its value by copy_() inside noGrad().",
    );
  if (sameShape(before.shape, value.shape) && before.dtype === value.dtype) {
    before.update(value);
    return before;
  }
  const other = new Buffer(value, before);
  other.held = before.held;
  other.frozen = before.frozen;
  return other;
}

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
