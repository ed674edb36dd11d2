import { crossEntropy, nn, optim, type Tensor, type TrainStepOptions, trainStep } from "thaw";
import { module, rows, type Selector } from "thaw/freeze";

/** Selectors of `trainStep`, checked by the compiler alone. */

type Task = "task1" | "task2";

class Network extends nn.Module {
  hiddenTask1 = new nn.Linear(3, 3, { bias: false });
  hiddenTask2 = new nn.Linear(2, 3, { bias: false });
  output = new nn.Linear(3, 4, { bias: false });
  forward(x: Tensor, task: Task): Tensor {
    const hidden = task === "task1" ? this.hiddenTask1 : this.hiddenTask2;
    return this.output.forward(hidden.forward(x).sigmoid());
  }
}

const net = new Network();
const optimizer = new optim.AdamW(net, { lr: 0.01 });
const ofList = new optim.AdamW(net.parameters());
const loss = (task: Task, x: Tensor, y: Tensor) => crossEntropy(net.forward(x, task), y);
declare const text: string;
declare const selector: Selector;
declare const anyModule: nn.Module;

// An optimizer remembers what it was made with.
const _module: Network = optimizer.module;
const _asDefault: optim.AdamW = optimizer;
const _each: Network[] = [
  new optim.SGD(net).module,
  new optim.Adam(net).module,
  new optim.NAdam(net).module,
  new optim.RAdam(net).module,
  new optim.Adamax(net).module,
  new optim.Adagrad(net).module,
  new optim.Adadelta(net).module,
  new optim.RMSprop(net).module,
  new optim.Rprop(net).module,
  new optim.ASGD(net).module,
];
const _perhaps: nn.Module | null = ofList.module;
// @ts-expect-error: made of a list, it has none
const _none: nn.Module = ofList.module;
const groups = new optim.AdamW([{ params: net.output, lr: 0.1 }, { params: net.hiddenTask1 }]);
const _ofGroups: nn.Module | null = groups.module;
// @ts-expect-error: null is nothing to train
new optim.AdamW(null);

// As in the README: the arguments of `trains` are those of `loss`.
const step = trainStep(optimizer, {
  loss: (task: Task, x: Tensor, y: Tensor) => crossEntropy(net.forward(x, task), y),
  trains: (task) => ["output.**", task === "task1" ? "hiddenTask1.**" : "hiddenTask2.**"],
});
const _called = (x: Tensor, y: Tensor): Promise<number> => step("task1", x, y);
// @ts-expect-error: no such task
const _wrongly = (x: Tensor, y: Tensor): Promise<number> => step("task3", x, y);
const several = trainStep(optimizer, {
  trains: (task) => (task === "task1" ? "**" : ["output.**"]),
  loss: (_: Task) => ({ loss: net.output.weight.sum(), norm: net.output.weight.norm() }),
});
const _given: Promise<{ loss: number; norm: Tensor }> = several("task1");

// Right.
trainStep(optimizer, { loss, trains: "output.**" });
trainStep(optimizer, { loss, trains: ["output.**", "!hiddenTask1.*"] });
trainStep(optimizer, { loss, trains: [] });
trainStep(optimizer, { loss, trains: /output/ });
trainStep(optimizer, { loss, trains: net.output });
trainStep(optimizer, { loss, trains: net.output.weight });
trainStep(optimizer, { loss, trains: rows("output.weight", [1]) });
trainStep(optimizer, { loss, trains: ["output.weight[2:]", (path) => path.endsWith("bias")] });
trainStep(optimizer, { loss, trains: () => [] });
trainStep(optimizer, { loss, trains: () => "output.weight" });
trainStep(optimizer, { loss, trains: (task) => (task === "task1" ? [] : ["output.**"]) });
trainStep(optimizer, { loss, trains: (_, x) => [x.ndim > 1 ? net.output : "output.**"] });
trainStep(optimizer, {
  loss,
  trains: (task) => {
    if (task === "task1") return "output.**";
    return ["output.**", (path) => path === task] as const;
  },
});
trainStep(optimizer, { loss, trains: text === "" ? "output.**" : ["output.weight"] });
trainStep(optimizer, { loss, trains: "**", freezes: [module("output"), "hiddenTask1.weight"] });

