import { manualSeed } from "thaw/tensor";
import { beforeAll, describe, expect, test } from "vitest";
import { backendOf, currentBackend } from "../../../src/backends/registry.ts";
import { settings } from "../../../src/base/settings.ts";
import { movesInPyTorch } from "../../oracle/freeze/leaks.ts";
import {
  type Combination,
  combinations,
  helds,
  holds,
  holdsAverage,
  holdsStatistics,
  nameOf,
} from "./axes.ts";
import { bitsOf, differences, type Element, heldElements, trainedBits } from "./evidence.ts";
import { type Loop, makeLoop } from "./loops.ts";
import { makeWorld, neverWeight, type World } from "./network.ts";

const warmSteps = 2;
const heldSteps = 3;

/** A combination under way. */
interface Run {
  world: World;
  loop: Loop;
}

async function start(combination: Combination): Promise<Run> {
  // Dropout draws the same in every run.
  manualSeed(1);
  const world = makeWorld(combination);
  world.net.never.weight.grad = world.net.never.weight.detach();
  const loop = makeLoop(world, combination);
  for (let i = 0; i < warmSteps; i++) await loop.warm();
  return { world, loop };
}

/** The same training in a new network and a new optimizer, from what the old ones give to be saved. */
function resume(combination: Combination, { world }: Run): Run {
  const next = makeWorld(combination);
  next.net.loadStateDict(world.net.stateDict());
  next.optimizer.loadStateDict(world.optimizer.stateDict());
  return { world: next, loop: makeLoop(next, combination) };
}

/** What is held, after a run in which nothing ever was: by what a combination has to do with it. */
const neverHeld = new Map<string, Promise<Element[]>>();

function withoutHolding(combination: Combination): Promise<Element[]> {
  const { optimizer, way, surrounding, mechanism } = combination;
  const key = [optimizer, way, surrounding, mechanism].join();
  let elements = neverHeld.get(key);
  if (elements === undefined) {
    elements = (async () => {
      const { world, loop } = await start({ ...combination, what: "the whole", gradient: "null" });
      await loop.thaw();
      return heldElements(world);
    })();
    neverHeld.set(key, elements);
  }
  return elements;
}

/** Bits of what is trained at the end, with the combination that gave them first. */
const trainedWith = new Map<string, { name: string; bits: readonly Uint32Array[] }>();

/** Carries out one combination; gives what is wrong with it. */
async function prove(combination: Combination): Promise<string[]> {
  let run = await start(combination);
  const before = { held: heldElements(run.world), others: trainedBits(run.world) };
  const underContract = holds(combination);
  const { flags } = helds[combination.what];
  const isHeld = (place: number): boolean => flags[place]!;
  const wrong: string[] = [];
  for (let i = 0; i < heldSteps; i++) {
    if (combination.surrounding === "resume" && i === 1) run = resume(combination, run);
    const statistics = run.world.net.held.norm?.runningMean;
    const gathered = statistics && bitsOf(statistics);
    await run.loop.hold();
    if (!underContract) continue;
    if (statistics && equalBits(gathered!, bitsOf(statistics)) !== holdsStatistics(combination))
      wrong.push(`held step ${i}: statistics ${holdsStatistics(combination) ? "moved" : "did not move"}`);
    const moved = differences(before.held, heldElements(run.world), isHeld);
    if (run.world.ema !== null && moved.delete("average") === holdsAverage(combination))
      wrong.push(`held step ${i}: the average ${holdsAverage(combination) ? "moved" : "did not move"}`);
    if (moved.size > 0) wrong.push(`held step ${i} moved ${[...moved].join(", ")}`);
  }
  const held = heldElements(run.world);
  if (underContract) {
    const others = trainedBits(run.world);
    if (others.some((bits, i) => equalBits(bits, before.others[i]!)))
      wrong.push("something trained did not move");
    if (flags.includes(false) && !differences(before.held, held, (place) => !isHeld(place)).has("value"))
      wrong.push("the rest of the parameter did not move");
    wrong.push(...(await afterHolding(combination, run, isHeld)));
  } else
    wrong.push(
      ...leaks(
        combination,
        differences(before.held, held, () => true),
      ),
    );
  wrong.push(...neverTrained(run.world));
  return wrong;
}

