export type { Captured, CaptureOptions, Plain } from "./capture.ts";
export { bumpEpoch, Cell, stateEpoch } from "./cell.ts";
export { detectAnomaly, isCheckingFinite } from "./finite.ts";
export { Profile, type ProfileOptions, type ProfileRow, profile } from "./profile.ts";
export { commit, planCounts } from "./realize.ts";
export { setThreads } from "./threads.ts";
export {
  addCheck,
  type Check,
  currentTrace,
  type Holder,
  type HostEffect,
  hostEffect,
  hostScalar,
  Resident,
  refuseWhileRecording,
  type Trace,
} from "./trace.ts";
