import { ArgumentError } from "../base/errors.ts";
import { flag, optionProblem, refuseNoOptions, refuseOptions } from "../base/options.ts";
import { refuseContext, type StateContext } from "../base/stateful.ts";
import { Cell, structureEpoch } from "../engine/cell.ts";
import { commit, withoutRefuted } from "../engine/realize.ts";
import { currentTrace, hostEffect, writingAs } from "../engine/trace.ts";
import { warnOfUnfrozenPlaces } from "../nn/frozen-paths.ts";
import { Module } from "../nn/module.ts";
import { noGrad } from "../tensor/autograd.ts";
import { zerosLike } from "../tensor/create.ts";
import { like } from "../tensor/operations/elementwise.ts";
import { widen } from "../tensor/operations/promote.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Region } from "../tensor/region.ts";
import { dtypeChanges } from "../tensor/stored.ts";
import { type ChainOutput, runChain } from "./chain.ts";
import { noteHeld } from "./holders.ts";
import { warnOfLeak } from "./leak.ts";
import {
  isSwitchedOn,
  makeParamGroup,
  type OptimizerDefinition,
  type ParamGroup,
  structuralOption,
} from "./param-group.ts";
import { type NamingOptions, nameParameters, type Origin, type ParameterNames } from "./parameter-names.ts";
import {
  type GroupOptions,
  groupsOf,
  type OptimizerParams,
  type ParamSource,
  parametersOf,
} from "./params.ts";
import { narrowTo, newPart, type Part, partShape, type Stepped } from "./part.ts";
import { PresentMap, presentState } from "./present.ts";
import { findReplaced, type Replaced, warnOfReplaced } from "./replaced.ts";
import type { OptimizerStateDict, StateOwner } from "./saved-state.ts";
import { Scalars } from "./scalars.ts";
import { addTensors, makeState } from "./state.ts";
import { optimizerState, prepareOptimizerState } from "./state-dict.ts";
import { StatePolicies, type StatePolicy } from "./state-policy.ts";
import {
  numbersOf,
  type ParameterState,
  refuseOtherDtype,
  type StateTensor,
  stateDtype,
} from "./state-tensor.ts";
import { States } from "./states.ts";
import { warnOfUnplaced } from "./steering.ts";
import { StepEffect } from "./step-effect.ts";
import type { AnyTransform, Node } from "./transform.ts";

/** One part of a parameter in one step, as graphs. */
export interface ObservedUpdate {
  readonly parameter: Parameter;
  /** Null: all of it. All nodes have the region's shape. */
  readonly region: Region | null;
  readonly value: Node;
  readonly gradient: Node;
  readonly output: ChainOutput;
  /** What the chain would make of another value or gradient, or with options off, the state being what it is. */
  readonly run: (value: Node, gradient: Node, off?: readonly string[]) => ChainOutput;
}

/**
 * Updates parameters from their gradients, by a chain of transforms. State belongs to the parameter, with a step
 * count of its own, and comes to be at its first step; a parameter without a gradient, or frozen, is left alone with
 * its state. `O` are the options, `S` is the state of a parameter, `M` the class of the
 * module that it was made with.
 */
export abstract class Optimizer<
  O extends object,
  S extends { step: number } = ParameterState,
  M extends Module | null = Module | null,
