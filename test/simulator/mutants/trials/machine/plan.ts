/**
 * What the rest of a committee does while one replica is under test: a history that less than a third of
 * dishonest stake can bring about, view by view, with everything signed that belongs to it.
 */
import type { Bytes } from '../../../../../src/codec/bytes.ts';
import { utf8 } from '../../../../../src/codec/bytes.ts';
import { sha256 } from '../../../../../src/codec/hash.ts';
import { assembleCertificate } from '../../../../../src/consensus/certificate.ts';
import { leaderOf } from '../../../../../src/consensus/leader.ts';
import type {
  Certificate,
  Proposal,
  Subject,
  ValidatorSet,
  Vote,
} from '../../../../../src/consensus/types.ts';
import { createValidatorSet } from '../../../../../src/consensus/validator-set.ts';
import { voteMessage } from '../../../../../src/consensus/vote.ts';
import type { SignatureVerifier, SigningKey } from '../../../../../src/crypto/interfaces.ts';
import type { Prng } from '../../../prng.ts';
import { keyedHashScheme } from '../../../scheme.ts';

export const GENESIS_HASH: Bytes = sha256(utf8('the genesis of a trial'));
/** The replica under test. Two others have no quorum, with it they have; the three others have one. */
export const SELF = 0;
const STAKES = [10, 30, 30, 30];
export const OTHERS = [1, 2, 3];

interface PlannedView {
  readonly view: number;
  readonly leader: number;
  /** Notarized in this view. */
  readonly block: Proposal | undefined;
  /** What execution says of it. */
  readonly valid: boolean;
  readonly nullified: boolean;
  readonly finalized: boolean;
  /** What the leader proposes beside the block, or in its place. */
  readonly rivals: readonly Proposal[];
}

export class Plan {
  readonly set: ValidatorSet;
  readonly verifier: SignatureVerifier;
  readonly genesis: Proposal = proposal(0, 0, 'genesis');
  readonly #views = new Map<number, PlannedView>();
  readonly #keys: readonly SigningKey[];

  /** `length` views. In some histories next to nothing is finalised. */
  constructor(random: Prng, length: number) {
    const scheme = keyedHashScheme(STAKES.length, 'trial');
    this.#keys = scheme.keys;
    this.verifier = scheme.verifier;
    const validators = STAKES.map((stake, i) => ({
      publicKey: scheme.keys[i]!.publicKey,
      stake: BigInt(stake),
    }));
    this.set = createValidatorSet(0, sha256(random.bytes(8)), validators);
    const finality = random.pick([0.05, 0.3, 0.6]);
    for (let view = 1; view <= length; view++) this.#views.set(view, this.#planned(random, view, finality));
  }

  #planned(random: Prng, view: number, finality: number): PlannedView {
    const leader = leaderOf(this.set, view);
    const empty = {
      view,
      leader,
      block: undefined,
      valid: true,
      nullified: true,
      finalized: false,
      rivals: [],
    };
    if (leader === SELF) return empty;
    const parent = this.#parent(random, view);
    const child = (name: string): Proposal => proposal(view, parent, name);
    const kind = random.float();
    if (kind < 0.15) {
      const impossible = proposal(view, random.pick([view, view + 2, 0]), 'impossible');
      const rivals = random.pick([[], [child('lost')], [child('lost'), child('twin')], [impossible]]);
      return { ...empty, rivals };
    }
    const rivals = random.chance(0.15) ? [child('rival')] : [];
    const block = child('block');
    if (kind < 0.25) return { ...empty, block, valid: false, rivals };
    if (kind < 0.4) return { ...empty, block, rivals };
    return { ...empty, block, nullified: false, finalized: random.chance(finality), rivals };
  }

  /** The highest valid block below, or a lower one where everything between was nullified. */
  #parent(random: Prng, view: number): number {
    for (let u = view - 1; u > 0; u--) {
      const { block, valid, nullified } = this.#views.get(u)!;
      if (block !== undefined && valid && (!nullified || random.chance(0.7))) return u;
      if (!nullified) break;
    }
    return 0;
  }

  leader(view: number): number {
    return leaderOf(this.set, view);
  }

  at(view: number): PlannedView | undefined {
    return this.#views.get(view);
  }

  vote(signer: number, subject: Subject): Vote {
    return { subject, signer, signature: this.#keys[signer]!.sign(voteMessage(GENESIS_HASH, subject)) };
  }

  certificate(subject: Subject, signers: readonly number[] = OTHERS): Certificate {
    const signatures = new Map(signers.map((signer) => [signer, this.vote(signer, subject).signature]));
    return assembleCertificate(subject, signatures, this.set);
  }
}

export function proposal(view: number, parentView: number, name: string): Proposal {
  return { epoch: 0, view, parentView, payload: sha256(utf8(`${name} ${view}`)) };
}
