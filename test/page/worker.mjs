import { train } from "./train.mjs";

train().then(
  (result) => postMessage({ result }),
  (error) => postMessage({ error: String(error.stack) }),
);
