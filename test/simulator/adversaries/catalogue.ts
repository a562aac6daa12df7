/**
 * Every kind of adversary, by the name that a scenario calls it. `createAdversary` gives the endpoints of one
 * that acts in a run; 'none' and 'twins' (production replicas with one key, which the world builds as it builds
 * any machine) have none of this sort.
 */
import type { Adversary, AdversaryOptions, Seat } from './base.ts';
import { Conflicter } from './conflicter.ts';
import { Equivocator } from './equivocator.ts';
import { Flooder } from './flooder.ts';
import { Forger } from './forger.ts';
import { Impersonator } from './impersonator.ts';
import { InvalidBlock } from './invalid-block.ts';
import { LateSender } from './late-sender.ts';
import { Nuller } from './nuller.ts';
import { NullifyOnly } from './nullify-only.ts';
import { Outdated } from './outdated.ts';
import { StaleParent } from './stale-parent.ts';
import { SyncLiar } from './sync-liar.ts';
import { Withholder } from './withholder.ts';
import { WrongEpoch } from './wrong-epoch.ts';

const ACTING = {
  conflicter: Conflicter,
  equivocator: Equivocator,
  nuller: Nuller,
  'nullify-only': NullifyOnly,
  impersonator: Impersonator,
  outdated: Outdated,
  'wrong-epoch': WrongEpoch,
  'stale-parent': StaleParent,
  withholder: Withholder,
  'invalid-block': InvalidBlock,
  'late-sender': LateSender,
  forger: Forger,
  'sync-liar': SyncLiar,
  flooder: Flooder,
} as const satisfies Record<string, new (options: AdversaryOptions) => Adversary>;

type ActingKind = keyof typeof ACTING;
export type AdversaryKind = 'none' | 'twins' | ActingKind;

/** All kinds but 'none'. */
export const ADVERSARIES: readonly Exclude<AdversaryKind, 'none'>[] = [
  'twins',
  ...(Object.keys(ACTING) as ActingKind[]),
];

/** One endpoint for each of `options.indexes`, in that order. */
export function createAdversary(kind: AdversaryKind, options: AdversaryOptions): readonly Seat[] {
  return kind === 'none' || kind === 'twins' ? [] : new ACTING[kind](options).seats;
}
