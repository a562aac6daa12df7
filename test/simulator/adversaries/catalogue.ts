/**
 * Every kind of adversary, by the name that a scenario calls it. `createAdversary` gives the endpoints of one that acts
 * in a run; 'none' and 'twins' (production replicas with one key, which the world builds as it builds any machine) have
 * none of this sort.
 */
import type { Bytes } from '../../../src/codec/bytes.ts';
import type { Timing } from '../../../src/consensus/host.ts';
import type { ValidatorSet } from '../../../src/consensus/types.ts';
import type { SigningKey } from '../../../src/crypto/interfaces.ts';
import type { Endpoint, SimNetwork } from '../network.ts';
import type { Prng } from '../prng.ts';
import type { Scheduler } from '../scheduler.ts';
import type { Trace } from '../trace.ts';
import { Conflicter } from './conflicter.ts';

interface AdversaryOptions {
  /** The validators that it holds. */
  readonly indexes: readonly number[];
  /** Their keys, in the same order. */
  readonly keys: readonly SigningKey[];
  readonly set: ValidatorSet;
  readonly genesisHash: Bytes;
  /** Of the honest machines. */
  readonly timing: Timing;
  readonly scheduler: Scheduler;
  readonly network: SimNetwork;
  readonly random: Prng;
  readonly trace: Trace;
  /** The one misdeed that it commits as a leader; undefined for any of them. */
  readonly specialty?: string | undefined;
}

interface Seat extends Endpoint {
  /** How often it committed each of its misdeeds. */
  readonly deeds: ReadonlyMap<string, number>;
}

type ActingKind = 'conflicter';
export type AdversaryKind = 'none' | 'twins' | ActingKind;

/** All kinds but 'none'. */
export const ADVERSARIES: readonly Exclude<AdversaryKind, 'none'>[] = ['twins', 'conflicter'];

/** One endpoint for each of `options.indexes`, in that order. */
export function createAdversary(kind: AdversaryKind, options: AdversaryOptions): readonly Seat[] {
  if (kind === 'none' || kind === 'twins') return [];
  const { indexes, keys, random, specialty, ...others } = options;
  return indexes.map(
    (index, at) =>
      new Conflicter({ ...others, index, specialty, key: keys[at]!, random: random.fork(`${index}`) }),
  );
}
