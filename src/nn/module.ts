import type { DType } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import { flag, refuseOptions } from "../base/options.ts";
import { printable, printableLines } from "../base/printable.ts";
import { bumpEpoch, Cell, structureEpoch } from "../engine/cell.ts";
import { refuseChangeWhileRecording } from "../engine/trace.ts";
import { Buffer } from "../tensor/buffer.ts";
import { zerosLike } from "../tensor/create.ts";
import { like } from "../tensor/operations/elementwise.ts";
import { Parameter } from "../tensor/parameter.ts";
import { Stored } from "../tensor/stored.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { keepWidth } from "../tensor/wide-integers.ts";
import { copyOfBits } from "./bits.ts";
import { changeDtypes } from "./change-dtypes.ts";
import { cloned } from "./cloned.ts";
import type { MatchOptions } from "./compare-state.ts";
import {
  addHook,
  type ForwardHook,
  type ForwardPreHook,
  type HookHandle,
  type HookOptions,
} from "./hooks.ts";
import { label, rootOf } from "./label.ts";
import { checkLoadOptions, type IncompatibleKeys, matchState } from "./match-state.ts";
import { noSuchPath } from "./no-such-path.ts";
import type { AtPath, ForwardAt, PathTo, Replaced } from "./path-check.ts";
import type { ofAnyClass, ownNames } from "./paths.ts";
import { sameMembers } from "./same-members.ts";
import { refuseSharedPaths } from "./shared-paths.ts";
import { stateDictTensors } from "./state-dict-entries.ts";
import { Watched } from "./watched.ts";

/** What walking a module finds in it. */
export type Member = Module | Parameter | Buffer;

/** Values by path, as `stateDict` gives and `loadStateDict` takes. */
export type StateDict = ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>;

/** Whether a walk gives what has several paths once, under its first (the default), or under all of them. */
export interface WalkOptions {
  removeDuplicate?: boolean;
}

/** The parameters of a module and all below it. */
export interface ParameterTree {
  /** Under all their paths. */
  readonly paths: readonly (readonly [string, Parameter])[];
  /** Once each, under the first of its paths. */
  readonly once: readonly (readonly [string, Parameter])[];
}

/** One module that a walk has come to, and what is in it. */
interface Visit {
  readonly path: string;
  readonly module: Module;
  readonly members: readonly [string, Member][];
  /** Whether it holds members in arrays, which can be changed without the module being told. */
  readonly hasArrays: boolean;
}

const isMember = (value: object): value is Member => value instanceof Module || value instanceof Stored;

/** The outermost module, of those that are alive, whose walk a parameter or buffer has been found by. */
export const namedFrom = (member: Parameter | Buffer): Module | null => rootOf(member) as Module | null;

/** A path one level down. */
const joinPath = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);

/**
 * A part of a network: a plain class whose parameters, buffers and submodules are its own fields (arrays of them
 * too), found by walking. What a parameter is called is the path to it: `hiddenTask1.weight`.
 *
 * Takes no arguments. A class that extends it has a `forward`, which takes and gives what it likes;
 * `net.parameters()`, `net.stateDict()` and others give what the walk finds.
 * Throws `ArgumentError` in a walk for modules or parameters in a plain object, a `Map` or a `Set`, which it does
 * not enter.
 * Source: `torch.nn.Module`.
 * Example:
 * ```ts
 * class Scale extends nn.Module {
 *   factor = new nn.Parameter(ones([1]));
 *   forward(x: Tensor) {
 *     return x.mul(this.factor);
 *   }
 * }
 * return new Scale().forward(randn([2, 3]));
 * ```
 */
export abstract class Module extends Watched {
  declare readonly [ownNames]?: keyof Module;
  readonly #training = new Cell(true);
  readonly #heldMode = new Cell<boolean | null>(null);
  #visits: readonly Visit[] | null = null;
  #visitsLooked = -1;
  #tree: (ParameterTree & { readonly visits: readonly Visit[] }) | null = null;

  constructor() {
    super();
    bumpEpoch();
  }

