// What every bundle does: trains README's network, and says what came of it.
import { crossEntropy, currentBackend, manualSeed, nn, optim, randint, randn, trainStep } from "thaw";

class Network extends nn.Module {
  hiddenTask1 = new nn.Linear(3, 3, { bias: false });
  hiddenTask2 = new nn.Linear(2, 3, { bias: false });
  output = new nn.Linear(3, 4, { bias: false });

  forward(x, task) {
    const hidden = task === "task1" ? this.hiddenTask1 : this.hiddenTask2;
    return this.output.forward(hidden.forward(x).sigmoid());
  }
}

async function train() {
  manualSeed(0);
  const net = new Network();
  const step = trainStep(new optim.AdamW(net, { lr: 0.01 }), {
    loss: (task, x, y) => crossEntropy(net.forward(x, task), y),
    trains: (task) => ["output.**", task === "task1" ? "hiddenTask1.**" : "hiddenTask2.**"],
  });
  const [x1, x2, y] = [randn([10, 3]), randn([10, 2]), randint(0, 4, [10])];
  const losses = [];
  for (let i = 0; i < 20; i++) losses.push(await step("task1", x1, y), await step("task2", x2, y));
  let refused = "";
  try {
    x1.reshape([7]);
  } catch (error) {
    refused = error.name;
  }
  return { backend: currentBackend().name, losses, report: String(step.report()), refused };
}

train().then(
  (result) => {
    if (typeof document === "undefined") console.log(JSON.stringify(result));
    else document.title = JSON.stringify(result);
  },
  (error) => {
    if (typeof document === "undefined") throw error;
    document.title = JSON.stringify({ error: `${error.name}: ${error.message}` });
  },
);