// Wrong.
// @ts-expect-error: no such module
trainStep(optimizer, { loss, trains: "outptu.**" });
// @ts-expect-error: no such parameter
trainStep(optimizer, { loss, trains: ["output.**", "output.wieght"] });
// @ts-expect-error: an exclusion of nothing
trainStep(optimizer, { loss, trains: ["**", "!hidden.**"] });
// @ts-expect-error: some of nothing
trainStep(optimizer, { loss, trains: ["outptu.weight[:3]"] });
// @ts-expect-error: rows of nothing
trainStep(optimizer, { loss, trains: [rows("outptu.weight", [1])] });
// @ts-expect-error: a function's text
trainStep(optimizer, { loss, trains: () => "outptu.**" });
// @ts-expect-error: one of two
trainStep(optimizer, { loss, trains: (task) => (task === "task1" ? "**" : ["outptu.**"]) });
trainStep(optimizer, {
  loss,
  // @ts-expect-error: in one of two tasks
  trains: (task) => ["output.**", task === "task1" ? "hiddenTask1.**" : "hidden.**"],
});
// @ts-expect-error: an array that is checked although there is a function in it
trainStep(optimizer, { loss, trains: (task) => ["outptu.**", (path) => path === task] });
// @ts-expect-error: a function of a parameter stands in an array
trainStep(optimizer, { loss, trains: (path: string) => path.endsWith("bias") });
// @ts-expect-error: a number selects nothing
trainStep(optimizer, { loss, trains: () => 3 });
// @ts-expect-error: nor does an object
trainStep(optimizer, { loss, trains: {} });
// @ts-expect-error: no such module
trainStep(optimizer, { loss, trains: "**", freezes: module("outptu") });

// Texts made of a task.
const named = (_: "Task1" | "Task2"): Tensor => net.output.weight.sum();
trainStep(optimizer, { loss: named, trains: (task) => `hidden${task}.**` });
trainStep(optimizer, { loss: named, trains: (task) => [`hidden${task}.**`, "output.**"] });
// @ts-expect-error: neither is there
trainStep(optimizer, { loss: named, trains: (task) => `hiden${task}.**` });
// @ts-expect-error: only one is
trainStep(optimizer, { loss, trains: (task) => [task === "task1" ? "output.**" : `${task}.**`] });
trainStep(optimizer, { loss: (task: string) => named(task as "Task1"), trains: (task) => [`${task}.**`] });

// The module given instead.
trainStep(ofList, { loss, module: net, trains: ["output.**"] });
trainStep(optimizer, { loss, module: net.output, trains: "weight" });
// @ts-expect-error: no such module
trainStep(ofList, { loss, module: net, trains: ["outptu.**"] });
// @ts-expect-error: a path in the optimizer's module, not in this one
trainStep(optimizer, { loss, module: net.output, trains: (_) => "output.weight" });

// Unchecked where no class, or no text, is known.
trainStep(ofList, { loss, trains: "any.path" });
trainStep(new optim.AdamW(anyModule), { loss, trains: () => ["any.path"] });
trainStep(optimizer, { loss, module: anyModule, trains: "any.path" });
trainStep(optimizer, { loss, trains: text });
trainStep(optimizer, { loss, trains: [text, "output.**"] });
trainStep(optimizer, { loss, trains: (task) => [task as string] });
trainStep(optimizer, { loss, trains: (): Selector => selector });
const chosen = (task: Task): string[] => [task];
trainStep(optimizer, { loss, trains: chosen });
declare const options: TrainStepOptions<[Task], Tensor>;
trainStep(optimizer, options);

/** A class that is a type parameter: nothing is known of it, and nothing refused. */
export function generic<M extends Network>(network: M): void {
  const made = new optim.AdamW(network);
  const _kept: M = made.module;
  trainStep(made, { loss, trains: ["output.**", "hiddenTask1.weight"] });
  trainStep(made, { loss, trains: (task) => [task === "task1" ? "output.**" : "hiddenTask1.**"] });
}

export { _asDefault, _called, _each, _given, _module, _none, _ofGroups, _perhaps, _wrongly };
