import { ArgumentError } from "../base/errors.ts";
import { Cell } from "../engine/cell.ts";
import { Buffer } from "../tensor/buffer.ts";
import { Parameter } from "../tensor/parameter.ts";
import { Stored } from "../tensor/stored.ts";
import { Tensor } from "../tensor/tensor.ts";
import { keepWidth } from "../tensor/wide-integers.ts";
import { copyOfBits } from "./bits.ts";
import { copyHooks, ownForward } from "./hooks.ts";
import { Items } from "./items.ts";
import { Watched } from "./watched.ts";

/** A copy of a module with all that is in it, each thing once. `blank` makes one of a module's class without fields. */
export function cloned<M extends Watched>(root: M, blank: (module: M) => M): M {
  const copies = new Map<object, unknown>();
  const remember = <T extends object>(from: object, to: T): T => {
    copies.set(from, to);
    return to;
  };
  /** The field that is being copied, for errors. */
  let place = "";
  const copy = (value: unknown): unknown => {
    if (typeof value === "function") refuseBound(place, value);
    if (typeof value !== "object" || value === null) return value;
    if (copies.has(value)) return copies.get(value);
    if (value instanceof Watched) return copyModule(value as M);
    if (value instanceof Tensor) return remember(value, copyTensor(value));
    if (value instanceof Cell) return remember(value, new Cell(copy(value.peek())));
    if (value instanceof Items) {
      const items = remember(value, new Items<object>(Array.isArray(value.read()) ? [] : new Map()));
      items.change((held) => fill(held, value.read()));
      return items;
    }
    if (ArrayBuffer.isView(value) && !(value instanceof DataView))
      return remember(value, (value as Float32Array).slice());
    if (Array.isArray(value)) return fill(remember(value, []), value);
    if (value instanceof Map) return fill(remember(value, new Map()), value);
    if (value instanceof Set) {
      const set = remember(value, new Set());
      for (const item of value) set.add(copy(item));
      return set;
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) return value;
    const plain = remember(value, Object.create(prototype as object | null) as object);
    for (const key of Reflect.ownKeys(value))
      Object.defineProperty(plain, key, copyProperty(Object.getOwnPropertyDescriptor(value, key)!));
    return plain;
  };
  const fill = (into: object, from: object): object => {
    if (into instanceof Map)
      for (const [key, item] of from as Map<unknown, unknown>) into.set(key, copy(item));
    else for (const item of from as unknown[]) (into as unknown[]).push(copy(item));
    return into;
  };
  const copyProperty = (property: PropertyDescriptor): PropertyDescriptor =>
    "value" in property ? { ...property, value: copy(property.value) } : property;
  const copyModule = (module: M): M => {
    refusePrivate(module);
    const made = remember(module, blank(module));
    for (const key of Reflect.ownKeys(module)) {
      const property = key === "forward" ? ownForward(module) : Object.getOwnPropertyDescriptor(module, key);
      if (property === undefined) continue;
      place = `${module.constructor.name}.${String(key)}`;
      Object.defineProperty(made, key, copyProperty(property));
    }
    copyHooks(module, made);
    return made;
  };
  return copyModule(root);
}

/** A tensor of its own with the same value, and a parameter or buffer with all that is set of it. */
function copyTensor(from: Tensor): Tensor {
  const value = copyOfBits(from, "clone()");
  const to = copyOf(from, value);
  if (from instanceof Stored && to instanceof Stored) {
    if (from.frozen) to.frozen = true;
    else to.frozenRegion = from.frozenRegion;
  }
  keepWidth(from, to);
  return to;
}

function copyOf(from: Tensor, value: Tensor): Tensor {
  if (from instanceof Parameter) return new Parameter(value, { requiresGrad: from.requiresGrad });
  if (from instanceof Buffer) {
    const buffer = new Buffer(value, from);
    buffer.held = from.held;
    return buffer;
  }
  return from.isLeaf ? value.requiresGrad_(from.requiresGrad) : value;
}

/** Throws for a class with private fields, which a copy would be without. */
function refusePrivate(module: Watched): void {
  for (
    let made: object = module.constructor;
    made !== Watched && typeof made === "function";
    made = Object.getPrototypeOf(made) as object
  ) {
    // Module's own are made by its constructor.
    if (Object.getPrototypeOf(made) === Watched) return;
    const name = /\bthis\.(#[\w$]+)/.exec(String(made))?.[1];
    if (name !== undefined)
      throw new ArgumentError(
        `clone: ${module.constructor.name} has a private field, ${name}, which cannot be copied from outside. ` +
          `Declare it \`private ${name.slice(1)}\`, or make another module and load stateDict() into it.`,
      );
  }
}

/** An arrow function, as it is written. */
const arrow = /^(?:async\s*)?(?:\(|[\w$]+\s*=>)/;

/** Throws for a function that would go on working on the original. */
function refuseBound(place: string, value: object & { readonly name: string }): void {
  const text = String(value);
  const isArrow = !Object.hasOwn(value, "prototype") && arrow.test(text);
  if (!(isArrow && /\bthis\b/.test(text)) && !value.name.startsWith("bound ")) return;
  throw new ArgumentError(
    `clone: ${place} is, or has in it, a function that uses \`this\`, which would be the original still. Make it a method: name(…) { … }.`,
  );
}
