import { manualSeed } from "thaw/tensor";
import { movesInPyTorch } from "../../oracle/freeze/leaks.ts";
import { type Combination, coupled, helds, holds, holdsAverage, holdsStatistics, nameOf } from "./axes.ts";
import {
  bitsOf,
  differences,
  type Element,
  equalBits,
  heldElements,
  isNotFinite,
  trainedBits,
} from "./evidence.ts";
import { type Loop, makeLoop } from "./loops.ts";
import { makeWorld, neverWeight, type World } from "./network.ts";

const warmSteps = 2;
const heldSteps = 2;

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
export async function prove(combination: Combination): Promise<string[]> {
  let run = await start(combination);
  const { flags } = helds[combination.what];
  const isHeld = (place: number): boolean => flags[place]!;
  const before = heldElements(run.world);
  const others = trainedBits(run.world, isHeld);
  const wrong: string[] = [];
  for (let i = 0; i < heldSteps; i++) {
    if (combination.surrounding === "resume" && i === 1) run = resume(combination, run);
    const statistics = run.world.net.held.norm?.runningMean ?? null;
    const gathered = statistics && bitsOf(statistics);
    await run.loop.hold();
    if (!holds(combination)) continue;
    const moved = differences(before, heldElements(run.world), isHeld);
    const check = (what: string, has: boolean, should: boolean): void => {
      if (has !== should) wrong.push(`held step ${i}: ${what} ${has ? "moved" : "did not move"}`);
    };
    if (statistics !== null)
      check("statistics", !equalBits(gathered!, bitsOf(statistics)), !holdsStatistics(combination));
    if (run.world.ema !== null) check("the average", moved.delete("average"), !holdsAverage(combination));
    check([...moved].join(", "), moved.size > 0, false);
  }
  if (holds(combination)) {
    for (const [i, bits] of trainedBits(run.world, isHeld).entries())
      if (bits.length > 0 && equalBits(bits, others[i]!)) wrong.push("something trained did not move");
    wrong.push(...(await afterHolding(combination, run, isHeld)));
  } else {
    const moved = differences(before, heldElements(run.world), () => true);
    wrong.push(...leaks(combination, moved));
  }
  return [...wrong, ...neverTrained(run.world)];
}

/** What there is to say at the end of a combination under the contract. */
async function afterHolding(
  combination: Combination,
  run: Run,
  isHeld: (place: number) => boolean,
): Promise<string[]> {
  const wrong: string[] = [];
  const bits = trainedBits(run.world, isHeld);
  if (bits.some((tensor) => tensor.some(isNotFinite))) wrong.push("what is trained is not finite");
  // Whatever gradient what is held would have: nothing of it is in what is trained, nor in a norm that clips it.
  const { optimizer, surrounding, mechanism, what } = combination;
  const key = [optimizer, surrounding, mechanism, what].join();
  const first = trainedWith.get(key);
  if (first === undefined) trainedWith.set(key, { name: nameOf(combination), bits });
  else if (bits.some((tensor, i) => !equalBits(tensor, first.bits[i]!)))
    wrong.push(`what is trained differs from that of "${first.name}"`);
  await run.loop.thaw();
  // The rest of a matrix that is trained apart is not what it would be in the whole; that it did not move has been seen.
  if (what !== "the whole" && coupled.has(optimizer)) return wrong;
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
