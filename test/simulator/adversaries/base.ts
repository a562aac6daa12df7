/**
 * What all adversaries share: the validators that they hold ("seats", one endpoint each, one mind), what they
 * have heard, genuine signatures with their own keys and nobody else's, and ways to send to some and not to
 * others. By itself it behaves: it votes N and F for everything, proposes when it leads, answers what it is
 * asked. A kind overrides what it does otherwise, and counts each misdeed by name.
 *
 * It hears of views before honest machines enter them, checks nothing, never sleeps and never crashes. It does
 * not decode more of a message than it needs, since a run with it must not cost much more than one without.
 */
import { type Bytes, keyOf } from '../../../src/codec/bytes.ts';
import { isProtocolError } from '../../../src/codec/errors.ts';
import { Reader } from '../../../src/codec/reader.ts';
import { Writer } from '../../../src/codec/writer.ts';
import { encodeCertificate } from '../../../src/consensus/certificate.ts';
import type { CertificateQuery } from '../../../src/consensus/events.ts';
import type { Timing } from '../../../src/consensus/host.ts';
import { leaderOf } from '../../../src/consensus/leader.ts';
import {
  FINALIZE,
  NOTARIZE,
  type Proposal,
  type Subject,
  type ValidatorSet,
  type VoteKind,
} from '../../../src/consensus/types.ts';
import {
  encodeVote,
  readSubject,
  sameProposal,
  subjectEpoch,
  subjectView,
  voteMessage,
} from '../../../src/consensus/vote.ts';
import type { SigningKey } from '../../../src/crypto/interfaces.ts';
import { type Block, decodeBlock, encodeBlock, GENESIS, payloadOf } from '../app.ts';
import type { Endpoint, Message, SimNetwork } from '../network.ts';
import type { Prng } from '../prng.ts';
import type { Scheduler } from '../scheduler.ts';
import type { Trace } from '../trace.ts';

export interface AdversaryOptions {
  /** The validators that it holds. */
  readonly indexes: readonly number[];
  /** Their keys, in the same order. */
  readonly keys: readonly SigningKey[];
  readonly set: ValidatorSet;
  readonly genesisHash: Bytes;
  /** Of the honest machines: when they lose patience can be computed. */
  readonly timing: Timing;
  readonly scheduler: Scheduler;
  readonly network: SimNetwork;
  readonly random: Prng;
  readonly trace: Trace;
  /** The one misdeed that it commits as a leader; undefined for any of them. */
  readonly specialty?: string | undefined;
}

/** A block to propose. */
export interface Draft {
  readonly proposal: Proposal;
  readonly body: Bytes;
}

/** One validator of an adversary. */
export class Seat implements Endpoint {
  readonly name: string;
  readonly index: number;
  /** How often the adversary committed each of its misdeeds, with all its seats together. */
  readonly deeds: ReadonlyMap<string, number>;
  readonly receive: (message: Message, from: Endpoint) => void;
  readonly #key: SigningKey;
  readonly #genesisHash: Bytes;

  constructor(
    index: number,
    key: SigningKey,
    genesisHash: Bytes,
    deeds: ReadonlyMap<string, number>,
    hear: (message: Message, from: Endpoint, seat: Seat) => void,
  ) {
    this.name = `a${index}`;
    this.index = index;
    this.#key = key;
    this.#genesisHash = genesisHash;
    this.deeds = deeds;
    this.receive = (message, from) => hear(message, from, this);
  }

  sign(subject: Subject): Bytes {
    return this.#key.sign(voteMessage(this.#genesisHash, subject));
  }

  /** A vote of its own with its genuine signature. */
  vote(subject: Subject): Bytes {
    return encodeVote({ subject, signer: this.index, signature: this.sign(subject) });
  }
}

