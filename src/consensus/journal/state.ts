/**
 * The journal folded into what it says: own votes, certificates, verdicts and where bodies lie, above the
 * floor. The same fold runs at replay and at every append, so memory and disk cannot drift apart; the signer's
 * guard reads it, and a checkpoint is this state written out.
 */
import { type Bytes, keyOf } from '../../codec/bytes.ts';
import { type Certificate, FINALIZE, NOTARIZE, NULLIFY, type Vote, type VoteKind } from '../types.ts';
import { subjectView } from '../vote.ts';
import { bodyKey, type HistoryRecord, type JournalRecord } from './records.ts';

export interface ViewCertificates {
  readonly [NOTARIZE]?: Certificate;
  readonly [NULLIFY]?: Certificate;
  readonly [FINALIZE]?: Certificate;
}

export interface Verdict {
  readonly payload: Bytes;
  readonly ok: boolean;
}

/** Where a framed body record lies; `bytes` while it is not written yet. */
export interface BodyEntry {
  readonly view: number;
  readonly payload: Bytes;
  location: { readonly segment: string; readonly offset: number; readonly length: number } | undefined;
  pending: Bytes | undefined;
}

export class JournalState {
  #floor = 0;
  readonly #votes = new Map<number, Vote[]>();
  readonly #certificates = new Map<number, ViewCertificates>();
  readonly #verdicts = new Map<number, Verdict>();
  readonly #bodies = new Map<string, BodyEntry>();
  /** By public key; one in all but the oddest directories. */
  readonly #histories = new Map<string, HistoryRecord>();

  /** Everything up to this view is durable in the application's database. */
  get floor(): number {
    return this.#floor;
  }

  ownVote(signer: number, kind: VoteKind, view: number): Vote | undefined {
    return this.#votes.get(view)?.find((vote) => vote.signer === signer && vote.subject.kind === kind);
  }

  /** What is known of this key from outside the journal. */
  historyOf(publicKey: Bytes): HistoryRecord | undefined {
    return this.#histories.get(keyOf(publicKey));
  }

  /** The key, which is `signer` in the set, has signed nothing above this view, as far as is known here. */
  signedUpTo(signer: number, publicKey: Bytes): number {
    return Math.max(this.#floor, this.votedUpTo(signer, publicKey));
  }

  /** The highest view that the key is known to have signed in, here or in its history. Votes up to the floor are forgotten. */
  votedUpTo(signer: number, publicKey: Bytes): number {
    let highest = this.historyOf(publicKey)?.view ?? 0;
    for (const [view, votes] of this.#votes) {
      if (view > highest && votes.some((vote) => vote.signer === signer)) highest = view;
    }
    return highest;
  }

  certificatesOf(view: number): ViewCertificates {
    return this.#certificates.get(view) ?? {};
  }

  verdictOf(view: number): Verdict | undefined {
    return this.#verdicts.get(view);
  }

  bodyOf(payload: Bytes): BodyEntry | undefined {
    return this.#bodies.get(bodyKey(payload));
  }

  /** Bodies above the floor, by view. */
  bodies(): BodyEntry[] {
    return [...this.#bodies.values()].sort((a, b) => a.view - b.view);
  }

  /** Views above or at the floor of which anything is known, ascending. */
  views(): number[] {
    const views = new Set([...this.#certificates.keys(), ...this.#votes.keys(), ...this.#verdicts.keys()]);
    return [...views].sort((a, b) => a - b);
  }

  /** The highest view with a finalization certificate, 0 if there is none. */
  highestFinalization(): number {
    let highest = 0;
    for (const [view, held] of this.#certificates) {
      if (held[FINALIZE] !== undefined && view > highest) highest = view;
    }
    return highest;
  }

  /** Adds a record; returns false if it changes nothing and need not be written. */
  apply(record: JournalRecord): boolean {
    switch (record.type) {
      case 'vote': {
        const { vote } = record;
        const view = subjectView(vote.subject);
        if (view <= this.#floor || this.ownVote(vote.signer, vote.subject.kind, view) !== undefined)
          return false;
        const votes = this.#votes.get(view);
        if (votes === undefined) this.#votes.set(view, [vote]);
        else votes.push(vote);
        return true;
      }
      case 'certificate': {
        const { certificate } = record;
        const { kind } = certificate.subject;
        const view = subjectView(certificate.subject);
        const held = this.#certificates.get(view);
        if (view < this.#floor || held?.[kind] !== undefined) return false;
        this.#certificates.set(view, { ...held, [kind]: certificate });
        return true;
      }
      case 'verdict':
        if (record.view <= this.#floor || this.#verdicts.has(record.view)) return false;
        this.#verdicts.set(record.view, { payload: record.payload, ok: record.ok });
        return true;
      case 'body': {
        const { view, payload, body } = record;
        const held = this.bodyOf(payload);
        if (view <= this.#floor || (held !== undefined && held.view >= view)) return false;
        this.#bodies.set(bodyKey(payload), {
          view,
          payload: payload.slice(),
          location: undefined,
          pending: body,
        });
        return true;
      }
      case 'floor':
        if (record.view <= this.#floor) return false;
        this.#raiseFloor(record.view);
        return true;
      case 'history': {
        const held = this.historyOf(record.publicKey);
        if (held !== undefined && (record.serial <= held.serial || record.view < held.view)) return false;
        this.#histories.set(keyOf(record.publicKey), record);
        return true;
      }
    }
  }

  /** Certificates of the floor's own view stay: others ask for them, and the next leader builds on them. */
  #raiseFloor(floor: number): void {
    this.#floor = floor;
    for (const view of this.#votes.keys()) if (view <= floor) this.#votes.delete(view);
    for (const view of this.#verdicts.keys()) if (view <= floor) this.#verdicts.delete(view);
    for (const view of this.#certificates.keys()) if (view < floor) this.#certificates.delete(view);
    for (const [key, { view }] of this.#bodies) if (view <= floor) this.#bodies.delete(key);
  }

  /** What a checkpoint holds, bodies apart. */
  *records(): Generator<JournalRecord> {
    if (this.#floor > 0) yield { type: 'floor', view: this.#floor };
    yield* this.#histories.values();
    for (const view of this.views()) {
      const held = this.certificatesOf(view);
      for (const kind of [NOTARIZE, NULLIFY, FINALIZE] as const) {
        const certificate = held[kind];
        if (certificate !== undefined) yield { type: 'certificate', certificate };
      }
      const verdict = this.#verdicts.get(view);
      if (verdict !== undefined) yield { type: 'verdict', view, ...verdict };
      for (const vote of this.#votes.get(view) ?? []) yield { type: 'vote', vote };
    }
  }
}
