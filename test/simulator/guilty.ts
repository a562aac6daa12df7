/**
 * Who breaks the rules in a run: adversaries by name. One adversary holds one or several validators; each of them is
 * an endpoint of the network. *Twins* are not in this table: they are production replicas that share a key.
 */
import type { Bytes } from '../../src/codec/bytes.ts';
import type { Timing } from '../../src/consensus/host.ts';
import type { ValidatorSet } from '../../src/consensus/types.ts';
import type { SigningKey } from '../../src/crypto/interfaces.ts';
import { Adversary, type Deed } from './adversary.ts';
import type { Endpoint, SimNetwork } from './network.ts';
import type { Prng } from './prng.ts';
import type { Scheduler } from './scheduler.ts';
import type { Trace } from './trace.ts';

export interface GuiltyOptions {
  /** The validators that it holds, and their keys in the same order. */
  readonly indexes: readonly number[];
  readonly keys: readonly SigningKey[];
  readonly set: ValidatorSet;
  readonly genesisHash: Bytes;
  /** Of the honest machines. */
  readonly timing: Timing;
  readonly scheduler: Scheduler;
  readonly network: SimNetwork;
  readonly random: Prng;
  readonly trace: Trace;
  readonly specialty: Deed | undefined;
}

export interface Guilty {
  readonly seats: readonly Endpoint[];
  /** How often it did what, so far. */
  deeds(): Iterable<readonly [string, number]>;
}

type Make = (options: GuiltyOptions) => Guilty;

const MAKERS = {
  conflicter: ({ indexes, keys, ...options }) => {
    const seats = indexes.map(
      (index, at) =>
        new Adversary({ ...options, index, key: keys[at]!, random: options.random.fork(`${index}`) }),
    );
    return { seats, deeds: () => seats.flatMap(({ deeds }) => [...deeds]) };
  },
} as const satisfies Readonly<Record<string, Make>>;

export type GuiltyKind = keyof typeof MAKERS;
export const GUILTY_KINDS = Object.keys(MAKERS) as readonly GuiltyKind[];

export function makeGuilty(kind: GuiltyKind, options: GuiltyOptions): Guilty {
  return MAKERS[kind](options);
}