export abstract class Adversary<Deed extends string = string> {
  readonly seats: readonly Seat[];
  protected readonly options: AdversaryOptions;
  protected readonly random: Prng;
  /** The highest view that anybody can have entered. */
  protected view = 0;
  protected enteredAt = 0;
  /** The highest finalised view. */
  protected finalView = 0;
  readonly #deeds = new Map<string, number>();
  readonly #notarized = new Map<number, Proposal>([[0, GENESIS]]);
  /** The first certificate of each kind and view. */
  readonly #certificates = new Map<string, Bytes>();
  readonly #proposals = new Map<number, Proposal[]>();
  readonly #bodies = new Map<string, Bytes>();
  #others: readonly Endpoint[] = [];
  #endpointsThen = 0;

  constructor(options: AdversaryOptions) {
    const { indexes, keys, genesisHash, scheduler, random } = options;
    this.options = options;
    this.random = random;
    const hear = this.#hear.bind(this);
    this.seats = indexes.map((index, at) => new Seat(index, keys[at]!, genesisHash, this.#deeds, hear));
    scheduler.after(random.int(0, 60), () => this.#enter(1));
  }

  // --- what a kind may do otherwise ------------------------------------------------------------------------

  /** A view can be entered. */
  protected onView(_view: number): void {}

  /** One of its own validators leads the view that has just begun. */
  protected lead(view: number, seat: Seat): void {
    this.later(this.random.int(0, this.options.timing.blockInterval), () =>
      this.propose(seat, this.draft(view, seat), this.others()),
    );
  }

  /** A proposal of somebody else, heard for the first time. */
  protected onProposal(proposal: Proposal, _message: Message): void {
    this.cast({ kind: NOTARIZE, proposal }, this.others());
  }

  /** A certificate that is new. */
  protected onCertificate(subject: Subject, _message: Message): void {
    if (subject.kind === NOTARIZE) this.cast({ ...subject, kind: FINALIZE }, this.others());
  }

  protected onVote(_message: Message, _from: Endpoint): void {}

  protected onBodyRequest(payload: Bytes, from: Endpoint, seat: Seat): void {
    const body = this.bodyOf(payload);
    if (body !== undefined) this.send(seat, from, { kind: 'body', bytes: body });
  }

  protected onQuery({ kind, view }: CertificateQuery, from: Endpoint, seat: Seat): void {
    const bytes = this.certificate(kind, view);
    if (bytes !== undefined) this.send(seat, from, { kind: 'certificate', bytes });
  }

  protected onTipRequest(from: Endpoint, seat: Seat): void {
    const bytes = this.certificate(FINALIZE, this.finalView);
    if (bytes !== undefined) this.send(seat, from, { kind: 'tip', bytes });
  }

  // --- what it knows ---------------------------------------------------------------------------------------

  /** Every machine that is not its own. */
  protected others(): readonly Endpoint[] {
    const { endpoints } = this.options.network;
    if (endpoints.length !== this.#endpointsThen) {
      this.#endpointsThen = endpoints.length;
      this.#others = endpoints.filter((endpoint) => !this.seats.some((seat) => seat === endpoint));
    }
    return this.#others;
  }

  protected someone(): Endpoint {
    return this.random.pick(this.others());
  }

  protected leads(view: number): Seat | undefined {
    const leader = leaderOf(this.options.set, view);
    return this.seats.find(({ index }) => index === leader);
  }

  /** The blocks notarized below `view`, newest first; the genesis block is the last of all. */
  protected notarizedBelow(view: number, limit: number): Proposal[] {
    const found: Proposal[] = [];
    for (let u = view - 1; u >= 0 && found.length < limit; u--) {
      const proposal = this.#notarized.get(u);
      if (proposal !== undefined) found.push(proposal);
    }
    return found;
  }

  protected certificate(kind: VoteKind, view: number): Bytes | undefined {
    return this.#certificates.get(`${kind}/${view}`);
  }

  protected bodyOf(payload: Bytes): Bytes | undefined {
    return this.#bodies.get(keyOf(payload));
  }

  /** All others in two parts by chance. */
  protected halves(): [Endpoint[], Endpoint[]] {
    const mixed = this.mixed();
    const half = mixed.length >> 1;
    return [mixed.slice(0, half), mixed.slice(half)];
  }

  /** Just enough of the others for a quorum together with its own stake, and the rest. */
  protected enough(): [Endpoint[], Endpoint[]] {
    const { validators, totalStake } = this.options.set;
    const mixed = this.mixed();
    let stake = this.seats.reduce((sum, { index }) => sum + validators[index]!.stake, 0n);
    let count = 0;
    while (count < mixed.length && 3n * stake <= 2n * totalStake) {
      stake += validators[mixed[count++]!.index]?.stake ?? 0n;
    }
    return [mixed.slice(0, count), mixed.slice(count)];
  }

  protected mixed(): Endpoint[] {
    const list = [...this.others()];
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.random.int(0, i);
      [list[i], list[j]] = [list[j]!, list[i]!];
    }
    return list;
  }

  // --- what it can do --------------------------------------------------------------------------------------

  /** Counts a misdeed. Call it when it is committed, not when it is planned. */
  protected did(deed: Deed, times = 1): void {
    if (times === 0) return;
    this.#deeds.set(deed, (this.#deeds.get(deed) ?? 0) + times);
    const { trace, scheduler } = this.options;
    trace.add(scheduler.now(), `${this.seats[0]!.name} in ${this.view}: ${deed} × ${times}`);
  }

  protected later(delay: number, act: () => void): void {
    this.options.scheduler.after(delay, act);
  }

  protected send(seat: Seat, to: Endpoint, message: Message): void {
    this.options.network.send(seat, to, message);
  }

  protected tell(seat: Seat, to: readonly Endpoint[], message: Message): void {
    for (const endpoint of to) this.options.network.send(seat, endpoint, message);
  }

  /** All its validators vote alike. */
  protected cast(subject: Subject, to: readonly Endpoint[]): void {
    for (const seat of this.seats) this.tell(seat, to, { kind: 'vote', bytes: seat.vote(subject) });
  }

  /** N and F for a proposal, long before anybody can have executed it. */
  protected support(proposal: Proposal, to: readonly Endpoint[]): void {
    this.cast({ kind: NOTARIZE, proposal }, to);
    this.cast({ kind: FINALIZE, proposal }, to);
  }

  /** A sound block on `parent`, by default the newest notarized one, but for the `flaws`. */
  protected draft(
    view: number,
    seat: Seat,
    parent = this.#newestBelow(view),
    flaws: Partial<Block> = {},
  ): Draft {
    const body = encodeBlock({
      view,
      parentView: parent.view,
      parentPayload: parent.payload,
      height: this.#heightOf(parent) + 1,
      proposer: seat.index,
      salt: this.random.next(),
      poisoned: false,
      ...flaws,
    });
    return this.draftOf(body, view, parent.view);
  }

  /** These very bytes as the block of a proposal. */
  protected draftOf(body: Bytes, view: number, parentView: number): Draft {
    const payload = payloadOf(body);
    this.#bodies.set(keyOf(payload), body);
    return { proposal: { epoch: this.options.set.epoch, view, parentView, payload }, body };
  }

  protected propose(seat: Seat, { proposal, body }: Draft, to: readonly Endpoint[], withBody = true): void {
    const bytes = seat.vote({ kind: NOTARIZE, proposal });
    this.tell(seat, to, { kind: 'proposal', bytes, body: withBody ? body : undefined });
  }

  /** A certificate of everybody; its own signatures are genuine, the others are noise. */
  protected forgery(subject: Subject): Bytes {
    const { set, random } = this.options;
    const signatures = set.validators.map((_, index) => {
      const seat = this.seats.find((own) => own.index === index);
      return seat === undefined ? random.bytes(64) : seat.sign(subject);
    });
    return encodeCertificate({ subject, signers: bitmapOf(set.validators.keys()), signatures });
  }

  /** 0 for a block that it has not got, or that is none. */
  #heightOf({ payload }: Proposal): number {
    const body = this.bodyOf(payload);
    if (body === undefined) return 0;
    try {
      return decodeBlock(body).height;
    } catch (error) {
      if (isProtocolError(error)) return 0;
      throw error;
    }
  }

  #newestBelow(view: number): Proposal {
    return this.notarizedBelow(view, 1)[0]!;
  }

