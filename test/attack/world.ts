/** What an attacker knows: where the nodes are, what chain they run, and, in the insider's case, one consensus key. */
import { readFile } from 'node:fs/promises';
import { type Genesis, genesisFromJson, genesisHash } from '../../src/chain/genesis.ts';
import { type Bytes, fromHex } from '../../src/codec/bytes.ts';
import type { ValidatorSet } from '../../src/consensus/types.ts';
import { createValidatorSet, indexOfKey } from '../../src/consensus/validator-set.ts';
import type { SigningKey } from '../../src/crypto/interfaces.ts';
import { signingKey } from '../../src/crypto/keys.ts';
import { Prng } from '../simulator/prng.ts';

export interface Target {
  /** Multiaddr without peer id. */
  readonly address: string;
  /** `http://host:port` */
  readonly api: string;
}

/** What the program tells the attacking process at its start, as JSON. */
export interface Plan {
  readonly seed: number;
  /** Priority of the attacking process. */
  readonly nice: number;
  readonly genesisFile: string;
  readonly targets: readonly Target[];
  /** Seeds of accounts with coins, hex. */
  readonly accounts: readonly string[];
}

export interface Insider {
  readonly key: SigningKey;
  readonly index: number;
}

/** Bytes that live nodes sent, newest last; a bounded number of each. */
export class Capture {
  readonly votes: Bytes[] = [];
  readonly certificates: Bytes[] = [];
  readonly proposals: Bytes[] = [];
  readonly records: Bytes[] = [];
  readonly gossip: Bytes[] = [];

  keep(kind: 'votes' | 'certificates' | 'proposals' | 'records' | 'gossip', bytes: Bytes): void {
    const list = this[kind];
    list.push(bytes.slice());
    if (list.length > 512) list.splice(0, 256);
  }
}

export interface World {
  readonly targets: readonly Target[];
  readonly genesis: Genesis;
  readonly genesisHash: Bytes;
  readonly set: ValidatorSet;
  readonly accounts: readonly SigningKey[];
  readonly capture: Capture;
  readonly rng: Prng;
  /** Garbage, to be taken in pieces. */
  readonly noise: Bytes;
  /** What a node says of itself, kept fresh. */
  height: number;
  view: number;
}

function noise(rng: Prng): Bytes {
  const words = new Uint32Array(1 << 18);
  for (let i = 0; i < words.length; i++) words[i] = rng.next();
  return new Uint8Array(words.buffer);
}

export async function worldOf(plan: Plan): Promise<World> {
  const genesis = genesisFromJson(await readFile(plan.genesisFile, 'utf8'));
  const rng = new Prng(`attack ${plan.seed}`);
  return {
    targets: plan.targets,
    genesis,
    genesisHash: genesisHash(genesis),
    set: createValidatorSet(0, genesis.seed, genesis.validators),
    accounts: plan.accounts.map((seed) => signingKey(fromHex(seed, 32))),
    capture: new Capture(),
    rng,
    noise: noise(rng.fork('noise')),
    height: 0,
    view: 0,
  };
}

export function insiderOf(world: World, consensusSeed: string): Insider {
  const key = signingKey(fromHex(consensusSeed, 32));
  const index = indexOfKey(world.set, key.publicKey);
  if (index === undefined) throw new Error('the key is of no validator');
  return { key, index };
}

/** A piece of garbage; a view, not to be changed. */
export function garbage(world: World, rng: Prng, length: number): Bytes {
  const at = rng.int(0, Math.max(0, world.noise.length - length));
  return world.noise.subarray(at, at + length);
}

/** One of the usual accidents: flipped bits, a cut, something added, a piece doubled. */
export function mutate(rng: Prng, bytes: Bytes): Bytes {
  const out = bytes.slice();
  if (out.length === 0) return Uint8Array.of(rng.int(0, 255));
  switch (rng.int(0, 4)) {
    case 0:
      return out.subarray(0, rng.int(0, out.length - 1));
    case 1: {
      const more = new Uint8Array(out.length + rng.int(1, 64)).fill(rng.int(0, 255));
      more.set(out);
      return more;
    }
    case 2: {
      const from = rng.int(0, out.length - 1);
      out.copyWithin(rng.int(0, out.length - 1), from, Math.min(out.length, from + 32));
      return out;
    }
    default:
      for (let n = rng.int(1, 4); n > 0; n--) out[rng.int(0, out.length - 1)]! ^= 1 << rng.int(0, 7);
      return out;
  }
}
