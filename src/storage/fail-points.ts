/**
 * Named fail points: places between two steps of persistence where a test can let the process die as if by
 * SIGKILL. `KRYDER_FAIL_POINT=name` dies at the first pass, `name:3` at the third. Without the variable a fail
 * point does nothing. The list is closed, so that a test can visit every one.
 */
export const FAIL_POINTS = [
  'journal.before-append',
  'journal.after-append',
  'journal.after-sync',
  'journal.after-overwrite',
  'journal.before-rename',
  'journal.after-rename',
  'journal.before-remove',
  'database.before-commit',
  'database.after-commit',
  'finalise.before-mempool',
  'outbox.before-append',
  'outbox.after-sync',
  'outbox.before-remove',
] as const;

export type FailPoint = (typeof FAIL_POINTS)[number];

const [armed, passes] = (process.env.KRYDER_FAIL_POINT ?? '').split(':');
let left = Number(passes ?? '1');

export function failPoint(name: FailPoint): void {
  if (armed !== name) return;
  left -= 1;
  if (left <= 0) process.kill(process.pid, 'SIGKILL');
}
