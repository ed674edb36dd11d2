import "./dispose.ts";
import { ArgumentError } from "../base/errors.ts";
import { runThen } from "../base/run-then.ts";
import type { Module } from "../nn/module.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { minus, type Region, union } from "../tensor/region.ts";
import type { Checked } from "./checked.ts";
import { holdModule, type ModuleHold, ModuleSelector, modulesOf, releaseModule } from "./module-selector.ts";
import { flatten, selectParts } from "./select.ts";
import { type Selector, selectorText } from "./selector.ts";

/** Parameters frozen (or unfrozen) until this is disposed of, as `using` does at the end of its block. */
export interface FreezeScope extends Disposable {
  /** What it froze or unfroze, by path. */
  readonly parameters: ReadonlyMap<string, Parameter>;
}

/**
 * Freezes parameters: whatever their gradients, no step moves them, or their optimizer state, by a bit. With a
 * function, or a `using` declaration of what it returns, for that scope only: then each is again what it was before,
 * frozen or not. With neither, until `unfreeze`. `module("bn")` among the selectors holds a module's mode and
 * statistics as well.
 */
export function freeze<M extends Module, const S extends Selector>(
  root: M,
  selector: Checked<M, S>,
): FreezeScope;
export function freeze<M extends Module, const S extends Selector, T>(
  root: M,
  selector: Checked<M, S>,
  fn: () => T,
): T;
export function freeze<T>(root: Module, selector: Selector, fn?: () => T): T | FreezeScope {
  return run(open("freeze", root, selector, true), fn);
}

/** Unfreezes parameters, in the same three ways as `freeze`. Their `requiresGrad` stays what it is. */
export function unfreeze<M extends Module, const S extends Selector>(
  root: M,
  selector: Checked<M, S>,
): FreezeScope;
export function unfreeze<M extends Module, const S extends Selector, T>(
  root: M,
  selector: Checked<M, S>,
  fn: () => T,
): T;
export function unfreeze<T>(root: Module, selector: Selector, fn?: () => T): T | FreezeScope {
  return run(open("unfreeze", root, selector, false), fn);
}

/** Who set a parameter's flag last: a later scope that has not been closed is found by it. */
interface Mark {
  readonly text: string;
}

const marks = new WeakMap<Parameter, Mark>();

/** The scope, or the call, that has frozen a parameter or some of it; null where its flag was set by itself. */
export const frozenBy = (parameter: Parameter): string | null => marks.get(parameter)?.text ?? null;

/** What a scope puts back. */
interface Before {
  readonly path: string;
  readonly parameter: Parameter;
  readonly frozen: Region | null | "none";
  readonly mark: Mark | undefined;
}

/** What of a parameter is frozen; null: all of it. */
const frozenPart = (p: Parameter): Region | null | "none" => (p.frozen ? null : (p.frozenRegion ?? "none"));

function setFrozenPart(p: Parameter, part: Region | null | "none"): void {
  if (part === null) p.frozen = true;
  else p.frozenRegion = part === "none" ? null : part;
}

/** What is frozen once more of it, or less, is. */
function changed(
  before: Region | null | "none",
  region: Region | null,
  frozen: boolean,
): Region | null | "none" {
  if (frozen) return before === "none" ? region : union(before, region);
  return before === "none" ? "none" : minus(before, region);
}

function open(verb: string, root: Module, selector: Selector, frozen: boolean): FreezeScope {
  const parts = selectParts(root, selector);
  const mark: Mark = { text: `${verb}(${root.constructor.name}, ${selectorText(selector)})` };
  const before: Before[] = [];
  for (const [path, { parameter, region }] of parts) {
    const was = frozenPart(parameter);
    before.push({ path, parameter, frozen: was, mark: marks.get(parameter) });
    setFrozenPart(parameter, changed(was, region, frozen));
    marks.set(parameter, mark);
  }
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
    [Symbol.dispose]: () => close(mark, before, holds),
  };
}

function close(mark: Mark, before: Before[], holds: ModuleHold[]): void {
  for (const hold of holds) hold.check();
  for (const { path, parameter } of before) {
    const last = marks.get(parameter);
    if (last !== mark)
      throw new ArgumentError(
        `The scope of ${mark.text} was closed out of order: ${last?.text}, opened after it, still holds ${path}. ` +
          "Close the inner scope first (end its function or block, or dispose of it); nothing was changed.",
      );
  }
  for (const { parameter, frozen, mark: earlier } of before) {
    setFrozenPart(parameter, frozen);
    if (earlier === undefined) marks.delete(parameter);
    else marks.set(parameter, earlier);
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
