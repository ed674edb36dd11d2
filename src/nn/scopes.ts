import { inScope } from "../ir/origin.ts";
import type { Module } from "./module.ts";

/**
 * Runs `fn` with what a module's forward pass makes noted as made in it, by path: `head (Linear)`. For that the classes
 * of the modules have another `forward` meanwhile, which calls theirs; and so has a module with one of its own.
 */
export function inScopes<T>(root: Module, fn: () => T): T {
  const undo: (() => void)[] = [];
  const names = new Map<unknown, string>();
  const wrapped = new Set<object>();
  try {
    for (const [path, module] of root.namedModules()) {
      names.set(module, path === "" ? module.constructor.name : `${path} (${module.constructor.name})`);
      for (let of: object | null = module; of !== null; of = Reflect.getPrototypeOf(of)) {
        const own = Object.getOwnPropertyDescriptor(of, "forward");
        // That of a module with hooks is behind an accessor.
        const forward: unknown = own?.get === undefined ? own?.value : own.get.call(of);
        if (typeof forward !== "function" || wrapped.has(of)) continue;
        wrapped.add(of);
        const scoped = function (this: unknown, ...args: unknown[]): unknown {
          const call = () => Reflect.apply(forward, this, args);
          const name = names.get(this);
          return name === undefined ? call() : inScope(name, call);
        };
        // What is sealed goes without.
        const { enumerable = false } = own!;
        if (
          Reflect.defineProperty(of, "forward", {
            value: scoped,
            enumerable,
            configurable: true,
            writable: true,
          })
        )
          undo.push(() => Object.defineProperty(of, "forward", own!));
      }
    }
    return fn();
  } finally {
    for (const put of undo.reverse()) put();
  }
}
