import { createHash } from "node:crypto";
import { freeze, trainStep } from "../../dist/index.js";
import { combinations, withheld } from "./axes.mjs";
import { batchOf, group, lossOf, networkOf, report } from "./network.mjs";

// Every rank trains with the others, and rank 0, beside that, alone on the data of all of them; after each update all are
// compared, and what no rank has trained with what it was. The argument: one in so many combinations.

/** All numbers of each element of each parameter, whatever parts its state is in: by path, then by the number's name. */
async function elementsOf({ net, optimizer, average }) {
  const found = {};
  for (const [path, p] of net.namedParameters()) {
    const of = (found[path] = { value: [...(await p.data())] });
    const size = of.value.length;
    if (average !== null) of.average = [...(await average.average.get(p).data())];
    for (const { region, state } of optimizer.parts(p)) {
      const shape = region === null ? p.shape : region.partShape;
      const places = region === null ? [...Array(size).keys()] : [...region.flat()];
      for (const [name, value] of Object.entries(state)) {
        of[name] ??= Array(size).fill(null);
        // What a row or a column has once is every element's.
        const whole = typeof value === "number" || value.shape.join() === shape.join();
        const numbers =
          typeof value === "number" ? null : [...(await (whole ? value : value.expand(shape)).data())];
        for (const [i, place] of places.entries()) of[name][place] = numbers === null ? value : numbers[i];
      }
    }
  }
  return found;
}

/** A network that trains in one combination. */
function made({ seed, make, average, trains, options }, more) {
  const net = networkOf(seed);
  const optimizer = make(net);
  const ema = average === null ? null : average(net);
  const step = trainStep(optimizer, {
    loss: lossOf(net),
    trains,
    ...options,
    ...more,
    ...(ema !== null && { ema }),
  });
  return { net, optimizer, average: ema, step };
}

const pathOf = { hiddenTask1: "hiddenTask1.weight", hiddenTask2: "hiddenTask2.weight" };
const ranks = Array.from({ length: group.size }, (_, rank) => rank);
const weights = ranks.map(() => 1 / group.size);
let [worst, compared, still] = [0, 0, 0];

/** Carries out one combination; gives what is wrong, and the hash of all that it has gone through. */
async function prove(combination) {
  const { name, options, of, taskOf, held, withholds, isOwn } = combination;
  const wrong = [];
  const hash = createHash("sha256");
  const mine = made(combination, { group });
  const { start, ...single } = options;
  const alone = group.rank === 0 && !isOwn ? made({ ...combination, options: single }, {}) : null;
  const scopes =
    held === null ? [] : [mine, alone].flatMap((at) => (at === null ? [] : [freeze(at.net, held[0])]));
  const moves = options.accumulate ?? 1;
  /** Whether any rank trains an element in the round that ends with a step. */
  const isTrained = (member, i, step) =>
    !(member === "weight" && held?.[1](i)) &&
    ranks.some((rank) => {
      if (withholds && rank === 1 && withheld.of.includes(member)) return false;
      return Array.from({ length: moves }, (_, back) => taskOf(rank, step - back)).some((task) =>
        of(task)[member]?.(i),
      );
    });
  let before = await elementsOf(mine);
  for (let s = 0; s < 3 * moves; s++) {
    const batches = ranks.map((rank) => batchOf(rank, s, taskOf(rank, s)));
    const call = () => mine.step(...batches[group.rank]);
    await (withholds && group.rank === 1 ? freeze(mine.net, withheld.selectors, call) : call());
    if (alone !== null) await alone.step.together(batches, { weights });
    if ((s + 1) % moves !== 0) continue;
    const now = await elementsOf(mine);
    const text = JSON.stringify(now);
    hash.update(text);
    if (new Set(await group.gather(text)).size > 1) wrong.push(`${name}: ranks differ after call ${s}`);
    for (const [path, numbers] of Object.entries(now)) {
      const member = Object.keys(pathOf).find((key) => pathOf[key] === path) ?? path.replace("output.", "");
      for (const [key, values] of Object.entries(numbers))
        for (const [i, value] of values.entries()) {
          if (isTrained(member, i, s)) continue;
          still++;
          // What has no state yet has none.
          if (!Object.is(before[path][key]?.[i] ?? null, value))
            wrong.push(`${name}: ${key} of ${path}[${i}] has moved in call ${s}`);
        }
    }
    before = now;
    if (alone === null) continue;
    for (const [path, numbers] of Object.entries(await elementsOf(alone)))
      for (const [key, values] of Object.entries(numbers))
        for (const [i, value] of values.entries()) {
          compared++;
          const found = now[path][key]?.[i];
          const off =
            value === null
              ? found === null
                ? 0
                : 1
              : Math.abs(found - value) / Math.max(1, Math.abs(value));
          if (off > worst) worst = off;
          if (!(off < 2e-5)) wrong.push(`${name}: ${key} of ${path}[${i}] is ${found}, not ${value}`);
        }
  }
  for (const scope of scopes) scope[Symbol.dispose]();
  return { wrong, digest: hash.digest("hex").slice(0, 8) };
}

// That a loss reaches one of the two layers is meant.
console.warn = () => {};
const problems = [];
const digests = [];
const every = Number(process.argv[2]);
for (const combination of combinations().filter((_, i) => i % every === 0)) {
  const { wrong, digest } = await prove(combination).catch((error) => ({
    wrong: [`${combination.name}: ${error.stack}`],
    digest: "",
  }));
  problems.push(...wrong);
  digests.push(digest);
  if (process.argv[3] === "loud" && group.rank === 0 && digests.length % 50 === 0)
    console.error(`${digests.length} combinations, ${problems.length} problems`);
}
const total = new Set(combinations().map(({ name }) => name)).size;
report({ total, problems: problems.slice(0, 10), count: problems.length, worst, compared, still, digests });
