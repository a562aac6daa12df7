/**
 * A validator that knows the protocol and keeps none of its rules. It signs whatever suits it with its own
 * key: votes for every proposal, for nullification and for finalization at once, and, where it leads,
 * conflicting, stale, poisoned or bodiless proposals. It cannot sign for others.
 */
import type { Bytes } from '../../../src/codec/bytes.ts';
import { decodeCertificate, encodeCertificate } from '../../../src/consensus/certificate.ts';
import { leaderOf } from '../../../src/consensus/leader.ts';
import {
  FINALIZE,
  NOTARIZE,
  NULLIFY,
  type Proposal,
  type Subject,
  type ValidatorSet,
} from '../../../src/consensus/types.ts';
import { decodeVote, encodeVote, subjectView, voteMessage } from '../../../src/consensus/vote.ts';
import type { SigningKey } from '../../../src/crypto/interfaces.ts';
import { decodeBlock, encodeBlock, GENESIS, payloadOf } from '../app.ts';
import type { Endpoint, Message, SimNetwork } from '../network.ts';
import type { Prng } from '../prng.ts';
import type { Scheduler } from '../scheduler.ts';
import type { Trace } from '../trace.ts';

interface ConflicterOptions {
  readonly index: number;
  readonly key: SigningKey;
  readonly set: ValidatorSet;
  readonly genesisHash: Bytes;
  readonly scheduler: Scheduler;
  readonly network: SimNetwork;
  readonly random: Prng;
  readonly trace: Trace;
  /** All that it does as leader; undefined for any of it. */
  readonly specialty: string | undefined;
}

type Deed = 'equivocate' | 'stale-parent' | 'poison' | 'withhold' | 'impossible-parent' | 'silence';
export const DEEDS: readonly Deed[] = [
  'equivocate',
  'equivocate',
  'stale-parent',
  'poison',
  'withhold',
  'impossible-parent',
  'silence',
];

export class Conflicter implements Endpoint {
  readonly name: string;
  readonly index: number;
  readonly #options: ConflicterOptions;
  readonly #bodies = new Map<string, Bytes>();
  /** Notarized or proposed blocks, newest last. */
  readonly #known: Proposal[] = [GENESIS];
  readonly #led = new Set<number>();
  readonly #voted = new Set<string>();
  /** How often it did what, as a leader. */
  readonly deeds = new Map<string, number>();
  #view = 1;

  constructor(options: ConflicterOptions) {
    this.#options = options;
    this.index = options.index;
    this.name = `a${options.index}`;
    this.#lead(1);
  }

  receive(message: Message, from: Endpoint): void {
    const { set, network, random } = this.#options;
    switch (message.kind) {
      case 'proposal': {
        const { subject } = decodeVote(message.bytes, set.validators.length);
        if (message.body !== undefined) this.#bodies.set(hex(payloadOf(message.body)), message.body);
        if (subject.kind === NOTARIZE) this.#supportAll(subject.proposal);
        break;
      }
      case 'certificate': {
        const { subject } = decodeCertificate(message.bytes, set);
        if (subject.kind === NOTARIZE) {
          const seen = this.#known.some((known) => known.view === subject.proposal.view);
          if (!seen) this.#known.push(subject.proposal);
        }
        const next = subjectView(subject) + 1;
        if (next > this.#view) {
          this.#view = next;
          this.#lead(next);
          if (random.chance(0.5)) this.#spoil(next, 0.7);
        }
        // An old certificate, once more, and one that nobody signed.
        if (random.chance(0.05)) network.broadcast(this, message);
        if (random.chance(0.05)) this.#forge(next + random.int(0, 2));
        break;
      }
      case 'body-request': {
        const body = this.#bodies.get(hex(message.bytes));
        if (body !== undefined && random.chance(0.5)) network.send(this, from, { kind: 'body', bytes: body });
        break;
      }
      default:
        break;
    }
  }

