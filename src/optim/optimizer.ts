import { ArgumentError } from "../base/errors.ts";
import { Cell } from "../engine/cell.ts";
import { commit } from "../engine/realize.ts";
import { currentTrace, hostEffect } from "../engine/trace.ts";
import { Module } from "../nn/module.ts";
import { noGrad } from "../tensor/autograd.ts";
import { zerosLike } from "../tensor/create.ts";
import { like } from "../tensor/operations/elementwise.ts";
import { widen } from "../tensor/operations/promote.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { warnOfLeak } from "./leak.ts";
import { optionProblem } from "./options.ts";
import { isSwitchedOn, makeParamGroup, type OptimizerDefinition, type ParamGroup } from "./param-group.ts";
import { type GroupOptions, groupsOf, type OptimizerParams, parametersOf } from "./params.ts";
import { Scalars } from "./scalars.ts";
import {
  addTensors,
  makeState,
  numbersOf,
  type ParameterState,
  type StateTensor,
  stateDtype,
} from "./state.ts";
import { loadOptimizerState, type OptimizerStateDict, optimizerState } from "./state-dict.ts";
import { StepEffect, type Stepped } from "./step-effect.ts";
import type { Node } from "./transform.ts";

/**
 * Updates parameters from their gradients, by a chain of transforms. State belongs to the parameter, with a step
 * count of its own, and comes to be at its first step; a parameter without a gradient, or frozen, is left alone with
 * its state. `O` are the options, `S` is the state of a parameter.
 */
export abstract class Optimizer<O extends object, S extends { step: number } = ParameterState> {
  /** The groups; an option may be set at any time. */
  readonly paramGroups: ParamGroup<O>[] = [];
  /** The module whose parameters these are, where it was made with one: it gives them their names. */
  readonly module: Module | null;
  /** Whether to say once that a parameter moves although its `requiresGrad` is false. */
  warnOfLeaks = true;
  readonly #definition: OptimizerDefinition<O>;
  readonly #defaults: Partial<O>;
  readonly #names = new Map<Parameter, string>();
  readonly #states = new Map<Parameter, ParameterState>();
  /** Counts changes of groups, and of state from outside: a recorded step refers to both. */
  readonly #structure = new Cell(0);

