// Trains the two-task network of `npm start` in the page. All that is thaw's is in the first half.
import * as thaw from "thaw";

const { nn } = thaw;

class TwoInputs extends nn.Module {
  pixels = new nn.Linear(64, 128);
  blocks = new nn.Linear(16, 128);
  trunk = new nn.Sequential(
    new nn.ReLU(),
    new nn.Dropout(0.2),
    new nn.Linear(128, 128),
    new nn.ReLU(),
    new nn.Dropout(0.2),
    new nn.Linear(128, 10),
  );

  forward(x, task) {
    return this.trunk.forward(this[task].forward(x));
  }
}

const tasks = ["pixels", "blocks"];
const layers = ["pixels", "blocks", "trunk.2", "trunk.5"];
/** What each task looks at: 64 pixels, or the means of their blocks of 2×2. */
const inputs = {
  pixels: (pixels) => pixels,
  blocks: (pixels) => pixels.reshape([-1, 4, 2, 4, 2]).mean([2, 4]).reshape([-1, 16]),
};

thaw.manualSeed(0);
export const net = new TwoInputs();
const step = thaw.trainStep(new thaw.optim.AdamW(net, { lr: 2e-3, weightDecay: 0.1 }), {
  loss: (task, x, y) => thaw.crossEntropy(net.forward(x, task), y),
  trains: (task) => [`${task}.**`, "trunk.**"],
});

const table = thaw.data.parseCsv(await (await fetch("/data/digits.csv")).text());
const digits = new thaw.data.TensorDataset(table.narrow(1, 0, 64).div(16), table.select(1, 64).to("i32"));
const [train, test] = thaw.data.randomSplit(digits, [0.75, 0.25]);
const batches = new thaw.data.DataLoader(train, { batchSize: 64, shuffle: true });

const parameters = new Map(net.namedParameters());
const isFrozen = (layer) => parameters.get(`${layer}.weight`).frozen;
/** Of each parameter: its updates, and the bits that moved in steps in which it was frozen or rested. */
const fates = new Map(net.namedParameters().map(([path]) => [path, { steps: 0, leaked: 0 }]));
const facts = { step: 0, loss: "–", pixels: "–", blocks: "–" };

/** One step of a task; gives for each parameter what it was in it, and which share of its bits moved. */
async function stepOf(task, pixels, labels) {
  const stateOf = (layer) =>
    isFrozen(layer) ? "frozen" : tasks.includes(layer) && layer !== task ? "rests" : "trained";
  const states = layers.map(stateOf);
  // A step that has nothing to train is an error.
  if (!states.includes("trained")) return null;
  const before = thaw.snapshot(net);
  const loss = await step(task, inputs[task](pixels), labels);
  facts.step++;
  facts.loss = loss.toFixed(3);
  const changes = thaw.compareParameters(before, net);
  return [...fates].map(([path, fate], i) => {
    const { bitsChanged, elements } = changes.get(path);
    const state = states[i >> 1];
    if (state === "trained") fate.steps++;
    else fate.leaked += bitsChanged;
    return { state, share: bitsChanged / (32 * elements) };
  });
}

/** What a task makes of pixels, with dropout off: the part of each digit. */
function predict(task, pixels) {
  net.eval();
  const parts = thaw.noGrad(() => net.forward(inputs[task](pixels), task).softmax(1));
  net.train();
  return parts;
}

async function evaluate() {
  const [pixels, labels] = test.all();
  for (const task of tasks) {
    const right = predict(task, pixels).argmax(1).eq(labels).to("f32").mean();
    facts[task] = `${(100 * (await right.item())).toFixed(1)} %`;
  }
}

// From here on: the page.
const $ = (id) => document.getElementById(id);
const style = getComputedStyle(document.documentElement);
const map = $("map").getContext("2d");

function drawColumn(cells) {
  map.globalCompositeOperation = "copy";
  map.drawImage($("map"), -2, 0);
  map.globalCompositeOperation = "source-over";
  for (const [row, { state, share }] of cells.entries()) {
    map.globalAlpha = state === "trained" ? Math.min(1, 0.15 + 6 * share ** 2) : 1;
    map.fillStyle = style.getPropertyValue(state !== "trained" && share > 0 ? "--leak" : `--${state}`);
    map.fillRect(658, row * 36 + 2, 2, 32);
  }
  map.globalAlpha = 1;
}

