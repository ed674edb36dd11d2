import type { Parameter } from "../tensor/parameter.ts";
import type { Region } from "../tensor/region.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ParamGroup } from "./param-group.ts";
import type { ParameterNames } from "./parameter-names.ts";
import type { Part } from "./part.ts";
import type { States } from "./states.ts";
import type { AnyTransform } from "./transform.ts";

/** The options of a group, and the names of its parameters. */
export interface GroupStateDict {
  params: string[];
  initialLr?: number;
  [option: string]: unknown;
}

/**
 * An optimizer's state as data: by parameter name, numbers and tensors; and the groups. The state of a part has the
 * region's text after the name, with `dim` (-1: single elements) and `indices` to say what it is the state of. `idle`
 * counts the updates since a state's last step, `thawedAt` is the step count from which a rate rises again.
 */
export interface OptimizerStateDict {
  /** The optimizer's name: state goes back into one of the same. */
  name?: string;
  state: Record<string, Record<string, number | Tensor>>;
  paramGroups: GroupStateDict[];
  /** Updates carried out so far. */
  updates?: number;
  /** Whether a schedule has taken a step, so that its state is needed too to go on. */
  scheduled?: boolean;
  /** Further paths of tied parameters, and the names of what they lead to. */
  tied?: Record<string, string>;
  /** The shapes of parameters whose names are but places: group and index. */
  places?: Record<string, number[]>;
}

type Groups = readonly ParamGroup<object>[];

/** What saving and loading need to know of an optimizer. */
export interface StateOwner {
  readonly optimizer: string;
  readonly groups: Groups;
  readonly names: ParameterNames;
  readonly states: States;
  readonly optionNames: readonly string[];
  readonly chain: readonly AnyTransform<object>[];
}

/** What loading needs to know of an optimizer beside. */
export interface LoadTarget extends StateOwner {
  /** What is called here what the state calls so; nothing: all is called the same. */
  readonly path?: ((name: string) => string) | undefined;
  readonly problemOf: (option: string, value: unknown) => string | null;
  readonly makePart: (p: Parameter, group: ParamGroup<object>, region: Region | null) => Part;
}
