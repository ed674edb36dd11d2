// jax-js 0.1 has no freezing. Rows that are masked in the gradient, with AdamW written by hand, decay all the same.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../bench/package.json", import.meta.url));
const { init, defaultDevice, grad, jit, numpy: np } = require("@jax-js/jax");
const about = new URL("../../bench/node_modules/@jax-js/jax/package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(about, "utf8"));

await init("wasm");
defaultDevice("wasm");

const [rows, trained, steps, rate, decay] = [100, 10, 2000, 3e-4, 0.1];
const mask = np.array(Array.from({ length: rows }, (_, row) => [row < trained ? 1 : 0]));
const loss = (weight) => np.mean(np.square(weight));
const update = jit(([weight, mean, square], stepSize, correction, mask) => {
  const gradient = grad(loss)(weight.ref).mul(mask);
  const nextMean = mean.mul(0.9).add(gradient.ref.mul(0.1));
  const nextSquare = square.mul(0.999).add(np.square(gradient).mul(0.001));
  const change = stepSize.mul(nextMean.ref).div(np.sqrt(nextSquare.ref.mul(correction)).add(1e-8));
  return [weight.mul(1 - rate * decay).sub(change), nextMean, nextSquare];
});

let state = [np.ones([rows, 8]), np.zeros([rows, 8]), np.zeros([rows, 8])];
for (let step = 1; step <= steps; step++) {
  const [size, correction] = [rate / (1 - 0.9 ** step), 1 / (1 - 0.999 ** step)];
  state = update(state, np.array(size), np.array(correction), mask.ref);
}
const weight = await state[0].jsAsync();
const kept = weight[rows - 1][0];
console.log(
  `jax-js ${version}, gradient mask, AdamW: after ${steps.toLocaleString("en")} steps ${kept.toFixed(4)} of a frozen row is left`,
);
process.exitCode = kept < 0.95 ? 0 : 1;
