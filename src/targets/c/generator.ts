/** Put in place of the name by the build: a digest of the sources. */
declare const THAW_GENERATOR: string;

/**
 * What wrote a kernel's C, by which a kernel is found on disk without being lowered and printed again; null where the
 * sources run as they are, and may change.
 */
export const generator: string | null = typeof THAW_GENERATOR === "string" ? THAW_GENERATOR : null;
