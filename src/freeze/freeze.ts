import "../base/dispose.ts";
import { ArgumentError } from "../base/errors.ts";
import { runThen } from "../base/run-then.ts";
import { forgetFrozen, noteFrozen } from "../nn/frozen-paths.ts";
import type { Module } from "../nn/module.ts";
import type { Buffer } from "../tensor/buffer.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { minus, type Region, union } from "../tensor/region.ts";
import type { Stored } from "../tensor/stored.ts";
import type { Checked } from "./checked.ts";
import { holdModule, type ModuleHold, ModuleSelector, modulesOf, releaseModule } from "./module-selector.ts";
import { flatten } from "./select.ts";
import { selectStored } from "./select-stored.ts";
import { type Selector, selectorText } from "./selector.ts";

/** Parameters frozen (or unfrozen) until this is disposed of, as `using` does at the end of its block. */
export interface FreezeScope extends Disposable {
  /** What it froze or unfroze, by path. */
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** The buffers among it, by path. */
  readonly buffers: ReadonlyMap<string, Buffer>;
}

/**
 * Freezes parameters: whatever their gradients, no step moves them, or their optimizer state, by a bit. With a
 * function, or a `using` declaration of what it returns, for that scope only: then each is again what it was before,
 * frozen or not. With neither, until `unfreeze`. `module("bn")` among the selectors holds a module's mode and
 * statistics as well. A buffer that is named by itself (`"bn.runningMean"`, or rows of it, `"memory[:100]"`) is not moved
 * by `Buffer.update`, in those rows.
 */
export function freeze<M extends Module, const S extends Selector>(
  root: M,
  selector: Checked<M, S, "stored">,
): FreezeScope;
export function freeze<M extends Module, const S extends Selector, T>(
  root: M,
  selector: Checked<M, S, "stored">,
  fn: () => T,
): T;
export function freeze<T>(root: Module, selector: Selector, fn?: () => T): T | FreezeScope {
  const scope = open("freeze", root, selector, true);
  if (fn === undefined)
    noteFrozen(root, scope.parameters, `freeze(${root.constructor.name}, ${selectorText(selector)})`);
  return run(scope, fn);
}

/** Unfreezes parameters, in the same three ways as `freeze`. Their `requiresGrad` stays what it is. */
export function unfreeze<M extends Module, const S extends Selector>(
  root: M,
  selector: Checked<M, S, "stored">,
): FreezeScope;
export function unfreeze<M extends Module, const S extends Selector, T>(
  root: M,
  selector: Checked<M, S, "stored">,
  fn: () => T,
): T;
export function unfreeze<T>(root: Module, selector: Selector, fn?: () => T): T | FreezeScope {
  const scope = open("unfreeze", root, selector, false);
  if (fn === undefined) forgetFrozen(root, scope.parameters);
  return run(scope, fn);
}

/** A scope, or a call. */
interface Mark {
  readonly text: string;
}

/** What a scope or call has frozen of a parameter, less what later ones have frozen or unfrozen. */
interface Layer {
  readonly region: Region | null;
  readonly text: string;
}

/** What scopes and calls have made of a parameter or buffer. */
interface Held {
  /** Who was last: a later scope that has not been closed is found by it. */
  readonly mark: Mark;
  /** What they left frozen: if something else is, the flag has been set by itself since. */
  readonly part: FrozenPart;
  readonly layers: readonly Layer[];
}

const holders = new WeakMap<Stored, Held>();

/**
 * The scope or call that has frozen a parameter or buffer, or some of it, as text: `freeze(Network, "embedding.weight[:32000]")`.
 * Several, where each has frozen some that is frozen still; null where nothing is, or the flag was set by itself.
 */
export function frozenBy(member: Parameter | Buffer): string | null {
  const layers = layersOf(member);
  return layers.length === 0 ? null : [...new Set(layers.map(({ text }) => text))].join(" and ");
}

