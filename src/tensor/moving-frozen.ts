/** Whether an update is being made of what the ranks of a group have agreed on, whatever this one has frozen of it. */
let isAgreed = false;

/** Runs `fn`, where what is frozen on this rank alone moves with the other ranks. */
export function movingFrozen<T>(fn: () => T): T {
  const before = isAgreed;
  isAgreed = true;
  try {
    return fn();
  } finally {
    isAgreed = before;
  }
}

/** Whether `movingFrozen` runs. */
export const movesFrozen = (): boolean => isAgreed;