  #forge(view: number): void {
    const { set, random, network } = this.#options;
    const count = set.validators.length;
    const signers = new Uint8Array((count + 7) >> 3).fill(0xff);
    signers[signers.length - 1]! &= 0xff >> (8 * signers.length - count);
    const signatures = set.validators.map(() => random.bytes(64));
    const subject: Subject = { kind: NULLIFY, epoch: 0, view };
    network.send(this, random.pick(network.endpoints), {
      kind: 'certificate',
      bytes: encodeCertificate({ subject, signers, signatures }),
    });
  }

  /** N, F and sometimes X for one proposal, to a random part of the others. */
  #supportAll(proposal: Proposal): void {
    this.#vote({ kind: NOTARIZE, proposal }, 0.8);
    this.#vote({ kind: FINALIZE, proposal }, 0.8);
    if (this.#options.random.chance(0.5)) this.#spoil(proposal.view, 0.5);
  }

  /** X, except in a view of its own, which it has better uses for. */
  #spoil(view: number, reach: number): void {
    if (leaderOf(this.#options.set, view) !== this.index) {
      this.#vote({ kind: NULLIFY, epoch: 0, view }, reach);
    }
  }

  #vote(subject: Subject, reach: number): void {
    const { network, random } = this.#options;
    const bytes = this.#signed(subject);
    const id = hex(bytes);
    if (this.#voted.has(id)) return;
    this.#voted.add(id);
    for (const to of network.endpoints) {
      if (random.chance(reach)) network.send(this, to, { kind: 'vote', bytes });
    }
  }

  #signed(subject: Subject): Bytes {
    const { key, genesisHash, index } = this.#options;
    return encodeVote({ subject, signer: index, signature: key.sign(voteMessage(genesisHash, subject)) });
  }

  #lead(view: number): void {
    const { set, random, scheduler, trace } = this.#options;
    if (this.#led.has(view) || leaderOf(set, view) !== this.index) return;
    this.#led.add(view);
    const deed = DEEDS.find((known) => known === this.#options.specialty) ?? random.pick(DEEDS);
    // A stale parent has its best chance before its sibling is final.
    scheduler.after(deed === 'stale-parent' ? 0 : random.int(0, 250), () => {
      trace.add(scheduler.now(), `${this.name} leads ${view}: ${deed}`);
      this.deeds.set(deed, (this.deeds.get(deed) ?? 0) + 1);
      this.#propose(view, deed);
    });
  }

  #propose(view: number, deed: Deed): void {
    const { random, network } = this.#options;
    if (deed === 'silence') return;
    const known = this.#known.filter((proposal) => proposal.view < view);
    const newest = known[known.length - 1]!;
    const parent = deed === 'stale-parent' ? random.pick(known.slice(-3, -1).concat(known[0]!)) : newest;
    const first = this.#block(view, parent, deed === 'poison');
    const second = deed === 'equivocate' ? this.#block(view, random.pick(known.slice(-2)), false) : first;
    const parentView = deed === 'impossible-parent' ? view + random.int(0, 3) : undefined;
    for (const to of network.endpoints) {
      const { proposal, body } = random.chance(0.5) ? first : second;
      const named = parentView === undefined ? proposal : { ...proposal, parentView };
      const bytes = this.#signed({ kind: NOTARIZE, proposal: named });
      network.send(this, to, { kind: 'proposal', bytes, body: deed === 'withhold' ? undefined : body });
    }
    for (const { proposal } of new Set([first, second])) this.#supportAll(proposal);
  }

  #block(view: number, parent: Proposal, poisoned: boolean): { proposal: Proposal; body: Bytes } {
    const parentBody = this.#bodies.get(hex(parent.payload));
    const body = encodeBlock({
      view,
      parentView: parent.view,
      parentPayload: parent.payload,
      height: (parentBody === undefined ? 0 : decodeBlock(parentBody).height) + 1,
      proposer: this.index,
      salt: this.#options.random.next(),
      poisoned,
    });
    const payload = payloadOf(body);
    this.#bodies.set(hex(payload), body);
    return { proposal: { epoch: 0, view, parentView: parent.view, payload }, body };
  }
}

function hex(bytes: Bytes): string {
  return Buffer.from(bytes).toString('hex');
}
