// Multiply-adds and nothing else, for a second: a product of matrices that stay in a core's cache. Prints how many a second.
const built = new URL("../../dist/node/", import.meta.url);
const { capture, randn } = await import(new URL("index.js", built).href);

const side = 192;
const [a, b] = [randn([side, side]), randn([side, side])];
const product = capture((a, b) => a.matmul(b));
for (let i = 0; i < 500; i++) product(a, b);
let count = 0;
const start = performance.now();
while (performance.now() - start < 1500) for (let i = 0; i < 50; i++, count++) product(a, b);
console.log(JSON.stringify({ rate: (count * side ** 3) / (performance.now() - start) }));
