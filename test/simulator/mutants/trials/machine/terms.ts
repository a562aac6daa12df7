/** The timing that the replica under test is given, and what a broken promise is. */
export const TIMING = {
  blockInterval: 100,
  delta: 50,
  executionBudget: 80,
  resendInterval: 200,
  standstill: 1_500,
  standstillBytesPerSecond: 16_384,
};

/** A timer that fires at its deadline does so within this. */
export const SLACK = 2;

export class Violation extends Error {
  readonly invariant: string;

  constructor(invariant: string, detail: string) {
    super(detail);
    this.invariant = invariant;
  }
}

export function must(holds: boolean, invariant: string, detail: () => string): void {
  if (!holds) throw new Violation(invariant, detail());
}