for (const layer of layers) {
  const button = Object.assign(document.createElement("button"), { type: "button", id: layer });
  const show = () => {
    button.ariaPressed = String(isFrozen(layer));
    button.innerHTML = `${layer}<small>${isFrozen(layer) ? "frozen: click to thaw" : "click to freeze"}</small>`;
  };
  button.onclick = () => {
    (isFrozen(layer) ? thaw.unfreeze : thaw.freeze)(net, `${layer}.**`);
    show();
  };
  show();
  $("layers").append(button);
}

function show() {
  $("facts").textContent =
    `step ${facts.step}\nloss ${facts.loss}\npixels right ${facts.pixels}\nblocks right ${facts.blocks}`;
  $("counts").innerHTML = [...fates]
    .map(
      ([path, { steps, leaked }]) =>
        `<span>${path.split(".").at(-1)}: ${steps} steps<small>${leaked} bits at rest</small></span>`,
    )
    .join("");
}

let running = false;
let ran = Promise.resolve();

async function run() {
  for (let round = 0; running; )
    for (const [pixels, labels] of batches) {
      if (!running) break;
      const columns = [await stepOf("pixels", pixels, labels), await stepOf("blocks", pixels, labels)];
      for (const cells of columns) if (cells !== null) drawColumn(cells);
      if (columns.every((cells) => cells === null)) facts.loss = "– (all is frozen)";
      if (round++ % 20 === 0) await evaluate();
      if (round % 20 === 1) await guess();
      show();
      // A round a frame, for the eye to follow; without this it trains at full speed, and the page draws all the same.
      await new Promise(requestAnimationFrame);
    }
}

$("train").onclick = () => {
  running = !running;
  $("train").textContent = running ? "Pause" : "Train";
  if (running) ran = ran.then(run);
};

const pad = $("pad").getContext("2d", { willReadFrequently: true });

/** What is drawn as the data has it: its box as 32×32 dots, black or white, of which 4×4 are counted for a pixel. */
function drawn() {
  const { data } = pad.getImageData(0, 0, 200, 200);
  const inked = [...Array(200 * 200).keys()].filter((i) => data[4 * i + 3] > 127);
  if (inked.length === 0) return null;
  const [left, right] = bounds(inked.map((i) => i % 200));
  const [top, bottom] = bounds(inked.map((i) => Math.floor(i / 200)));
  const size = Math.max(right - left, bottom - top) + 1;
  const counts = new Array(64).fill(0);
  for (const i of inked) {
    const x = (((i % 200) - (left + right - size + 1) / 2) * 8) / size;
    const y = ((Math.floor(i / 200) - (top + bottom - size + 1) / 2) * 8) / size;
    counts[8 * Math.floor(y) + Math.floor(x)] += 64 / size ** 2;
  }
  return thaw.tensor([counts]);
}

const bounds = (all) => all.reduce(([least, most], x) => [Math.min(least, x), Math.max(most, x)], [200, 0]);

async function guess() {
  const pixels = drawn();
  const says = async (task) => {
    const parts = await predict(task, pixels).data();
    const most = Math.max(...parts);
    return `${task}: ${parts.indexOf(most)} (${(100 * most).toFixed(0)} %)`;
  };
  $("said").textContent =
    pixels === null ? "Draw a digit on the left." : (await Promise.all(tasks.map(says))).join("\n");
}

$("pad").onpointerdown = ({ offsetX, offsetY, pointerId }) => {
  $("pad").setPointerCapture(pointerId);
  Object.assign(pad, { lineWidth: 18, lineCap: "round", lineJoin: "round" });
  pad.beginPath();
  pad.moveTo(offsetX, offsetY);
};
$("pad").onpointermove = ({ offsetX, offsetY, buttons }) => {
  if (buttons === 0) return;
  pad.lineTo(offsetX, offsetY);
  pad.stroke();
};
$("pad").onpointerup = guess;
$("clear").onclick = () => {
  pad.clearRect(0, 0, 200, 200);
  guess();
};
guess();
show();
