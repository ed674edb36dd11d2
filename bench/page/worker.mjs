import { train } from "./workloads.mjs";

self.onmessage = ({ data }) =>
  train({ ...data, told: (what) => postMessage({ what }) }).then(
    (result) => postMessage({ result }),
    (error) => postMessage({ error: String(error.stack) }),
  );
