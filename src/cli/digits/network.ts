import { parseCsv } from "../../data/csv.ts";
import { type Dataset, type Subset, TensorDataset } from "../../data/dataset.ts";
import { randomSplit } from "../../data/split.ts";
import { Dropout, Linear, Module, ReLU, Sequential } from "../../nn/index.ts";
import { noGrad, type Tensor } from "../../tensor/index.ts";

/** What a digit is told from: its pixels, or the means of their blocks. */
export type Task = "pixels" | "blocks";

/** Both, in the order in which they take turns. */
export const tasks: readonly Task[] = ["pixels", "blocks"];

/** A part of the network: a task's own first layer, or what both share. */
export type Part = Task | "trunk";

/** What a step takes in, and the parts that it is meant to train; the others rest. */
export const lessons = {
  pixels: { input: "pixels", trains: ["pixels", "trunk"] },
  blocks: { input: "blocks", trains: ["blocks", "trunk"] },
  "blocks alone": { input: "blocks", trains: ["blocks"] },
} as const satisfies Record<string, { input: Task; trains: readonly Part[] }>;

/** The name of a lesson. */
export type Lesson = keyof typeof lessons;

/** The parts that rest in a lesson. */
export const restingIn = (lesson: Lesson): Part[] =>
  (["pixels", "blocks", "trunk"] as const).filter(
    (part) => !lessons[lesson].trains.some((other) => other === part),
  );

/** A batch: 64 pixels, 16 means of 2×2 blocks, and the digit. */
export type Digits = [pixels: Tensor, blocks: Tensor, labels: Tensor];

/** A first layer for each kind of input, and a trunk that both share. */
export class TwoInputs extends Module {
  pixels = new Linear(64, 128);
  blocks = new Linear(16, 128);
  trunk = new Sequential(
    new ReLU(),
    new Dropout(0.2),
    new Linear(128, 128),
    new ReLU(),
    new Dropout(0.2),
    new Linear(128, 10),
  );

  forward(x: Tensor, task: Task): Tensor {
    return this.trunk.forward(this[task].forward(x));
  }
}

/** Reads digits; a quarter of them, always the same ones, is for the test. */
export function digitsOf(csv: string): { train: Subset<Digits>; test: Subset<Digits> } {
  const table = parseCsv(csv);
  const pixels = table.narrow(1, 0, 64).div(16);
  const blocks = pixels.reshape([-1, 4, 2, 4, 2]).mean([2, 4]).reshape([-1, 16]);
  const digits: Dataset<Digits> = new TensorDataset(pixels, blocks, table.select(1, 64).to("i32"));
  const [train, test] = randomSplit(digits, [0.75, 0.25]);
  return { train, test };
}

/** The part of the rows that the network tells right, by task. */
export async function accuracies(net: TwoInputs, digits: Subset<Digits>): Promise<Record<Task, number>> {
  const [pixels, blocks, labels] = digits.all();
  const partRight = async (task: Task, x: Tensor): Promise<number> =>
    Number(await noGrad(() => net.forward(x, task).argmax(1).eq(labels).to("f32").mean()).item());
  net.eval();
  const found = { pixels: await partRight("pixels", pixels), blocks: await partRight("blocks", blocks) };
  net.train();
  return found;
}