  /**
   * Whether dropout and the like behave as in training; see `train` and `eval`. While `heldMode` is set it reads as
   * that says; what is assigned meanwhile holds from then on.
   */
  get training(): boolean {
    return this.#heldMode.value ?? this.#training.value;
  }
  set training(value: boolean) {
    this.#training.value = value;
  }

  /** The mode in which this module is held, whatever `train` and `eval` say; null: in none. `freeze` sets it. */
  get heldMode(): boolean | null {
    return this.#heldMode.value;
  }
  set heldMode(mode: boolean | null) {
    this.#heldMode.value = mode;
  }

  /** Puts this module and all below it into training mode, or out of it. */
  train(mode = true): this {
    for (const module of this.modules()) module.training = mode;
    return this;
  }
  /** Puts this module and all below it out of training mode. */
  eval(): this {
    return this.train(false);
  }

  // Walking.

  /** Names and members, in the order in which the fields were declared; containers list their items. */
  protected members(): [string, Member][] {
    const found: [string, Member][] = [];
    const fields = this as unknown as Record<string, unknown>;
    for (const name of Object.keys(this)) collect(this, name, fields[name], found);
    return found;
  }

  /** This module under "", and all below it by path, a module before those inside it. */
  namedModules(options: WalkOptions = {}): [string, Module][] {
    refuseOptions("namedModules", options, { removeDuplicate: flag });
    const seen = new Set<Module>();
    const isNew = ({ module }: Visit): boolean => !seen.has(module) && seen.add(module) !== undefined;
    const found = options.removeDuplicate === false ? this.#walk() : this.#walk().filter(isNew);
    return found.map(({ path, module }) => [path, module]);
  }
  /** This module and all below it. */
  modules(): Module[] {
    return this.namedModules().map(([, module]) => module);
  }
  /** The modules directly inside this one, by name. */
  namedChildren(): [string, Module][] {
    const seen = new Set<Module>();
    return this.members().filter((entry): entry is [string, Module] => {
      const [, member] = entry;
      return member instanceof Module && !seen.has(member) && seen.add(member) !== undefined;
    });
  }
  /** The modules directly inside this one. */
  children(): Module[] {
    return this.namedChildren().map(([, module]) => module);
  }

  /**
   * Parameters by path: a module's own, then those of the modules inside it, each in the order of declaration. Tied
   * weights are one parameter and come once, unless `removeDuplicate` is false.
   */
  namedParameters(options: WalkOptions = {}): [string, Parameter][] {
    return this.#named(Parameter, options);
  }
  /** The parameters, tied ones once. */
  parameters(): Parameter[] {
    return this.namedParameters().map(([, parameter]) => parameter);
  }
  /** Buffers by path. */
  namedBuffers(options: WalkOptions = {}): [string, Buffer][] {
    return this.#named(Buffer, options);
  }
  /** The buffers. */
  buffers(): Buffer[] {
    return this.namedBuffers().map(([, buffer]) => buffer);
  }

  /** The parameters here and below; the same object for as long as all modules, and what is in them, stay as they are. */
  parameterTree(): ParameterTree {
    const visits = this.#walk();
    if (this.#tree?.visits !== visits)
      this.#tree = {
        visits,
        paths: this.#named(Parameter, { removeDuplicate: false }),
        once: this.#named(Parameter, { removeDuplicate: true }),
      };
    return this.#tree;
  }

