import { shapeText } from "../base/shape.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { asFormer, isFormer } from "./parameter-names.ts";
import type { GroupStateDict, LoadTarget, OptimizerStateDict } from "./saved-state.ts";

/** Which parameters and groups of an optimizer those of a state dict are. */
export interface StateDictMatch {
  /** By the names of the state dict; what the module of its optimizer no longer held may be missing. */
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** Of each group of the optimizer, that of the state dict; undefined where its module holds nothing of it any more. */
  readonly groups: readonly (GroupStateDict | undefined)[];
  /** What does not fit. */
  readonly wrong: readonly string[];
}

const given = new WeakMap<OptimizerStateDict, ReadonlyMap<string, Parameter>>();

/** Remembers which parameters the names of a state dict are of, for as long as it is the same object. */
export function rememberParameters(dict: OptimizerStateDict, own: ReadonlyMap<string, Parameter>): void {
  given.set(dict, own);
}

/**
 * Finds the parameters of a state dict in an optimizer: those that the dict was made of, or else those of the same
 * names. Groups are told by their parameters, so their order does not matter.
 */
export function matchStateDict(dict: OptimizerStateDict, target: LoadTarget): StateDictMatch {
  const { names, groups } = target;
  const wrong: string[] = [];
  const mine = new Set(names.own.values());
  const nameOf = new Map([...names.own].map(([name, p]) => [p, name]));
  const parameters = new Map<string, Parameter>();
  const theirName = new Map<Parameter, string>();
  const byPlace: string[] = [];
  for (const name of dict.paramGroups.flatMap(({ params }) => params)) {
    const known = given.get(dict)?.get(name);
    const same = known !== undefined && mine.has(known);
    const p = same ? known : (names.own.get(name) ?? names.tied.get(name));
    if (p === undefined) continue;
    const other = theirName.get(p);
    if (other !== undefined)
      wrong.push(
        `${other} and ${name} are one parameter here (tied weights), and two in the state dict, each with a state of its own: untie them`,
      );
    if (!same && names.places.has(name)) byPlace.push(name);
    parameters.set(name, p);
    theirName.set(p, name);
  }
  wrong.push(...wrongPlaces(dict, target, byPlace));
  const live = (params: readonly Parameter[]): Parameter[] =>
    params.filter((p) => theirName.has(p) || !isFormer(nameOf.get(p)!));
  const liveNames = ({ params }: GroupStateDict): string[] =>
    params.filter((name) => parameters.has(name) || !isFormer(name));
  const groupOf = new Map(dict.paramGroups.flatMap((group) => group.params.map((name) => [name, group])));
  const unmatched = new Set(dict.paramGroups.filter((group) => liveNames(group).length > 0));
  const needed = groups.filter(({ params }) => live(params).length > 0).length;
  if (unmatched.size !== needed)
    wrong.push(`it has ${unmatched.size} parameter groups, the optimizer ${needed}`);
  const missing: string[] = [];
  const extra = new Set<string>();
  const matched = groups.map(({ params }, i) => {
    const here = live(params);
    const first = here.find((p) => theirName.has(p));
    const group = first && groupOf.get(theirName.get(first)!)!;
    if (group === undefined) {
      for (const p of here) missing.push(nameOf.get(p)!);
      if (here.length > 0 && unmatched.size === needed)
        wrong.push(`group ${i} lacks ${here.map((p) => nameOf.get(p)).join(", ")}`);
      return undefined;
    }
    unmatched.delete(group);
    const theirs = liveNames(group);
    const lacking = here
      .filter((p) => !theirName.has(p) || groupOf.get(theirName.get(p)!) !== group)
      .map((p) => nameOf.get(p)!);
    const more = theirs.filter((name) => !here.includes(parameters.get(name)!));
    if (lacking.length > 0) wrong.push(`group ${i} lacks ${lacking.join(", ")}`);
    if (more.length > 0) wrong.push(`group ${i} has ${more.join(", ")}, which the optimizer's has not`);
    missing.push(...lacking);
    for (const name of more) extra.add(name);
    return group;
  });
  for (const group of unmatched) for (const name of liveNames(group)) extra.add(name);
  wrong.push(...remedies(dict, target, { missing, extra: [...extra], byPlace }));
  return { parameters, groups: matched, wrong };
}

/** What is wrong with parameters that are known by their places alone. */
function wrongPlaces(
  dict: OptimizerStateDict,
  { names, optimizer }: LoadTarget,
  places: readonly string[],
): string[] {
  const wrong: string[] = [];
  const alike = new Map<string, string[]>();
  for (const place of places) {
    const p = names.own.get(place)!;
    const saved = dict.places?.[place];
    if (Array.isArray(saved) && saved.join() !== p.shape.join())
      wrong.push(`${place} has shape ${shapeText(saved)} in the state dict, and ${shapeText(p.shape)} here`);
    const kind = `${p.dtype}${shapeText(p.shape)}`;
    alike.set(kind, [...(alike.get(kind) ?? []), place]);
  }
  const hasState = (name: string): boolean =>
    Object.keys(dict.state).some((key) => key === name || key.startsWith(`${name}[`));
  for (const [kind, rivals] of alike)
    if (rivals.length > 1 && (dict.paramGroups.length > 1 || rivals.some(hasState)))
      wrong.push(
        `${rivals.join(" and ")} have no names, or not each its own, and are all ${kind}: nothing tells which is which. Make the optimizers of a module, or ` +
          `of names with parameters (new ${optimizer}(net.namedParameters())), or pass { module } to stateDict and loadStateDict, as save and load do`,
      );
  return wrong;
}

interface Differing {
  readonly missing: readonly string[];
  readonly extra: readonly string[];
  readonly byPlace: readonly string[];
}

/** Why names are missing or too many, where that can be told, and what to do about it. */
function remedies(dict: OptimizerStateDict, { names }: LoadTarget, { missing, extra }: Differing): string[] {
  const found: string[] = [];
  const theirs = new Set(dict.paramGroups.flatMap(({ params }) => params));
  for (const name of missing) {
    const tied = dict.tied?.[name];
    if (tied !== undefined)
      found.push(
        `${name} is tied to ${tied} in the state dict, and a parameter of its own here: tie it before the optimizer is made`,
      );
    else if (theirs.has(asFormer(name)))
      found.push(
        `${name} of the state dict had been replaced in its module after the optimizer was made, and was not trained: make the optimizer again after replacing`,
      );
  }
  const foreign = extra.filter((name) => names.foreign.has(name));
  if (foreign.length > 0)
    found.push(
      `${foreign.join(", ")} of the module came after this optimizer was made: make it again, or add them with addParamGroup`,
    );
  const unnamed = [...missing.filter((name) => names.places.has(name)), ...extra.filter(isPlace)];
  if (unnamed.length > 0 && foreign.length === 0)
    found.push(
      `${unnamed.join(", ")} have no names of their own, only places in a list: make both optimizers of a module, or pass { module } to stateDict and loadStateDict`,
    );
  return found;
}

const isPlace = (name: string): boolean => /^\d+\.\d+$/.test(name);
