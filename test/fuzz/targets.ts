/** Everything that is fuzzed. A new reader of bytes from outside gets a target here; fuzz.test.ts finds those that have none. */
import { apiTargets } from './api.ts';
import { decoderTargets } from './decoders.ts';
import { fileTargets } from './files.ts';
import { journalTargets } from './journals.ts';
import { laneTargets } from './lanes.ts';
import { outboxTargets } from './outboxes.ts';
import { signedTargets } from './signed.ts';
import { streamTargets } from './streams.ts';
import type { Target } from './target.ts';

export async function allTargets(): Promise<Target[]> {
  return [
    ...decoderTargets(),
    ...signedTargets(),
    ...streamTargets(),
    ...laneTargets(),
    ...journalTargets(),
    ...outboxTargets(),
    ...(await fileTargets()),
    ...apiTargets(),
  ];
}