  // --- hearing ---------------------------------------------------------------------------------------------

  #enter(view: number): void {
    if (view <= this.view) return;
    this.view = view;
    this.enteredAt = this.options.scheduler.now();
    this.onView(view);
    const seat = this.leads(view);
    if (seat !== undefined) this.lead(view, seat);
  }

  #hear(message: Message, from: Endpoint, seat: Seat): void {
    switch (message.kind) {
      case 'proposal':
        this.#hearProposal(message);
        break;
      case 'vote':
        this.onVote(message, from);
        break;
      case 'certificate':
        this.#hearCertificate(message);
        break;
      case 'body':
        this.#keep(message.bytes);
        break;
      case 'body-request':
        this.onBodyRequest(message.bytes, from, seat);
        break;
      case 'query': {
        const reader = new Reader(message.bytes);
        reader.array(2);
        this.onQuery({ kind: reader.uint(3) as VoteKind, view: reader.uint() }, from, seat);
        break;
      }
      case 'tip-request':
        this.onTipRequest(from, seat);
        break;
      case 'tip':
        break;
    }
  }

  #hearProposal(message: Message): void {
    if (message.body !== undefined) this.#keep(message.body);
    const subject = subjectOf(message.bytes);
    if (subject?.kind !== NOTARIZE) return;
    const { proposal } = subject;
    const heard = this.#proposals.get(proposal.view) ?? [];
    if (heard.some((known) => sameProposal(known, proposal))) return;
    this.#proposals.set(proposal.view, [...heard, proposal]);
    this.#enter(proposal.view);
    this.onProposal(proposal, message);
  }

  #hearCertificate(message: Message): void {
    const subject = subjectOf(message.bytes);
    if (subject === undefined || subjectEpoch(subject) !== this.options.set.epoch) return;
    const view = subjectView(subject);
    const key = `${subject.kind}/${view}`;
    if (this.#certificates.has(key)) return;
    this.#certificates.set(key, message.bytes);
    if (subject.kind === NOTARIZE) {
      const { payload } = subject.proposal;
      this.#notarized.set(view, subject.proposal);
      if (this.bodyOf(payload) === undefined) {
        this.send(this.seats[0]!, this.someone(), { kind: 'body-request', bytes: payload });
      }
    } else if (subject.kind === FINALIZE) {
      this.finalView = Math.max(this.finalView, view);
    }
    this.onCertificate(subject, message);
    this.#enter(view + 1);
  }

  #keep(body: Bytes): void {
    this.#bodies.set(keyOf(payloadOf(body)), body);
  }
}

/** The subject of an encoded vote or certificate; undefined if it is not even that. */
function subjectOf(bytes: Bytes): Subject | undefined {
  try {
    return readSubject(new Reader(bytes), 2);
  } catch (error) {
    if (isProtocolError(error)) return undefined;
    throw error;
  }
}

/** The bitmap of a certificate with these signers, as long as the highest of them asks for. */
export function bitmapOf(signers: Iterable<number>): Bytes {
  const bitmap: number[] = [];
  for (const index of signers) {
    while (bitmap.length <= index >> 3) bitmap.push(0);
    bitmap[index >> 3]! |= 1 << (index & 7);
  }
  return Uint8Array.from(bitmap);
}

export function queryMessage(kind: VoteKind, view: number): Message {
  return { kind: 'query', bytes: new Writer().array(2).uint(kind).uint(view).finish() };
}
