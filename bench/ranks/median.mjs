/** The middle one of some numbers. */
export const median = (values) => Float64Array.from(values).sort()[values.length >> 1];
