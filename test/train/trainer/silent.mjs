// A module that is no trainer.
export const nothing = null;
