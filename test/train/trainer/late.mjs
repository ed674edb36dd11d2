// A module that waits before it calls runTrainer: what it was sent until then is gone in a browser.
await new Promise((resolve) => setTimeout(resolve, 50));
await import("./train.mjs");
