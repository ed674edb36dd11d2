export type { Captured, CaptureOptions, Plain } from "./capture.ts";
export { bumpEpoch, Cell, stateEpoch } from "./cell.ts";
export { detectAnomaly, isCheckingFinite } from "./finite.ts";
export { commit, planCounts } from "./realize.ts";
export {
  addCheck,
  type Check,
  currentTrace,
  type HostEffect,
  type Holder,
  hostEffect,
  hostScalar,
  refuseWhileRecording,
  Resident,
  type Trace,
} from "./trace.ts";
