// Runs in a browser: a folder of a model in the places that a page has.
import { download, FileError } from "thaw";
import { autoModel } from "thaw/models";

/** What a model finds of a text, as bits. */
async function bitsOf(place) {
  const model = await autoModel(place);
  const made = model.forward(model.tokenizer.encode(["the quick brown fox", "a dog"]));
  return [...new Uint32Array((await made.lastHiddenState.data()).slice().buffer)].join();
}

const errorOf = (promise) =>
  promise.then(
    () => "no error",
    (error) => `${error instanceof FileError ? "FileError" : error.name}: ${error.message}`,
  );

export async function folders() {
  const before = await bitsOf("base/");
  const model = await autoModel("base/");
  await model.savePretrained("opfs:models/tuned", { onnx: ["q8"] });
  await model.savePretrained((file) => download(file));
  return {
    same: (await bitsOf("opfs:models/tuned")) === before,
    folder: (await autoModel("opfs:/models/tuned/")).folder,
    notThere: await errorOf(autoModel("opfs:models/none")),
    relative: await errorOf(autoModel("none/")),
    written: await errorOf(model.savePretrained("tuned")),
  };
}