  #named<T extends Parameter | Buffer>(
    kind: new (...args: never[]) => T,
    options: WalkOptions,
  ): [string, T][] {
    refuseOptions(`named${kind.name}s`, options, { removeDuplicate: flag });
    const found: [string, T][] = [];
    const seen = new Set<T>();
    for (const { path: prefix, members } of this.#walk())
      for (const [name, member] of members) {
        if (!(member instanceof kind)) continue;
        const path = joinPath(prefix, name);
        if (!seen.has(member)) label(member, path, this);
        if (options.removeDuplicate === false || !seen.has(member)) found.push([path, member]);
        seen.add(member);
      }
    return found;
  }

  /** Visits this module and all below it, each under all its paths, before those inside it. */
  #walk(): readonly Visit[] {
    const looked = this.#visitsLooked === structureEpoch();
    // To look takes less than to walk, and what has been walked stays one object.
    const same = ({ module, members, hasArrays }: Visit): boolean =>
      (looked && !hasArrays) || sameMembers(module.members(), members);
    this.#visitsLooked = structureEpoch();
    if (this.#visits?.every(same)) return this.#visits;
    this.#visits = null;
    const visits: Visit[] = [];
    const entered = new Set<Module>();
    const enter = (module: Module, path: string): void => {
      // Only what is being walked right now counts as entered: a cycle ends, another path does not.
      if (entered.has(module)) return;
      entered.add(module);
      const members = module.members();
      visits.push({ path, module, members, hasArrays: Object.values(module).some(mayHoldMembers) });
      for (const [name, member] of members) if (member instanceof Module) enter(member, joinPath(path, name));
      entered.delete(module);
    };
    enter(this, "");
    refuseSharedPaths(this.constructor.name, visits);
    return (this.#visits = visits);
  }

  // Finding by path.

  /** The module at a path, as `layers.3.attention`; "" is this one. Throws `SelectorError` where there is none. */
  getSubmodule<M extends Module, const P extends string>(
    this: M,
    path: PathTo<M, P, "module">,
  ): AtPath<M, P, "module", Module> {
    return (path === "" ? this : this.#place("getSubmodule", path, Module).member) as never;
  }
  /** The parameter at a path, any of its paths where it is tied. Throws `SelectorError` where there is none. */
  getParameter<M extends Module, const P extends string>(
    this: M,
    path: PathTo<M, P, "parameter">,
  ): AtPath<M, P, "parameter", Parameter> {
    return this.#place("getParameter", path, Parameter).member as never;
  }
  /** The buffer at a path. Throws `SelectorError` where there is none. */
  getBuffer<M extends Module, const P extends string>(
    this: M,
    path: PathTo<M, P, "buffer">,
  ): AtPath<M, P, "buffer", Buffer> {
    return this.#place("getBuffer", path, Buffer).member as never;
  }

  /**
   * Puts a module in the place of the one at a path, be it a field, in an array or in a container, and gives this
   * module, of a type that has the new one there: `net.setSubmodule("head", new nn.Linear(64, 3))`. The new one must
   * have a forward pass that can be called as that of the one before. It is trained or frozen, and in training or not,
   * as it is itself; other places of a module that was in several keep it. An optimizer does not know its parameters:
   * make it after this, or add them. Throws `SelectorError` where there is no module at the path.
   */
  setSubmodule<M extends Module, const P extends string, N extends Module>(
    this: M,
    path: PathTo<M, P, "module">,
    module: N & ForwardAt<AtPath<M, P, "module", unknown>>,
  ): Replaced<M, P, N> {
    refuseChangeWhileRecording("setSubmodule");
    if (!(module instanceof Module))
      throw new ArgumentError(`setSubmodule: what is put at "${path}" is no module, but ${typeof module}`);
    if (path === "")
      throw new ArgumentError(
        'setSubmodule: "" is the module itself, which has no place; use the new one instead',
      );
    const { owner, name } = this.#place("setSubmodule", path, Module);
    owner.setMember(name, module);
    bumpEpoch();
    return this as never;
  }

  /** Puts a module in the place of the one that `members` gives under a name. */
  protected setMember(name: string, module: Module): void {
    const segments = name.split(".");
    const key = segments.pop()!;
    let holder: object = this;
    for (const segment of segments) holder = Reflect.get(holder, segment) as object;
    if (!Reflect.set(holder, key, module))
      throw new ArgumentError(
        `setSubmodule: ${this.constructor.name}.${name} cannot be set; it is read-only, or its object is frozen`,
      );
  }

  /** What of a kind is at a path, in which module and under which name. */
  #place<T extends Member>(op: string, path: string, kind: abstract new (...args: never[]) => T) {
    for (const { path: prefix, module: owner, members } of this.#walk())
      for (const [name, member] of members)
        if (member instanceof kind && joinPath(prefix, name) === path) return { owner, name, member };
    const of = (what: Member): string =>
      what instanceof Module ? "Submodule" : what instanceof Parameter ? "Parameter" : "Buffer";
    const all = this.#walk().flatMap(({ path: prefix, members }) =>
      members.map(([name, member]) => [joinPath(prefix, name), of(member)] as const),
    );
    throw noSuchPath(op, this.constructor.name, path, all);
  }

  // Copies.

  /**
   * A module of its own with the values of this one: parameters, buffers, what of them is frozen or held, modes, hooks
   * and all other fields are as they are here. What is tied here is tied there. Gradients are not copied, and an
   * optimizer of this module is none of the other's. Arrays, plain objects, maps and sets are copied, other objects and
   * functions shared. Throws `ArgumentError` for what cannot be copied from outside: fields that are `#private`, and
   * functions in fields that use `this`, which is the original.
   */
  clone(): this {
    return cloned(this, (module) => module.#blank());
  }

  /** A module of this one's class, with its modes and without fields. */
  #blank(): this {
    const made = Reflect.construct(Module, [], this.constructor) as this;
    made.#training.value = this.#training.peek();
    made.#heldMode.value = this.#heldMode.peek();
    return made;
  }

  /**
   * Casts all floating-point parameters and buffers, and gradients, here and below, and gives this: they are the same
   * objects, frozen as they were, with values rounded where the dtype has fewer digits. Averages and optimizers keep
   * state in the dtypes that they were made with, so to or from f64 is for before they are made.
   * Throws `DTypeError` for a dtype that is not floating point; then, and where memory runs out, nothing has changed.
   */
  to(dtype: DType): this {
    refuseChangeWhileRecording("to()");
    changeDtypes([...this.parameters(), ...this.buffers()], dtype);
    return this;
  }

  // State.

  #state(): [string, Parameter | Buffer][] {
    const walk = { removeDuplicate: false };
    return [
      ...this.namedParameters(walk),
      ...this.namedBuffers(walk).filter(([, buffer]) => buffer.persistent),
    ];
  }

  /** Copies of the values of parameters and persistent buffers, by path; tied weights are under each of theirs. */
  stateDict(): Map<string, Tensor> {
    const copies = new Map<Parameter | Buffer, Tensor>();
    const copyOf = (member: Parameter | Buffer): Tensor => {
      const copy = copyOfBits(member, "stateDict()");
      keepWidth(member, copy);
      copies.set(member, copy);
      return copy;
    };
    return new Map(this.#state().map(([path, member]) => [path, copies.get(member) ?? copyOf(member)]));
  }

  /**
   * Puts the values of a state dict into parameters and buffers, which keep their dtypes: bf16 and f16 fit into f32 as
   * they are. All of it is checked first: where a shape differs, or a dtype to which it would have to be rounded, or
   * (unless `strict` is false) a path is missing or unknown, or nothing at all is found, one error lists everything
   * that is wrong, with the options that would load it, and nothing is written.
   */
  loadStateDict(dict: StateDict, options: MatchOptions = {}): IncompatibleKeys {
    checkLoadOptions("loadStateDict", options);
    const given = stateDictTensors("loadStateDict", dict);
    const members = new Map(this.#state());
    const { names, keys } = matchState("loadStateDict", this.constructor.name, given, members, options);
    // All values first: one of them may be a parameter that is itself about to be overwritten.
    const writes = [...names].map(([path, name]) => {
      const [member, source] = [members.get(path)!, given.get(name)!];
      const { shape, dtype } = member;
      const value = source.dtype === dtype ? source.node : like(source.node, shape, dtype, "loadStateDict");
      return [member, source, value] as const;
    });
    for (const [member, source, value] of writes) {
      member.assign(value);
      keepWidth(source, member);
    }
    return keys;
  }

  // All parameters at once.

  /** Sets `requiresGrad` of every parameter. */
  requiresGrad_(flag = true): this {
    for (const parameter of this.parameters()) parameter.requiresGrad = flag;
    return this;
  }
  /**
   * Takes the gradients away (null), so that an optimizer skips what gets none; with `setToNone: false` they become
   * zeros, with which an adaptive or decaying optimizer still moves a parameter.
   */
  zeroGrad(options: { setToNone?: boolean } = {}): void {
    refuseOptions("zeroGrad", options, { setToNone: flag });
    for (const parameter of this.parameters()) {
      const { grad } = parameter;
      if (grad !== null) parameter.grad = options.setToNone === false ? zerosLike(grad) : null;
    }
  }
  /** Calls `fn` on every module below this one, then on this one. */
  apply(fn: (module: Module) => void): this {
    for (const child of this.children()) child.apply(fn);
    fn(this);
    return this;
  }

  // Hooks.

  /**
   * Has a hook called after each forward pass of this module: `net.head.registerForwardHook((module, args, output) =>
   * output.mul(2))`. It sees the output, and gives another if it gives any; hooks are called in the order in which they
   * were registered. In a captured function, and so in a step's loss, hooks are part of what is recorded: what they
   * compute is done at each call, values cannot be read, and other effects happen when it is recorded. Recordings notice
   * hooks that come and go. What is called is `forward`: other methods of a module have no hooks.
   */
  registerForwardHook<M extends Module>(this: M, hook: ForwardHook<M>, options?: HookOptions): HookHandle {
    return addHook(this, "after", hook, options);
  }
  /** Has a hook called before each forward pass of this module, which may give it other arguments; see `registerForwardHook`. */
  registerForwardPreHook<M extends Module>(
    this: M,
    hook: ForwardPreHook<M>,
    options?: HookOptions,
  ): HookHandle {
    return addHook(this, "pre", hook, options);
  }

  // Printing.

  /** What stands between the brackets when it is printed. */
  extraRepr(): string {
    return "";
  }
  /** The modules below, by name, as they are printed. */
  protected childLines(): [string, string][] {
    return this.namedChildren().map(([name, child]) => [name, String(child)]);
  }
  /** The tree of modules, as PyTorch prints it. */
  override toString(): string {
    const text = printableLines(this.extraRepr());
    const extra = text === "" ? [] : text.split("\n");
    const children = this.childLines().map(
      ([name, text]) => `(${printable(name)}): ${text.replaceAll("\n", "\n  ")}`,
    );
    const name = this.constructor.name;
    if (children.length === 0 && extra.length < 2) return `${name}(${text})`;
    return `${name}(\n  ${[...extra, ...children].join("\n  ")}\n)`;
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/** A module that takes one tensor and gives one. */
export interface Layer extends Module {
  forward(x: Tensor): Tensor;
  /** Never there: types of paths know by it that this may be any layer, not one with `forward` and nothing else. */
  readonly [ofAnyClass]?: never;
}

/** Whether a field is an array that holds members, or comes to. */
const mayHoldMembers = (value: unknown): boolean =>
  Array.isArray(value) && (value.length === 0 || (typeof value[0] === "object" && value[0] !== null));

/** Adds the members in one field: itself, or what is in an array. */
function collect(module: Module, name: string, value: unknown, found: [string, Member][]): void {
  if (typeof value !== "object" || value === null) return;
  if (isMember(value)) found.push([name, value]);
  else if (Array.isArray(value)) {
    // An array that begins with a string or a number is data (a vocabulary), and may be long.
    if (value[0] !== null && typeof value[0] !== "object") return;
    for (const [i, item] of value.entries()) collect(module, `${name}.${i}`, item, found);
  } else if (hidesMembers(value))
    throw new ArgumentError(
      `${module.constructor.name}.${name} is ${value instanceof Map ? "a Map" : value instanceof Set ? "a Set" : "a plain object"} ` +
        "with modules or parameters in it, which walking does not enter. Use an array, nn.ModuleList or nn.ModuleDict.",
    );
}

/** Whether a value is a container that walking does not enter, with a member in it that would not be trained. */
function hidesMembers(value: object): boolean {
  const holds = (item: unknown): boolean => typeof item === "object" && item !== null && isMember(item);
  if (value instanceof Map || value instanceof Set) return [...value.values()].some(holds);
  return Object.getPrototypeOf(value) === Object.prototype && Object.values(value).some(holds);
}
