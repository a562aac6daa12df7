/** Exported readers that no target stands for, and why. */
export const NOT_FUZZED: Readonly<Record<string, string>> = {};
