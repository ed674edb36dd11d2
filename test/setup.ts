import { readSettings, settings } from "../src/base/settings.ts";
import { commit } from "../src/engine/realize.ts";
import { manualSeed } from "../src/tensor/index.ts";

// Files that one worker runs share its modules: each begins with the settings of the environment, whatever the one
// before has set.
Object.assign(settings, readSettings(process.env));

// What the one before has left pending is not for this one to compute, or to fail by.
try {
  commit();
} catch {
  // A test of the file before has left something that cannot be computed.
}

// What a test draws is the same in every run: a failure can be seen again.
manualSeed(1);
