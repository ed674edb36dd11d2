import "../base/dispose.ts";
import { ArgumentError } from "../base/errors.ts";
import { flag, refuseOptions } from "../base/options.ts";
import { disown, isPromiseLike } from "../base/promise.ts";
import { noteSurroundings } from "../engine/cell.ts";

/** The forward pass of a class of modules. */
type ForwardOf<M> = M extends { forward: infer F extends (...args: never[]) => unknown }
  ? F
  : (...args: unknown[]) => unknown;

/**
 * Is called after a module's forward pass, with its arguments and what it gave. What it gives itself, if anything, is
 * what the forward pass gives instead.
 */
export type ForwardHook<M> = (
  module: M,
  args: Readonly<Parameters<ForwardOf<M>>>,
  output: ReturnType<ForwardOf<M>>,
) => // biome-ignore lint/suspicious/noConfusingVoidType: a hook that gives nothing need not say so.
ReturnType<ForwardOf<M>> | undefined | void;

/**
 * Is called before a module's forward pass, with its arguments. What it gives, if anything, are the arguments instead:
 * an array of all of them, or the only one.
 */
export type ForwardPreHook<M> = (
  module: M,
  args: Readonly<Parameters<ForwardOf<M>>>,
) => // biome-ignore lint/suspicious/noConfusingVoidType: a hook that gives nothing need not say so.
Readonly<Parameters<ForwardOf<M>>> | Parameters<ForwardOf<M>>[0] | undefined | void;

/** How a hook is registered. */
export interface HookOptions {
  /** Whether it comes before those that there are; default false: after them. */
  prepend?: boolean;
}

/** A hook that has been registered, until it is removed: by hand, or at the end of a block by `using`. */
export interface HookHandle extends Disposable {
  /** Takes the hook away; once more does nothing. */
  remove(): void;
}

type Kind = "pre" | "after";
type AnyHook = (module: never, args: never, output?: never) => unknown;
interface Entry {
  readonly hook: AnyHook;
  readonly id: number;
}

/** What there is of a module that has, or had, hooks. */
interface Hooks {
  pre: readonly Entry[];
  after: readonly Entry[];
  /** A `forward` that was assigned to the module itself; without one it is its class's. */
  own: PropertyDescriptor | undefined;
  readonly property: PropertyDescriptor;
}

/**
 * Forward passes are called as the methods that they are, so a module that has hooks has a `forward` of its own
 * meanwhile, which calls them. One that has none is not touched, and costs nothing.
 */
const hooked = new WeakMap<object, Hooks>();
const ids = 2 ** 50;
const newId = (): number => Math.floor(Math.random() * ids);
/** The sum of the ids of all hooks there are: it is again what it was when those that have come have gone. */
let sum = 0;

/** Says to recordings that the hooks of some module are others: what ran without one has read nothing of it. */
function noteChange(by: number): void {
  sum = (sum + by + ids) % ids;
  noteSurroundings("hooks", sum === 0 ? "" : String(sum));
}

/** Registers a hook on a module. Throws `ArgumentError` where it has no forward pass, or the hook is no function. */
export function addHook(module: object, kind: Kind, hook: unknown, options: HookOptions = {}): HookHandle {
  const op = kind === "pre" ? "registerForwardPreHook" : "registerForwardHook";
  refuseOptions(op, options, { prepend: flag });
  const { prepend = false } = options;
  if (typeof hook !== "function")
    throw new ArgumentError(`${op}: the hook is ${typeof hook}; it must be a function`);
  if (typeof (module as { forward?: unknown }).forward !== "function")
    throw new ArgumentError(
      `${op}: ${module.constructor.name} has no forward pass, so that its hook would never run; register it on what is in it`,
    );
  const hooks = hooked.get(module) ?? install(module);
  const entry: Entry = { hook: hook as AnyHook, id: newId() };
  hooks[kind] = prepend ? [entry, ...hooks[kind]] : [...hooks[kind], entry];
  noteChange(entry.id);
  const remove = (): void => {
    if (!hooks[kind].includes(entry)) return;
    hooks[kind] = hooks[kind].filter((other) => other !== entry);
    if (hooks.pre.length + hooks.after.length === 0) uninstall(module, hooks);
    noteChange(-entry.id);
  };
  return { remove, [Symbol.dispose]: remove };
}

/** Whether a module has hooks. */
export const hasHooks = (module: object): boolean => hooked.has(module);

/** Gives a copy of a module the hooks that the module has. */
export function copyHooks(from: object, to: object): void {
  const hooks = hooked.get(from);
  for (const kind of ["pre", "after"] as const)
    for (const { hook } of hooks?.[kind] ?? []) addHook(to, kind, hook);
}

/** The `forward` that was assigned to a module itself, whatever hooks there are on it. */
export const ownForward = (module: object): PropertyDescriptor | undefined =>
  hooked.has(module) ? hooked.get(module)!.own : Object.getOwnPropertyDescriptor(module, "forward");

function install(module: object): Hooks {
  const forward = (...args: unknown[]): unknown => run(module, hooks, args);
  const hooks: Hooks = {
    pre: [],
    after: [],
    own: Object.getOwnPropertyDescriptor(module, "forward"),
    property: {
      get: () => forward,
      // Another forward that is assigned meanwhile goes beneath the hooks.
      set(value: unknown) {
        hooks.own = { value, writable: true, enumerable: true, configurable: true };
        noteChange(newId());
      },
      configurable: true,
      enumerable: false,
    },
  };
  if (!Reflect.defineProperty(module, "forward", hooks.property))
    throw new ArgumentError(
      `A hook on ${module.constructor.name}, which is sealed or frozen: hooks are put in its field forward. Register it before that.`,
    );
  hooked.set(module, hooks);
  return hooks;
}

function uninstall(module: object, hooks: Hooks): void {
  // Something else has put its own there for a while, which calls this one; without hooks, it only passes on.
  if (Object.getOwnPropertyDescriptor(module, "forward")?.get !== hooks.property.get) return;
  if (hooks.own === undefined) Reflect.deleteProperty(module, "forward");
  else Object.defineProperty(module, "forward", hooks.own);
  hooked.delete(module);
}

/** A forward pass with its hooks, of which those that there were when it began take part. */
function run(module: object, { pre, after, own }: Hooks, given: unknown[]): unknown {
  let args: readonly unknown[] = given;
  for (const { hook } of pre) {
    const other: unknown = Reflect.apply(hook, undefined, [module, args]);
    if (isPromiseLike(other)) refusePromise(module, "pre-hook", other);
    if (other !== undefined && other !== null) args = Array.isArray(other) ? other : [other];
  }
  const forward: unknown =
    own === undefined ? Reflect.get(Object.getPrototypeOf(module), "forward", module) : own.value;
  let output: unknown = Reflect.apply(forward as () => unknown, module, args as unknown[]);
  for (const { hook } of after) {
    const other: unknown = Reflect.apply(hook, undefined, [module, args, output]);
    if (isPromiseLike(other) && !isPromiseLike(output)) refusePromise(module, "hook", other);
    if (other !== undefined && other !== null) output = other;
  }
  return output;
}

function refusePromise(module: object, what: string, promise: PromiseLike<unknown>): never {
  disown(promise);
  throw new ArgumentError(
    `A forward ${what} of ${module.constructor.name} gave a promise, which nobody awaits: a hook must not be async`,
  );
}
