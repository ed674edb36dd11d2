import { inScope } from "../ir/origin.ts";
import type { Module } from "./module.ts";

/**
 * Runs `fn` with what a module's forward pass makes noted as made in it, by path: `head (Linear)`. For that each module
 * has a `forward` of its own meanwhile, which calls the one that it had.
 */
export function inScopes<T>(root: Module, fn: () => T): T {
  const undo: (() => void)[] = [];
  try {
    for (const [path, module] of root.namedModules()) {
      const { forward } = module as { forward?: unknown };
      if (typeof forward !== "function") continue;
      const own = Object.getOwnPropertyDescriptor(module, "forward");
      const name = path === "" ? module.constructor.name : `${path} (${module.constructor.name})`;
      const scoped = {
        value: (...args: unknown[]): unknown => inScope(name, () => Reflect.apply(forward, module, args)),
        configurable: true,
        enumerable: false,
        writable: true,
      };
      // A module that is sealed goes without.
      if (!Reflect.defineProperty(module, "forward", scoped)) continue;
      undo.push(() => {
        if (own === undefined) Reflect.deleteProperty(module, "forward");
        else Object.defineProperty(module, "forward", own);
      });
    }
    return fn();
  } finally {
    for (const put of undo) put();
  }
}
