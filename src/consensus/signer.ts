/**
 * The only holder of the consensus key. What an honest key never signs is refused here, whatever the state
 * machine believes: (1) two different N in one view, (2) two different F in one view, (3) X and F in one view,
 * in either order; and, locally, N after X, F in a view where equivocation was seen, and anything at or below
 * the floor. The guard judges over the journal's state, and a signature comes out only after its record is
 * durable, so neither a crash nor another code path can get a second, conflicting signature. Asking for a vote
 * that was given before returns the same vote.
 */
import type { Bytes } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import type { SigningKey } from '../crypto/interfaces.ts';
import { signersOf } from './certificate.ts';
import type { Journal } from './journal/journal.ts';
import {
  type Certificate,
  FINALIZE,
  NOTARIZE,
  NULLIFY,
  type Subject,
  type ValidatorSet,
  type Vote,
} from './types.ts';
import { indexOfKey } from './validator-set.ts';
import { kindName, sameSubject, subjectEpoch, subjectView, voteMessage } from './vote.ts';

type SignerErrorCode =
  | 'SIGN_NOT_A_VALIDATOR'
  | 'SIGN_EPOCH'
  | 'KEY_RETIRED'
  | 'SIGN_BELOW_FLOOR'
  | 'SIGN_BELOW_HISTORY'
  | 'SIGN_CONFLICT'
  | 'SIGN_FINALIZE_AFTER_NULLIFY'
  | 'SIGN_NULLIFY_AFTER_FINALIZE'
  | 'SIGN_NOTARIZE_AFTER_NULLIFY'
  | 'SIGN_EQUIVOCATED';

export interface SignerOptions {
  readonly key: SigningKey;
  readonly set: ValidatorSet;
  readonly genesisHash: Bytes;
  readonly journal: Journal;
}

export class Signer {
  /** Index of the key in the set. */
  readonly index: number;
  readonly #key: SigningKey;
  readonly #epoch: number;
  readonly #genesisHash: Bytes;
  readonly #journal: Journal;
  readonly #equivocated = new Set<number>();
  /** What the key may have signed in another journal ends here. */
  readonly #history: number;
  #floor = 0;

  /**
   * Throws `SIGN_NOT_A_VALIDATOR` if the set does not hold the key, and `KEY_RETIRED` if its history was
   * exported from this journal: the key then signs somewhere else.
   */
  constructor({ key, set, genesisHash, journal }: SignerOptions) {
    const index = indexOfKey(set, key.publicKey);
    if (index === undefined) {
      throw new ProtocolError<SignerErrorCode>('SIGN_NOT_A_VALIDATOR', 'the key is not in the validator set');
    }
    const history = journal.state.historyOf(key.publicKey);
    if (history?.retired === true) {
      throw new ProtocolError<SignerErrorCode>(
        'KEY_RETIRED',
        'the signing history of this key was exported from here: it signs nothing until a newer one is imported',
      );
    }
    this.index = index;
    this.#history = history?.view ?? 0;
    this.#key = key;
    this.#epoch = set.epoch;
    this.#genesisHash = genesisHash;
    this.#journal = journal;
    this.raiseFloor(Math.max(journal.state.floor, journal.state.highestFinalization()));
  }

  get floor(): number {
    return this.#floor;
  }

  /** Nothing at or below `view` is signed from now on. The floor never moves back. */
  raiseFloor(view: number): void {
    if (view <= this.#floor) return;
    this.#floor = view;
    for (const seen of this.#equivocated) if (seen <= view) this.#equivocated.delete(seen);
  }

  /** The leader of `view` was seen to equivocate: no F is signed there. */
  noteEquivocation(view: number): void {
    if (view > this.#floor) this.#equivocated.add(view);
  }

  /**
   * True if a verified certificate holds a vote of this key that the journal does not know of, above everything that
   * it may have forgotten: another process votes with the key, or this journal is an old copy. No honest history
   * leads there, since a vote leaves only when its record is durable.
   */
  signedElsewhere(certificate: Certificate): boolean {
    const { subject } = certificate;
    const view = subjectView(subject);
    const { state } = this.#journal;
    if (view <= Math.max(state.floor, this.#history)) return false;
    if (!signersOf(certificate).includes(this.index)) return false;
    const own = state.ownVote(this.index, subject.kind, view);
    return own === undefined || !sameSubject(own.subject, subject);
  }

  /**
   * Signs `subject`, or throws a `SignerErrorCode` at once. The record of the vote is in the journal's next
   * commit, together with everything appended before this call; the promise resolves when that is durable and
   * rejects when it cannot be made so.
   */
  sign(subject: Subject): Promise<Vote> {
    const { state } = this.#journal;
    const given = state.ownVote(this.index, subject.kind, subjectView(subject));
    if (given === undefined || !sameSubject(given.subject, subject))
      this.#guard(subject, given !== undefined);
    const signature = given?.signature ?? this.#key.sign(voteMessage(this.#genesisHash, subject));
    const vote: Vote = given ?? { subject, signer: this.index, signature };
    this.#journal.append({ type: 'vote', vote });
    return this.#journal.commit().then(() => vote);
  }

  #guard(subject: Subject, givenAnother: boolean): void {
    const view = subjectView(subject);
    const refuse = (code: SignerErrorCode): never => {
      throw new ProtocolError<SignerErrorCode>(code, `${kindName(subject.kind)}(${view}) is not signed`, {
        view,
      });
    };
    const has = (kind: Subject['kind']): boolean =>
      this.#journal.state.ownVote(this.index, kind, view) !== undefined;
    if (subjectEpoch(subject) !== this.#epoch) refuse('SIGN_EPOCH');
    if (view <= Math.max(this.#floor, this.#journal.state.floor)) refuse('SIGN_BELOW_FLOOR');
    if (view <= this.#history) refuse('SIGN_BELOW_HISTORY');
    if (givenAnother) refuse('SIGN_CONFLICT');
    if (subject.kind === NULLIFY && has(FINALIZE)) refuse('SIGN_NULLIFY_AFTER_FINALIZE');
    if (subject.kind === FINALIZE && has(NULLIFY)) refuse('SIGN_FINALIZE_AFTER_NULLIFY');
    if (subject.kind === FINALIZE && this.#equivocated.has(view)) refuse('SIGN_EQUIVOCATED');
    if (subject.kind === NOTARIZE && has(NULLIFY)) refuse('SIGN_NOTARIZE_AFTER_NULLIFY');
  }
}
