import "../base/dispose.ts";
import { ArgumentError } from "../base/errors.ts";
import { runThen } from "../base/run-then.ts";
import { forgetFrozen, noteFrozen } from "../nn/frozen-paths.ts";
import type { Module } from "../nn/module.ts";
import type { Buffer } from "../tensor/buffer.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { minus, type Region, union } from "../tensor/region.ts";
import type { FreezeHold, FrozenBy, FrozenLayer, FrozenPart, Stored } from "../tensor/stored.ts";
import type { Checked } from "./checked.ts";
import { holdModule, type ModuleHold, modulesOf, releaseModule } from "./module-selector.ts";
import { type SelectedStored, selectStored } from "./select-stored.ts";
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
  const scope = new Scope("freeze", root, selector);
  if (fn === undefined) noteFrozen(root, scope.parameters, scope.by.text);
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
  const scope = new Scope("unfreeze", root, selector);
  if (fn === undefined) forgetFrozen(root, scope.parameters);
  return run(scope, fn);
}

/**
 * The scope or call that has frozen a parameter or buffer, or some of it, as text: `freeze(Network, "embedding.weight[:32000]")`.
 * Several, where each has frozen some that is frozen still; null where nothing is, or the flag was set by itself.
 */
export function frozenBy(member: Parameter | Buffer): string | null {
  const layers = layersOf(member);
  return layers.length === 0 ? null : [...new Set(layers.map(({ by }) => by.text))].join(" and ");
}

const none: readonly FrozenLayer[] = [];

function layersOf(p: Stored): readonly FrozenLayer[] {
  const held = p.frozenHold;
  return held !== null && held.part === frozenPart(p) ? held.layers : none;
}

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
function without(layers: readonly FrozenLayer[], region: Region | null): readonly FrozenLayer[] {
  if (layers.length === 0) return layers;
  return layers.flatMap(({ region: own, by }) => {
    const left = minus(own, region);
    return left === "none" ? [] : [{ region: left, by }];
  });
}

/** What a scope puts back. */
interface Before {
  readonly path: string;
  readonly member: Stored;
  readonly frozen: FrozenPart;
  readonly hold: FreezeHold | null;
}

/**
 * A scope or call. One is opened and closed around a single step, whose work has emptied the processor's caches: what
 * few ask for is made when they do, and nothing is looked up twice.
 */
class Scope implements FreezeScope {
  /** Stays with what it freezes until further notice: it holds on to no module. */
  readonly by: FrozenBy;
  readonly #selected: SelectedStored;
  readonly #before: Before[] = [];
  readonly #holds: ModuleHold[] = [];

  constructor(verb: "freeze" | "unfreeze", root: Module, selector: Selector) {
    const { parts, buffers, modules } = (this.#selected = selectStored(root, selector));
    this.by = { text: `${verb}(${root.constructor.name}, ${selectorText(selector)})` };
    const frozen = verb === "freeze";
    for (const [path, { parameter, region }] of parts) this.#set(path, parameter, region, frozen);
    for (const [buffer, region] of buffers) this.#set(buffer.label, buffer, region, frozen);
    for (const entry of modules)
      for (const m of modulesOf(root, entry).values())
        this.#holds.push(frozen ? holdModule(m, entry.policy, this.by) : releaseModule(m, this.by));
  }

  get parameters(): ReadonlyMap<string, Parameter> {
    return new Map([...this.#selected.parts].map(([path, { parameter }]) => [path, parameter]));
  }
  get buffers(): ReadonlyMap<string, Buffer> {
    return new Map([...this.#selected.buffers.keys()].map((buffer) => [buffer.label, buffer]));
  }

  #set(path: string, member: Stored, region: Region | null, frozen: boolean): void {
    const was = frozenPart(member);
    this.#before.push({ path, member, frozen: was, hold: member.frozenHold });
    const left = without(layersOf(member), region);
    const part = changed(was, region, frozen);
    setFrozenPart(member, part);
    member.frozenHold = { by: this.by, part, layers: frozen ? [...left, { region, by: this.by }] : left };
  }

  [Symbol.dispose](): void {
    for (const hold of this.#holds) hold.check();
    for (const { path, member } of this.#before) {
      const last = member.frozenHold?.by;
      if (last !== this.by)
        throw new ArgumentError(
          `The scope of ${this.by.text} was closed out of order: ${last?.text}, opened after it, still holds ${path}. ` +
            "Close the inner scope first (end its function or block, or dispose of it); nothing was changed.",
        );
    }
    for (const { member, frozen, hold } of this.#before) {
      setFrozenPart(member, frozen);
      member.frozenHold = hold;
    }
    for (const undo of this.#holds.reverse()) undo();
    // Closing twice changes nothing more.
    this.#before.length = 0;
    this.#holds.length = 0;
  }
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