> {
  /** The groups; an option may be set at any time. */
  readonly paramGroups: ParamGroup<O>[] = [];
  /** The module whose parameters these are, where it was made with one: it gives them their names. */
  readonly module: M;
  /** Whether to say once that a parameter moves although its `requiresGrad` is false. */
  warnOfLeaks = true;
  readonly #definition: OptimizerDefinition<O>;
  readonly #defaults: Partial<O>;
  readonly #origins = new Map<Parameter, Origin>();
  readonly #states: States;
  readonly #state: ReadonlyMap<Parameter, S>;
  readonly #policies: StatePolicies<O>;
  /** Counts changes of groups, and of state from outside: a recorded step refers to both. */
  readonly #structure = new Cell(0);
  /** When parameters that their modules no longer hold were last looked for, and those that were found. */
  #structuresSeen = -1;
  #replaced: Replaced | null = null;
  readonly #observer = new Cell<((update: ObservedUpdate) => void) | null>(null);

  protected constructor(
    definition: OptimizerDefinition<O>,
    params: OptimizerParams<O, M>,
    options: Partial<O>,
  ) {
    refuseNoOptions(definition.name, options, Object.keys(definition.defaults));
    this.#definition = definition;
    this.#defaults = options;
    this.module = (params instanceof Module ? params : null) as M;
    this.#states = new States(() => this.#structure.value++);
    this.#state = new PresentMap(this.#states.single, (state) => presentState(state) as S);
    this.#policies = new StatePolicies(definition.chain, (p) => this.#groupOf(p));
    const conflict = definition.conflict?.({ ...definition.defaults, ...options });
    if (conflict) throw new ArgumentError(`${definition.name}: ${conflict}`);
    for (const group of groupsOf(definition.name, params)) this.addParamGroup(group);
    // The parameters' first values are written now, so that a step that fails cannot take them with it.
    if (!currentTrace().recording) commit();
    if (definition.stateFromStart) for (const group of this.paramGroups) this.#startStates(group);
  }

  /** Its name: `AdamW`. */
  get name(): string {
    return this.#definition.name;
  }

  /**
   * The state of each parameter that has been stepped, as it is when it is asked for:
   * `optimizer.state.get(net.output.weight)?.expAvg`. A parameter
   * whose rows or elements were trained at different times has several, and is not in here: see `parts`.
   */
  get state(): ReadonlyMap<Parameter, S> {
    return this.#state;
  }

  /** The parts of a parameter's state themselves, with the memory that they are in. */
  residentParts(parameter: Parameter): readonly Part[] {
    return this.#states.of(parameter).filter((part) => !part.dropped);
  }

  /** The states of a parameter, by the region of it (null: all of it) that each belongs to and has the shape of. */
  parts(parameter: Parameter): { readonly region: Region | null; readonly state: S }[] {
    return this.residentParts(parameter).map(({ region, state }) => ({
      region,
      state: presentState(state) as S,
    }));
  }

  /**
   * Says what becomes of the state of parameters while updates leave them out; whatever was said of them before no
   * longer holds. State that is there stays as it is until the next update.
   */
  setStatePolicy(params: ParamSource, policy: StatePolicy): void {
    const given = parametersOf(this.name, params).map(([, p]) => p);
    for (const p of given) this.#groupOf(p);
    this.#policies.set(given, policy);
    this.#structure.value++;
  }

  /** What was said by `setStatePolicy` of a parameter's state; nothing: it is kept. */
  statePolicyOf(parameter: Parameter): StatePolicy | undefined {
    return this.#policies.of(parameter);
  }

  #groupOf(parameter: Parameter): ParamGroup<O> {
    const group = this.paramGroups.find(({ params }) => params.includes(parameter));
    if (group === undefined)
      throw new ArgumentError(
        `${this.name}: ${parameter.label || "a parameter"} is not one of its parameters; add it with addParamGroup`,
      );
    return group;
  }

  /** How many updates it has carried out. */
  get updates(): number {
    return this.#states.updates;
  }

  /** All parameters, group by group. */
  parameters(): Parameter[] {
    return this.paramGroups.flatMap((group) => group.params);
  }

  /**
   * Parameters by name: the path in `module` (by default the optimizer's own), the name or path that it was given with,
   * or else its group and place there. What its module no longer holds has `former:` before its path.
   */
  namedParameters(options: NamingOptions = {}): Map<string, Parameter> {
    refuseContext("namedParameters", options);
    return new Map(this.#named(options.module).own);
  }

  #named(module: Module | null = this.module): ParameterNames {
    return nameParameters(this.paramGroups, this.#origins, this.#isOutside(module) ? this.module : module);
  }

  /** Whether a module has none of these parameters: they are another's, whose paths may be called the same. */
  #isOutside(module: Module | null): boolean {
    if (module === null || module === this.module) return false;
    const held = new Set(module.parameters());
    return !this.parameters().some((p) => held.has(p));
  }

  /** Adds a group, with options of its own where given. */
  addParamGroup({ params, ...options }: GroupOptions<O>): void {
    const { name } = this.#definition;
    const named = parametersOf(name, params);
    if (named.length === 0)
      throw new ArgumentError(`${name}: a group without parameters; give it a module that has some`);
    const known = new Set(this.parameters());
    for (const [origin, p] of named) {
      if (known.has(p))
        throw new ArgumentError(
          `${name}: ${origin.name ?? (p.label || "a parameter")} is given twice; a parameter has one group`,
        );
      known.add(p);
      this.#refuse(p, null, origin.name);
    }
    const group = makeParamGroup(
      this.#definition,
      named.map(([, p]) => p),
      { ...this.#defaults, ...(options as Partial<O>) },
    );
    for (const [origin, p] of named) this.#origins.set(p, origin);
    this.paramGroups.push(group);
    noteHeld(group.params);
    this.#structure.value++;
  }

  /** Throws where its rule is not for a parameter, or a region of one. */
  #refuse(p: Parameter, region: Region | null, known: string | null = null): void {
    const problem = this.#definition.refuses?.(p.shape, region) ?? null;
    if (problem === null) return;
    const { name } = this.#definition;
    throw new ArgumentError(
      `${name}: ${known ?? (p.label || "a parameter")}${region?.text ?? ""} ${problem}`,
    );
  }

  #startStates(group: ParamGroup<O>): void {
    for (const p of group.params) {
      const part = this.#makePart(p, group, null);
      addTensors(part, this.#definition.chain, group, (option) => isSwitchedOn(group, option));
      this.#states.add(part);
    }
  }

  #makePart(parameter: Parameter, group: ParamGroup<O>, region: Region | null): Part {
    return newPart(parameter, region, makeState(this.#definition.chain, group));
  }

  /**
   * Takes the gradients away (null), so that parameters that get none are skipped; with `setToNone: false` they
   * become zeros, which are gradients: momentum, adaptive rates and decay then move a parameter all the same.
   */
  zeroGrad(options: { setToNone?: boolean } = {}): void {
    refuseOptions("zeroGrad", options, { setToNone: flag });
    const { setToNone = true } = options;
    for (const p of this.parameters()) {
      const { grad } = p;
      if (grad !== null) p.grad = setToNone ? null : zerosLike(grad);
    }
  }

  /** The gradients that there are of what is not frozen. Says once what moves although it should not, or was replaced. */
  protected presentGradients(): Map<Parameter, Node> {
    const gradients = new Map<Parameter, Node>();
    for (const { params } of this.paramGroups)
      for (const p of params) {
        const { grad } = p;
        if (grad !== null && !p.frozen) gradients.set(p, grad.node);
      }
    if (this.warnOfLeaks) this.#lookForLeaks(gradients);
    if (structureEpoch() !== this.#structuresSeen || this.#replaced !== null)
      this.#lookForReplaced(gradients);
    return gradients;
  }

  /** Updates every parameter that has a gradient and is not frozen, and carries out all that is pending. */
  step(): void {
    const gradients = this.presentGradients();
    const trace = currentTrace();
    if (trace.recording) {
      this.update(gradients);
      return;
    }
    const writes = new Map(trace.writes);
    const events = [...trace.events];
    trace.refuted = null;
    try {
      this.update(gradients);
      commit();
    } catch (error) {
      for (const event of trace.events.splice(events.length).reverse())
        if ("effect" in event) event.effect.undo();
      // What was asked for before the step is not the step's to lose: if the commit has failed, it has undone that too.
      if (trace.events.length < events.length)
        for (const event of events) if ("effect" in event) event.effect.apply();
      trace.events = events;
      trace.writes = withoutRefuted(trace, writes);
      throw error;
    }
  }

  /**
   * Updates the parameters that have a gradient here, when the step is carried out. Of those that `regions` names,
   * only that region is trained, and the gradient has its shape. What is frozen is left out.
   */
  update(
    gradients: ReadonlyMap<Parameter, Node>,
    regions: ReadonlyMap<Parameter, Region | null> = new Map(),
  ): void {
    const { chain } = this.#definition;
    warnOfUnplaced(this.paramGroups);
    const stepped = this.#stepped(gradients, regions);
    // Read once parts have been cut, or a recording would be out of date before it is made.
    void this.#structure.value;
    if (stepped.length === 0) return;
    hostEffect(new StepEffect(this.#states, this.#policies, stepped, chain));
    const scalars = new Scalars();
    writingAs(this.name, () =>
      noGrad(() => {
        for (const [parameter, own] of groupBy(stepped, ({ part }) => part.parameter)) {
          const before = parameter.resident.node;
          const gradient = gradients.get(parameter)!;
          for (const one of own) {
            const { region } = one.part;
            const given = narrowTo(gradient, regions.get(parameter) ?? null, region);
            const next = this.#write(one, before, given, scalars);
            parameter.assign(region === null ? next : region.put(parameter.resident.node, next));
          }
        }
      }),
    );
    if (chain.some((transform) => transform.settle))
      hostEffect({
        apply: () => {
          for (const { part, group } of stepped)
            for (const transform of chain) transform.settle?.(numbersOf(part.state), group);
        },
        // The step's first effect puts all numbers back.
        undo: () => {},
      });
  }

  #stepped(
    gradients: ReadonlyMap<Parameter, Node>,
    regions: ReadonlyMap<Parameter, Region | null>,
  ): Stepped<O>[] {
    const { chain } = this.#definition;
    const stepped: Stepped<O>[] = [];
    for (const group of this.paramGroups)
      for (const parameter of group.params) {
        if (!gradients.has(parameter)) continue;
        const region = parameter.trainable(regions.get(parameter) ?? null);
        if (region === "none") continue;
        const make = (missing: Region | null): Part => this.#makePart(parameter, group, missing);
        const refuse = (piece: Region | null): void => this.#refuse(parameter, piece);
        for (const part of this.#states.cover(parameter, region, make, refuse)) {
          if (dtypeChanges() > 0)
            for (const state of Object.values(part.state))
              refuseOtherDtype(this.name, parameter, state, stateDtype(parameter));
          const names = addTensors(part, chain, group, (option) => isSwitchedOn(group, option));
          const added = new Map(names.map((name) => [name, part.state[name] as StateTensor]));
          // The effect puts them in, so that it can tell what to take out if the step fails.
          for (const name of names) delete part.state[name];
          stepped.push({ part, group, added });
        }
      }
    return stepped;
  }

  /** Assigns a part's next state; gives its next value. */
  #write({ part, group }: Stepped<O>, before: Node, given: Node, scalars: Scalars): Node {
    const { parameter, region, state } = part;
    const shape = partShape(parameter, region);
    const dtype = stateDtype(parameter);
    const { chain } = this.#definition;
    const warm = this.#policies.rewarm(parameter);
    // A rate that rises again is a part's own, and so is every number made of it.
    const options = warm === 0 ? group : withRate(group, () => warmth(part, warm));
    const value = widen(region === null ? before : region.take(before));
    const gradient = like(given, shape, dtype, "gradient");
    const run = (value: Node, gradient: Node, off: readonly string[] = []): ChainOutput =>
      runChain(chain, {
        value,
        gradient,
        state: (name) => (state[name] as StateTensor).resident.node,
        on: (option) => !off.includes(option) && isSwitchedOn(group, option),
        choice: (option) => structuralOption(group, option),
        scalar: (transform, name, to = shape) => {
          const shared = (transform as AnyTransform<O>).perGroup?.[name];
          if (shared !== undefined)
            return scalars.get(warm === 0 ? group : part, shared, () => shared(options), to, dtype);
          const own = (transform as AnyTransform<O>).perParameter![name]!;
          return scalars.get(part, own, () => own(options, numbersOf(state), shape), to, dtype);
        },
      });
    const output = run(value, gradient);
    this.#observer.value?.({ parameter, region, value, gradient, output, run });
    for (const [name, next] of output.state) (state[name] as StateTensor).resident.assign(next);
    return like(output.value, shape, parameter.dtype, "update");
  }

  /** Has `observer` see every part that a step updates, as graphs, until what it gives is called. One at a time. */
  observe(observer: (update: ObservedUpdate) => void): () => void {
    if (this.#observer.peek() !== null)
      throw new ArgumentError(
        `${this.name}: something observes it already, as audit() does; stop that first`,
      );
    this.#observer.value = observer;
    return () => {
      if (this.#observer.peek() === observer) this.#observer.value = null;
    };
  }

  #lookForLeaks(gradients: ReadonlyMap<Parameter, Node>): void {
    const leaking = [...gradients.keys()].filter((p) => !p.requiresGrad);
    if (leaking.length === 0) return;
    this.warnOfLeaks = false;
    const names = new Map([...this.namedParameters()].map(([name, p]) => [p, name]));
    warnOfLeak(
      this.name,
      leaking.map((p) => [names.get(p)!, p]),
    );
  }

  #owner(module: Module | undefined): StateOwner {
    const { name, defaults, chain } = this.#definition;
    return {
      optimizer: name,
      groups: this.paramGroups,
      names: this.#named(module),
      states: this.#states,
      optionNames: Object.keys(defaults),
      chain: chain as readonly AnyTransform<object>[],
    };
  }

  #lookForReplaced(gradients: ReadonlyMap<Parameter, Node>): void {
    if (structureEpoch() !== this.#structuresSeen) {
      this.#structuresSeen = structureEpoch();
      const found = findReplaced(this.parameters(), this.#origins);
      for (const module of found.modules) warnOfUnfrozenPlaces(module, new Set(gradients.keys()));
      this.#replaced = found.parameters.length > 0 ? found : null;
    }
    // What took their place may have its first gradient later than this step.
    if (this.#replaced !== null && warnOfReplaced(this.name, this.#replaced, new Set(this.parameters())))
      this.#replaced = null;
  }

  /** Copies of the state, by the names of the parameters (their paths in `module`), and the options of the groups. */
  stateDict(options: NamingOptions & Pick<StateContext, "live"> = {}): OptimizerStateDict {
    refuseContext("stateDict", options);
    const { module, live = false } = options;
    return optimizerState(this.#owner(module), live);
  }

  /**
   * Puts back what `stateDict` gave, each state and each group's options to the parameters of the same names, in
   * whatever order they are; give the same `module`. All of it is checked first: if anything does not fit, nothing is
   * loaded.
   */
  loadStateDict(dict: OptimizerStateDict, options: NamingOptions = {}): void {
    refuseContext("loadStateDict", options);
    this.prepareLoad(dict, options)();
  }

  /** Checks what `loadStateDict` takes; gives what puts it in place, which cannot fail. */
  prepareLoad(dict: OptimizerStateDict, { module, path }: StateContext = {}): () => void {
    // What is pending belongs to the state that is there.
    if (!currentTrace().recording) commit();
    const put = prepareOptimizerState(dict, {
      path: this.#isOutside(module ?? null) ? undefined : path,
      ...this.#owner(module),
      problemOf: (option, value) => optionProblem(option, value, this.#definition.checks[option as keyof O]),
      makePart: (p, group, region) => this.#makePart(p, group as ParamGroup<O>, region),
    });
    return () => {
      put();
      this.#structure.value++;
    };
  }
}

/** The options of a group with its rate scaled. */
const withRate = <O extends object>(group: ParamGroup<O>, factor: () => number): ParamGroup<O> =>
  Object.create(group, {
    lr: { get: () => (group as unknown as { lr: number }).lr * factor() },
  }) as ParamGroup<O>;

/** How much of its rate a part has, which rises over `updates` of its own since it was thawed. */
const warmth = ({ state, thawedAt }: Part, updates: number): number =>
  thawedAt < 0 ? 1 : Math.min(1, (state.step - thawedAt) / updates);

/** Things by what they belong to, in order. */
function groupBy<T, K>(things: readonly T[], keyOf: (thing: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const thing of things) {
    const key = keyOf(thing);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [thing]);
    else group.push(thing);
  }
  return groups;
}
