// Runs in a page: a product that is large enough to be split, on two threads if they can be had.
import { currentBackend, fromArray, setThreads } from "/dist/thaw.min.js";

const warnings = [];
console.warn = (text) => warnings.push(text);

const n = 160;
const values = Float32Array.from({ length: n * n }, (_, i) => (i % 7) - 3);
const product = async () =>
  (
    await fromArray(values, [n, n])
      .matmul(fromArray(values, [n, n]))
      .data()
  ).slice(0, 3);
const first = [...(await product())];
setThreads(2);
const backend = currentBackend();
const settled = () => backend.threads === 1 || backend.workersReady === backend.threads - 1;
for (let i = 0; i < 500 && !(i > 5 && settled()); i++)
  await new Promise((resolve) => setTimeout(resolve, 20));
const same = String(await product()) === String(first);
// Policies stand in the way of what would ask the page for it.
document.title = JSON.stringify({
  backend: backend.name,
  threads: backend.threads,
  described: backend.describe(),
  warnings,
  same,
});
