// Runs in a browser: checkpoints in the places that a page has.
import { download, indexedDb, loadFrom, manualSeed, nn, opfs, saveTo, saveToBytes } from "/dist/index.js";

const network = (seed) => {
  manualSeed(seed);
  return new nn.Linear(400, 300);
};
const bitsOf = (net) => net.parameters().map((p) => [...new Uint32Array(p.dataSync().slice().buffer)].join());

/** Whether what is saved to a place comes back bit for bit, over what was there before. */
async function comesBack(place) {
  const progress = [];
  await saveTo(place, { module: network(7) });
  await saveTo(
    place,
    { module: network(1) },
    { onProgress: ({ loaded, total }) => progress.push(loaded / total) },
  );
  const net = network(2);
  await loadFrom(place, { module: net });
  return `${bitsOf(net).join() === bitsOf(network(1)).join()}, ${progress[0]} to ${progress.at(-1)}`;
}

const errorOf = (promise) =>
  promise.then(
    () => "no error",
    (error) => `${error.name}: ${error.message}`,
  );

export async function places() {
  const module = network(3);
  const before = bitsOf(module).join();
  const picked = new File([saveToBytes({ module: network(1) })], "picked.safetensors");
  const fromFile = network(2);
  await loadFrom(picked, { module: fromFile });
  await saveTo(download("mine.safetensors"), { module: network(1) });
  const ended = { signal: AbortSignal.abort(new Error("enough")) };
  return {
    opfs: await comesBack(opfs("weights/of/mine.safetensors")),
    indexedDb: await comesBack(indexedDb("mine")),
    picked: bitsOf(fromFile).join() === bitsOf(network(1)).join(),
    relative: await errorOf(loadFrom("not-here.safetensors", { module })),
    page: await errorOf(loadFrom("/", { module })),
    noFile: await errorOf(loadFrom(opfs("weights/none.safetensors"), { module })),
    noEntry: await errorOf(loadFrom(indexedDb("none"), { module })),
    ended: await errorOf(saveTo(opfs("ended"), { module }, ended)),
    notThere: await errorOf(loadFrom(opfs("ended"), { module })),
    unchanged: bitsOf(module).join() === before,
  };
}