/** What there is to say at the end of a combination under the contract. */
async function afterHolding(
  combination: Combination,
  run: Run,
  isHeld: (place: number) => boolean,
): Promise<string[]> {
  const wrong: string[] = [];
  const { net, optimizer } = run.world;
  const bits = [...trainedBits(run.world)];
  if (bits.some((tensor) => tensor.some(isNotFinite))) wrong.push("what is trained is not finite");
  const { optimizer: name, surrounding, mechanism, what } = combination;
  const key = [name, surrounding, mechanism, what].join();
  const first = trainedWith.get(key);
  if (first === undefined) trainedWith.set(key, { name: nameOf(combination), bits });
  else if (bits.some((tensor, i) => !equalBits(tensor, first.bits[i]!)))
    wrong.push(`what is trained differs from that of "${first.name}"`);
  await run.loop.thaw();
  const strayed = differences(await withoutHolding(combination), heldElements(run.world), isHeld);
  if (!holdsAverage(combination)) strayed.delete("average");
  if (strayed.size > 0)
    wrong.push(`after thawing ${[...strayed].join(", ")} are not as without the held steps`);
  return wrong;
}

/** Below the contract: what moves is what moves in PyTorch, and nothing else. */
function leaks(
  { optimizer, way, gradient, surrounding, mechanism }: Combination,
  moved: Set<string>,
): string[] {
  const kind = mechanism === "a gradient mask" ? "masked" : gradient;
  const clip =
    surrounding === "clipping by norm" ? "norm" : surrounding === "clipping by value" ? "value" : "none";
  const wrong: string[] = [];
  for (const [name, moves] of Object.entries(movesInPyTorch(optimizer, way, kind, clip))) {
    // Rprop's copy of the last gradient: whether a stale one is another is no question of rules.
    if (name === "prev" && gradient === "stale") continue;
    if (moved.has(name) !== moves)
      wrong.push(`${name} ${moves ? "stays, and moves" : "moves, and stays"} in PyTorch`);
  }
  return wrong;
}

/** A parameter that was never trained has its first value, and no state but Adagrad's, which exists from construction. */
function neverTrained({ net, optimizer }: World): string[] {
  const wrong: string[] = [];
  if (!equalBits(bitsOf(net.never.weight), new Uint32Array(Float32Array.from(neverWeight.flat()).buffer)))
    wrong.push("what was never trained moved");
  const parts = optimizer.parts(net.never.weight);
  if (parts.length > (optimizer.name === "Adagrad" ? 1 : 0) || parts.some(({ state }) => state.step !== 0))
    wrong.push("what was never trained has state");
  return wrong;
}

const isNotFinite = (bits: number): boolean => ((bits >>> 23) & 0xff) === 0xff;

const equalBits = (a: Uint32Array, b: Uint32Array): boolean => a.every((bits, i) => bits === b[i]);

/** Proves on one backend, named as in the registry, that what is held does not move by a bit. */
export function proveFreezing(backend: string): void {
  settings.backend = backend;
  beforeAll(() => expect(currentBackend()).toBe(backendOf(backend)));
  const all = combinations();
  const groups = new Map<string, Combination[]>();
  for (const combination of all) {
    const key = `${combination.optimizer}, ${combination.surrounding}`;
    groups.set(key, [...(groups.get(key) ?? []), combination]);
  }

  test(`at least 2,000 combinations`, () => {
    expect(all.length).toBeGreaterThanOrEqual(2000);
    expect(new Set(all.map(nameOf)).size).toBe(all.length);
  });

  describe("what is held does not move by a bit", () => {
    test.each([...groups])(
      "%s",
      async (_, members) => {
        const failures: string[] = [];
        for (const combination of members) {
          const wrong = await prove(combination).catch((error: Error) => [`${error.name}: ${error.message}`]);
          for (const what of wrong) failures.push(`${nameOf(combination)}: ${what}`);
        }
        if (failures.length > 0)
          expect.fail(`${failures.length} of ${members.length}:\n${failures.join("\n")}`);
      },
      120_000,
    );
  });
}
