import { ArgumentError, SelectorError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { Module } from "../nn/module.ts";
import type { Buffer } from "../tensor/buffer.ts";
import { globPattern } from "./glob.ts";

/** What freezing a module means, beside the weights in it. */
export interface ModulePolicy {
  /**
   * The mode that `training` reads as in the module and all below it, whatever `train()` and `eval()` say. "eval": a
   * BatchNorm normalizes with its running statistics and a Dropout does nothing. "train": a BatchNorm normalizes with
   * those of the batch, and a Dropout drops. "keep": as `train()`, `eval()` and an outer scope say.
   */
  mode: "eval" | "train" | "keep";
  /**
   * "hold": no buffer in the module moves by `Buffer.update`, which is how a BatchNorm follows its inputs, counts
   * batches too, and how modules of one's own should. "update": they follow as the mode has it, and in eval mode a
   * BatchNorm's do not. Writes by `assign`, `copy_` and `loadStateDict` are carried out under either.
   */
  statistics: "hold" | "update";
  /** "freeze": every parameter in the module is frozen. "keep": each stays as it is. */
  parameters: "freeze" | "keep";
}

const choices: { readonly [K in keyof ModulePolicy]: readonly ModulePolicy[K][] } = {
  mode: ["eval", "train", "keep"],
  statistics: ["hold", "update"],
  parameters: ["freeze", "keep"],
};

/** Names whole modules, with what freezing them means; `module` makes one. */
export class ModuleSelector<P extends string = string> {
  /** A path, a glob over the paths of modules, or the module itself. */
  readonly target: P | Module;
  readonly policy: ModulePolicy;
  /** As errors and reports show it: `module("bn")`. */
  readonly text: string;

  constructor(target: P | Module, policy: Partial<ModulePolicy>) {
    const given = Object.entries(policy).filter(([, choice]) => choice !== undefined);
    for (const [name, choice] of given) {
      const known: readonly unknown[] | undefined = choices[name as keyof ModulePolicy];
      if (known === undefined)
        throw new ArgumentError(
          `module: a policy says ${Object.keys(choices).join(", ")}; there is no ${name}`,
        );
      if (!known.includes(choice))
        throw new ArgumentError(
          `module: ${name} is ${JSON.stringify(choice)}; it is one of ${known.map((k) => `"${k}"`).join(", ")}`,
        );
    }
    if (typeof target === "string" && target.startsWith("!"))
      throw new ArgumentError(`module: "${target}" excludes; a module selector only names`);
    this.target = target;
    this.policy = { mode: "eval", statistics: "hold", parameters: "freeze", ...Object.fromEntries(given) };
    const shown = given.map(([name, choice]) => `${name}: "${choice}"`).join(", ");
    const name = typeof target === "string" ? `"${target}"` : target.constructor.name;
    this.text = `module(${name}${shown === "" ? "" : `, { ${shown} }`})`;
  }
}

/**
 * Names a module, by path (`"encoder.bn"`), by a glob over the paths of modules (`"**.bn*"`) or itself, to be frozen as
 * a whole: its parameters, its mode, and the buffers that it updates. `"bn.weight"` or `"bn.**"` name parameters only.
 * By default parameters are frozen, buffers are held, and the mode is eval; see `ModulePolicy`. The innermost policy
 * wins where several name a module.
 */
export function module<const P extends string>(
  target: P | Module,
  policy: Partial<ModulePolicy> = {},
): ModuleSelector<P> {
  return new ModuleSelector(target, policy);
}

/** The modules of `root` that a selector names, by their first path; `SelectorError` where there is none. */
export function modulesOf(root: Module, { target, text }: ModuleSelector): Map<string, Module> {
  const paths = root.namedModules({ removeDuplicate: false });
  const pattern = typeof target === "string" ? globPattern(target) : null;
  const named = new Set(
    paths.filter(([path, m]) => (pattern === null ? m === target : pattern.test(path))).map(([, m]) => m),
  );
  if (named.size > 0) return new Map(root.namedModules().filter(([, m]) => named.has(m)));
  const name = root.constructor.name;
  const head = `${text} selects no module of ${name}.`;
  if (typeof target !== "string") throw new SelectorError(`${head} It is not part of ${name}.`);
  if (root.namedParameters({ removeDuplicate: false }).some(([path]) => path === target))
    throw new SelectorError(`${head} "${target}" is a parameter; freeze it by its path, without module().`);
  const known = paths.map(([path]) => path).filter((path) => path !== "");
  if (known.length === 0) throw new SelectorError(`${head} It has no modules inside.`);
  throw new SelectorError(`${head} Nearest: ${nearest(target, known, 3).join(", ")}.`);
}

/** Who holds modules: one object a scope, however many holds it makes. */
export interface ModuleHolder {
  /** As errors show it: `freeze(Network, module("bn"))`. */
  readonly text: string;
}

/** A hold on modules; calling it puts everything back as it was. Holds of one holder are undone last to first. */
export interface ModuleHold {
  (): void;
  /** Throws `ArgumentError` where undoing it now would be out of order: a later holder's is still in force. */
  check(): void;
}

/** Who last put a hold, not yet undone, on a module or buffer. */
const holders = new WeakMap<Module | Buffer, ModuleHolder>();

/**
 * Holds a module and everything below it to what a policy says of mode and statistics (its parameters are the
 * caller's), until what it gives is called. That throws, and changes nothing, where a later hold is still in force.
 */
export function holdModule(
  root: Module,
  { mode, statistics }: Pick<ModulePolicy, "mode" | "statistics">,
  holder: ModuleHolder = { text: `holdModule(${root.constructor.name})` },
): ModuleHold {
  return put(root, mode === "keep" ? undefined : mode === "train", statistics === "hold", holder);
}

/** Lets a module and everything below it follow `train()` and its inputs again, until what it gives is called. */
export function releaseModule(
  root: Module,
  holder: ModuleHolder = { text: `releaseModule(${root.constructor.name})` },
): ModuleHold {
  return put(root, null, false, holder);
}

/** Sets the mode (undefined: leaves it) and the buffers of a module and all below it. */
function put(
  root: Module,
  mode: boolean | null | undefined,
  held: boolean,
  holder: ModuleHolder,
): ModuleHold {
  const modes = new Map(root.modules().map((m) => [m, m.heldMode]));
  const buffers = new Map(root.buffers().map((b) => [b, b.held]));
  const before = new Map([...modes.keys(), ...buffers.keys()].map((member) => [member, holders.get(member)]));
  for (const member of before.keys()) holders.set(member, holder);
  if (mode !== undefined) for (const m of modes.keys()) m.heldMode = mode;
  for (const buffer of buffers.keys()) buffer.held = held;
  const check = (): void => {
    for (const member of before.keys()) {
      const last = holders.get(member);
      if (last !== holder)
        throw new ArgumentError(
          `The scope of ${holder.text} was closed out of order: ${last?.text}, opened after it, still holds ` +
            `${member instanceof Module ? member.constructor.name : member.label}. ` +
            "Close the inner scope first (end its function or block, or dispose of it); nothing was changed.",
        );
    }
  };
  const undo = (): void => {
    check();
    for (const [m, was] of modes) m.heldMode = was;
    for (const [buffer, was] of buffers) buffer.held = was;
    for (const [member, was] of before)
      if (was === undefined) holders.delete(member);
      else holders.set(member, was);
    // Undoing twice changes nothing more.
    for (const map of [before, modes, buffers]) map.clear();
  };
  return Object.assign(undo, { check });
}