function layersOf(p: Stored): readonly Layer[] {
  const held = holders.get(p);
  return held !== undefined && held.part === frozenPart(p) ? held.layers : [];
}

/** What a scope puts back. */
interface Before {
  readonly path: string;
  readonly member: Stored;
  readonly frozen: FrozenPart;
  readonly held: Held | undefined;
}

/** What of a parameter is frozen; null: all of it. */
type FrozenPart = Region | null | "none";

const frozenPart = (p: Stored): FrozenPart => (p.frozen ? null : (p.frozenRegion ?? "none"));

function setFrozenPart(p: Stored, part: FrozenPart): void {
  if (part === null) p.frozen = true;
  else p.frozenRegion = part === "none" ? null : part;
}

/** What is frozen once more of it, or less, is. */
function changed(before: FrozenPart, region: Region | null, frozen: boolean): FrozenPart {
  if (frozen) return before === "none" ? region : union(before, region);
  return before === "none" ? "none" : minus(before, region);
}

/** The layers that are left below a region that is frozen or unfrozen. */
function without(layers: readonly Layer[], region: Region | null): Layer[] {
  return layers.flatMap(({ region: own, text }) => {
    const left = minus(own, region);
    return left === "none" ? [] : [{ region: left, text }];
  });
}

function open(verb: string, root: Module, selector: Selector, frozen: boolean): FreezeScope {
  const { parts, buffers } = selectStored(root, selector);
  const mark: Mark = { text: `${verb}(${root.constructor.name}, ${selectorText(selector)})` };
  const before: Before[] = [];
  const set = (path: string, member: Stored, region: Region | null): void => {
    const was = frozenPart(member);
    before.push({ path, member, frozen: was, held: holders.get(member) });
    const layers = without(layersOf(member), region);
    if (frozen) layers.push({ region, text: mark.text });
    const part = changed(was, region, frozen);
    setFrozenPart(member, part);
    holders.set(member, { mark, part, layers });
  };
  for (const [path, { parameter, region }] of parts) set(path, parameter, region);
  for (const [buffer, region] of buffers) set(buffer.label, buffer, region);
  const holds = flatten(selector)
    .filter((entry) => entry instanceof ModuleSelector)
    .flatMap((entry) =>
      [...modulesOf(root, entry).values()].map((m) =>
        frozen ? holdModule(m, entry.policy, mark) : releaseModule(m, mark),
      ),
    );
  return {
    // Few ask for it, and a scope is opened for a call at a time.
    get parameters() {
      return new Map([...parts].map(([path, { parameter }]) => [path, parameter]));
    },
    get buffers() {
      return new Map([...buffers.keys()].map((buffer) => [buffer.label, buffer]));
    },
    [Symbol.dispose]: () => close(mark, before, holds),
  };
}

function close(mark: Mark, before: Before[], holds: ModuleHold[]): void {
  for (const hold of holds) hold.check();
  for (const { path, member } of before) {
    const last = holders.get(member)?.mark;
    if (last !== mark)
      throw new ArgumentError(
        `The scope of ${mark.text} was closed out of order: ${last?.text}, opened after it, still holds ${path}. ` +
          "Close the inner scope first (end its function or block, or dispose of it); nothing was changed.",
      );
  }
  for (const { member, frozen, held } of before) {
    setFrozenPart(member, frozen);
    if (held === undefined) holders.delete(member);
    else holders.set(member, held);
  }
  for (const undo of holds.reverse()) undo();
  // Closing twice changes nothing more.
  before.length = 0;
  holds.length = 0;
}

/** Runs a function inside a scope and closes it after; if that fails too, its error has the function's as its cause. */
function run<T>(scope: FreezeScope, fn: (() => T) | undefined): T | FreezeScope {
  if (fn === undefined) return scope;
  return runThen(fn, (failure) => {
    try {
      scope[Symbol.dispose]();
    } catch (error) {
      throw failure === null ? error : new ArgumentError((error as Error).message, { cause: failure.error });
    }
  });
}
