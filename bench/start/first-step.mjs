// One first step of a workload on the built library, as Node gets it from package.json, and how long after the start of the process it ended.
const [, , workload = "W3", more] = process.argv;
const { crossEntropy, manualSeed, mseLoss, nn, optim, randint, randn, trainStep } = await import(
  new URL("../../dist/node/index.js", import.meta.url).href
);
const { currentBackend } = await import(new URL("../../dist/node/backends/index.js", import.meta.url).href);

const makers = {
  W2: (batch) => ({
    net: new nn.Sequential(
      new nn.Linear(784, 256),
      new nn.ReLU(),
      new nn.Linear(256, 128),
      new nn.ReLU(),
      new nn.Linear(128, 10),
    ),
    optimizer: (net) => new optim.Adam(net, { lr: 1e-3 }),
    loss: crossEntropy,
    data: (size = batch) => [randn([size, 784]), randint(0, 10, [size])],
  }),
  W3: (batch) => ({
    net: new nn.Sequential(new nn.Linear(1024, 4096), new nn.ReLU(), new nn.Linear(4096, 1024)),
    optimizer: (net) => new optim.AdamW(net, { lr: 1e-3 }),
    loss: mseLoss,
    data: (size = batch) => [randn([size, 1024]), randn([size, 1024])],
  }),
};

manualSeed(0);
const { net, optimizer, loss, data } = makers[workload](workload === "W2" ? 64 : 256);
const step = trainStep(optimizer(net), {
  loss: (x, y, _what) => loss(net.forward(x), y),
  trains: (_x, _y, what) => what,
});
await step(...data(), "**");
const firstStepMs = performance.now();
const backend = currentBackend();
const kernels = backend.kernelsCompiled();
const answer = { backend: backend.name, firstStepMs, kernels };
if (more === "--more") {
  const compiledBy = async (...args) => {
    const before = backend.kernelsCompiled();
    await step(...args);
    return backend.kernelsCompiled() - before;
  };
  answer.otherBatch = await compiledBy(...data(96), "**");
  answer.otherSet = await compiledBy(...data(), ["0.**"]);
}
console.log(JSON.stringify(answer));