  protected constructor(definition: OptimizerDefinition<O>, params: OptimizerParams<O>, options: Partial<O>) {
    this.#definition = definition;
    this.#defaults = options;
    this.module = params instanceof Module ? params : null;
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

  /** The state of each parameter that has been stepped: `optimizer.state.get(net.output.weight)?.expAvg`. */
  get state(): ReadonlyMap<Parameter, S> {
    return this.#states as ReadonlyMap<Parameter, unknown> as ReadonlyMap<Parameter, S>;
  }

  /** All parameters, group by group. */
  parameters(): Parameter[] {
    return this.paramGroups.flatMap((group) => group.params);
  }

  /** Parameters by name: the path in the module, the name it was given with, or else its group and place there. */
  namedParameters(): Map<string, Parameter> {
    const paths = new Map(this.module?.namedParameters().map(([path, p]) => [p, path]));
    const named = new Map<string, Parameter>();
    for (const [g, group] of this.paramGroups.entries())
      for (const [i, p] of group.params.entries()) {
        const wanted = paths.get(p) ?? this.#names.get(p) ?? p.label;
        named.set(wanted !== "" && !named.has(wanted) ? wanted : `${g}.${i}`, p);
      }
    return named;
  }

  /** Adds a group, with options of its own where given. */
  addParamGroup({ params, ...options }: GroupOptions<O>): void {
    const { name } = this.#definition;
    const named = parametersOf(name, params);
    if (named.length === 0)
      throw new ArgumentError(`${name}: a group without parameters; give it a module that has some`);
    const known = new Set(this.parameters());
    for (const [given, p] of named) {
      if (known.has(p))
        throw new ArgumentError(
          `${name}: ${given ?? (p.label || "a parameter")} is given twice; a parameter has one group`,
        );
      known.add(p);
    }
    const group = makeParamGroup(
      this.#definition,
      named.map(([, p]) => p),
      { ...this.#defaults, ...(options as Partial<O>) },
    );
    for (const [given, p] of named) if (given !== null) this.#names.set(p, given);
    this.paramGroups.push(group);
    this.#structure.value++;
  }

  #startStates(group: ParamGroup<O>): void {
    const { chain } = this.#definition;
    for (const p of group.params) {
      const state = makeState(chain, group);
      addTensors(state, chain, p, group, (option) => isSwitchedOn(group, option));
      this.#states.set(p, state);
    }
  }

  /**
   * Takes the gradients away (null), so that parameters that get none are skipped; with `setToNone: false` they
   * become zeros, which are gradients: momentum, adaptive rates and decay then move a parameter all the same.
   */
  zeroGrad({ setToNone = true }: { setToNone?: boolean } = {}): void {
    for (const p of this.parameters()) {
      const { grad } = p;
      if (grad !== null) p.grad = setToNone ? null : zerosLike(grad);
    }
  }

  /** Updates every parameter that has a gradient and is not frozen, and carries out all that is pending. */
  step(): void {
    const gradients = new Map<Parameter, Node>();
    for (const { params } of this.paramGroups)
      for (const p of params) {
        const { grad } = p;
        if (grad !== null && !p.frozen) gradients.set(p, grad.node);
      }
    if (this.warnOfLeaks) this.#lookForLeaks(gradients);
    const trace = currentTrace();
    if (trace.recording) {
      this.update(gradients);
      return;
    }
    const before = new Map(trace.writes);
    try {
      this.update(gradients);
      commit();
    } catch (error) {
      // What was assigned before the step is not the step's to lose.
      trace.writes = before;
      throw error;
    }
  }

  /** Updates the parameters that have a gradient here, frozen ones excepted, when the step is carried out. */
  update(gradients: ReadonlyMap<Parameter, Node>): void {
    const { chain } = this.#definition;
    void this.#structure.value;
    const stepped = this.#stepped(gradients);
    if (stepped.length === 0) return;
    hostEffect(new StepEffect(this.#states, stepped, chain));
    const scalars = new Scalars();
    noGrad(() => {
      for (const one of stepped) this.#write(one, gradients.get(one.parameter)!, scalars);
    });
    if (chain.some((transform) => transform.settle))
      hostEffect({
        apply: () => {
          for (const { state, group } of stepped)
            for (const transform of chain) transform.settle?.(numbersOf(state), group);
        },
        // The step's first effect puts all numbers back.
        undo: () => {},
      });
  }

  #stepped(gradients: ReadonlyMap<Parameter, Node>): Stepped<O>[] {
    const { chain } = this.#definition;
    const stepped: Stepped<O>[] = [];
    for (const group of this.paramGroups)
      for (const parameter of group.params) {
        if (!gradients.has(parameter) || parameter.frozen) continue;
        const state = this.#states.get(parameter) ?? makeState(chain, group);
        const names = addTensors(state, chain, parameter, group, (option) => isSwitchedOn(group, option));
        const added = new Map(names.map((name) => [name, state[name] as StateTensor]));
        // The effect puts them in, so that it can tell what to take out if the step fails.
        for (const name of names) delete state[name];
        stepped.push({ parameter, group, state, added });
      }
    return stepped;
  }

  /** Runs a parameter's chain and assigns what it gives. */
  #write({ parameter, group, state }: Stepped<O>, gradient: Node, scalars: Scalars): void {
    const { shape } = parameter;
    const dtype = stateDtype(parameter);
    const { chain } = this.#definition;
    let current = chain[0]!;
    const x = {
      value: widen(parameter.resident.node),
      gradient: like(gradient, shape, dtype, "gradient"),
      state: {} as Record<string, Node>,
      on: (option: string): boolean => isSwitchedOn(group, option),
      scalar: (name: string): Node => {
        const shared = current.perGroup?.[name];
        if (shared !== undefined) return scalars.get(group, shared, () => shared(group), shape, dtype);
        const own = current.perParameter![name]!;
        return scalars.get(state, own, () => own(group, numbersOf(state)), shape, dtype);
      },
    };
    for (const transform of chain) {
      current = transform;
      const names = transform.tensors?.(x.on) ?? [];
      for (const name of names) x.state[name] = (state[name] as StateTensor).resident.node;
      const change = transform.update(x);
      if (change.value !== undefined) x.value = change.value;
      if (change.gradient !== undefined) x.gradient = change.gradient;
      for (const name of names) {
        const next = change.state?.[name];
        if (next !== undefined) (state[name] as StateTensor).resident.assign(next);
      }
    }
    parameter.assign(like(x.value, shape, parameter.dtype, "update"));
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

  /** Copies of the state, by the names of the parameters, and the options of the groups. */
  stateDict(): OptimizerStateDict {
    return optimizerState(
      this.paramGroups,
      this.namedParameters(),
      this.#states,
      Object.keys(this.#definition.defaults),
    );
  }

  /** Puts back what `stateDict` gave. All of it is checked first: if anything does not fit, nothing is loaded. */
  loadStateDict(dict: OptimizerStateDict): void {
    const { name, chain, defaults } = this.#definition;
    loadOptimizerState(dict, {
      optimizer: name,
      groups: this.paramGroups,
      named: this.namedParameters(),
      states: this.#states,
      optionNames: Object.keys(defaults),
      problemOf: (option, value) => optionProblem(option, value, this.#definition.checks[option as keyof O]),
      makeState: (group) => makeState(chain, group as ParamGroup<O>),
    });
    this.#structure.value++;
  }
}
