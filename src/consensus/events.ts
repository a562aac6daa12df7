/**
 * The words in which the pure state machine speaks with its driver: events go in, effects come out, and each
 * event from the network earns a judgement on its sender.
 */
import type { Bytes } from '../codec/bytes.ts';
import type { JournalRecord } from './journal/records.ts';
import type { Certificate, Proposal, Subject, Vote, VoteKind } from './types.ts';

export interface CertificateQuery {
  readonly kind: VoteKind;
  readonly view: number;
}

export interface Finalization {
  /** Oldest first, from just above the previous floor; the last one is the one that `certificate` names. */
  readonly proposals: readonly Proposal[];
  /** Ancestors between the previous floor and `proposals[0]` are not known here: the application fetches them. */
  readonly gap: boolean;
  readonly certificate: Certificate;
  /** N certificates of the span, ascending; not only those of the finalised chain. */
  readonly notarizations: readonly Certificate[];
  /** X certificates of the span, ascending. */
  readonly nullifications: readonly Certificate[];
}

export type EngineEvent =
  /** A vote that came over the authenticated stream of validator `from`. */
  | { readonly type: 'vote'; readonly vote: Vote; readonly from: number }
  /** A leader's N vote, from whoever passed it on. */
  | { readonly type: 'proposal'; readonly vote: Vote }
  | { readonly type: 'certificate'; readonly certificate: Certificate; readonly peer: string }
  | { readonly type: 'query'; readonly query: CertificateQuery; readonly peer: string }
  /** An own vote is durable: it may be counted and sent. */
  | { readonly type: 'signed'; readonly vote: Vote }
  | { readonly type: 'tick' }
  | {
      readonly type: 'built';
      readonly view: number;
      readonly parent: Proposal;
      readonly block: { readonly payload: Bytes; readonly body: Bytes } | undefined;
    }
  | {
      readonly type: 'verified';
      readonly proposal: Proposal;
      readonly parent: Proposal;
      /** The body of a valid block; undefined says that the block is invalid. */
      readonly body: Bytes | undefined;
      readonly reason: string | undefined;
    }
  | {
      readonly type: 'certified';
      readonly proposal: Proposal;
      readonly ok: boolean;
      readonly body: Bytes;
      readonly reason: string | undefined;
    }
  /** The application imported finalised blocks by itself, up to the one that the certificate names. */
  | { readonly type: 'synced'; readonly certificate: Certificate }
  /** The application's database holds everything up to `view`. */
  | { readonly type: 'durable'; readonly view: number };

/** Carried out in order. Everything but `journal`, `sign`, `floor` and `equivocated` waits for the commit. */
export type Effect =
  | { readonly type: 'journal'; readonly record: JournalRecord }
  | { readonly type: 'sign'; readonly subject: Subject }
  /** Nothing at or below `view` may be signed any more. */
  | { readonly type: 'floor'; readonly view: number }
  | { readonly type: 'equivocated'; readonly view: number }
  | { readonly type: 'send-vote'; readonly vote: Vote }
  | { readonly type: 'send-proposal'; readonly vote: Vote }
  | {
      readonly type: 'broadcast-certificate';
      readonly certificate: Certificate;
      readonly except: string | undefined;
    }
  | { readonly type: 'send-certificate'; readonly peer: string; readonly certificate: Certificate }
  | {
      readonly type: 'request-certificate';
      readonly query: CertificateQuery;
      readonly preferred: number | undefined;
    }
  | {
      readonly type: 'build';
      readonly view: number;
      readonly parent: Proposal;
      readonly parentCertificate: Certificate | undefined;
      readonly deadlineMs: number;
    }
  | {
      readonly type: 'verify';
      readonly proposal: Proposal;
      readonly parent: Proposal;
      readonly leader: number;
    }
  | { readonly type: 'certify'; readonly proposal: Proposal; readonly parent: Proposal }
  | { readonly type: 'cancel'; readonly task: 'verify' | 'certify'; readonly view: number }
  | ({ readonly type: 'finalize' } & Finalization)
  | { readonly type: 'report'; readonly report: Report };

/** Why a validator gives up on a view. */
export const MISS_REASONS = [
  'no-proposal',
  'no-verdict',
  'invalid-parent',
  'invalid-proposal',
  'certification-failed',
  'build-failed',
  'leader-nullified',
  'leader-equivocated',
] as const;
export type MissReason = (typeof MISS_REASONS)[number];

export type Report =
  | {
      readonly type: 'entered';
      readonly view: number;
      readonly leader: number;
      readonly by: 'start' | 'N' | 'X' | 'F';
    }
  | {
      readonly type: 'missed';
      readonly view: number;
      readonly leader: number;
      readonly reason: MissReason;
      readonly detail: string | undefined;
    }
  | { readonly type: 'proposed'; readonly view: number; readonly payload: Bytes }
  | { readonly type: 'notarized'; readonly view: number; readonly payload: Bytes }
  | { readonly type: 'nullified'; readonly view: number }
  | {
      readonly type: 'certified';
      readonly view: number;
      readonly ok: boolean;
      readonly reason: string | undefined;
    }
  | {
      readonly type: 'finalized';
      readonly view: number;
      readonly payload: Bytes;
      readonly certificate: Certificate;
    }
  /** Two votes of one validator that an honest key never signs both. */
  | {
      readonly type: 'equivocation';
      readonly view: number;
      readonly signer: number;
      readonly votes: readonly [Vote, Vote];
    }
  /** Two certificates that exclude each other: more than a third of the stake is dishonest. */
  | {
      readonly type: 'conflict';
      readonly view: number;
      readonly certificates: readonly [Certificate, Certificate];
    }
  | { readonly type: 'standstill'; readonly view: number; readonly lastFinalized: number }
  /** The signer refused what the state machine asked for: a bug, and a harmless one. */
  | { readonly type: 'refused'; readonly view: number; readonly code: string }
  /** The own key has signed here what the own journal does not know: a second process has it, or the journal is old. */
  | { readonly type: 'elsewhere'; readonly view: number }
  /** The application threw; what it was asked for stays pending. */
  | { readonly type: 'application-failed'; readonly during: string; readonly error: unknown };

/** Each of them is a reason to cut the sender off. */
export type OffenceCode =
  | 'VOTE_SENDER'
  | 'VOTE_SIGNATURE'
  | 'PROPOSAL_KIND'
  | 'PROPOSAL_NOT_LEADER'
  | 'CERTIFICATE_INVALID';

export type Judgement =
  /** `useful` is false for what was not needed, which is not the sender's fault. */
  { readonly ok: true; readonly useful: boolean } | { readonly ok: false; readonly offence: OffenceCode };
