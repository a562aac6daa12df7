/**
 * A small instance to explore to its end: four validators of equal stake, the last one Byzantine, a few views with
 * given leaders, and every block that can be proposed in them. Votes are bits of 32-bit words, so that what a
 * validator has sent is two numbers and a quorum is a bitwise majority:
 *
 *     word A: bit b = N for block b;  bit 28 + v = X of view v      word F: bit b = F for block b
 */
import { type Bytes, utf8 } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { assembleCertificate } from '../../src/consensus/certificate.ts';
import {
  type Certificate,
  FINALIZE,
  NOTARIZE,
  NULLIFY,
  type Proposal,
  type Subject,
  type ValidatorSet,
  type Vote,
} from '../../src/consensus/types.ts';
import { createValidatorSet } from '../../src/consensus/validator-set.ts';
import { voteMessage } from '../../src/consensus/vote.ts';
import type { SignatureVerifier, SigningKey } from '../../src/crypto/interfaces.ts';
import { withLeaders } from '../simulator/twins/leaders.ts';

const VALIDATORS = 4;
/** The Byzantine one; 0, 1 and 2 are honest. */
export const BYZANTINE = 3;
export const HONEST = [0, 1, 2] as const;
const MAX_BLOCKS = 29;

export interface InstanceOptions {
  /** Of views 1, 2, …: at most three. */
  readonly leaders: readonly number[];
  /** How many blocks a Byzantine leader can make on one parent, by view. */
  readonly variants: readonly number[];
  /** Whether it can also propose a block that fails in execution. */
  readonly poison: boolean;
  /** How often each honest validator may crash. */
  readonly crashes: number;
  /** Whether the application's database keeps up with every finalization, or never writes anything. */
  readonly durable: boolean;
  /** Whether the fsync follows every step at once, or is a step of its own. */
  readonly commits: 'at-once' | 'apart';
  /** Whether others' votes arrive as certificates, or one by one as well. */
  readonly deliveries: 'certificates' | 'votes';
  /** Whether a leader's vote can arrive while its receiver is still in the view before. */
  readonly early: boolean;
}

export interface Block {
  readonly id: number;
  readonly view: number;
  /** undefined: the genesis block. */
  readonly parent: Block | undefined;
  readonly variant: number;
  readonly poisoned: boolean;
  readonly proposal: Proposal;
}

export type Input =
  | { readonly type: 'vote'; readonly vote: Vote }
  | { readonly type: 'proposal'; readonly vote: Vote }
  | {
      readonly type: 'certificate';
      readonly subject: Subject;
      /** By honest validator: one that holds its vote, and one that does not. */
      readonly own: readonly Certificate[];
      readonly others: readonly Certificate[];
      /** Signed by too few: must be refused. */
      readonly weak: Certificate;
    };

/** What a validator does by itself, or by an accident that befalls it. */
export type Deed = 'tick' | 'commit' | 'built' | 'verified' | 'crash' | 'crash-to-checkpoint';

export type LocalEvent =
  | { readonly name: string; readonly deed: Deed }
  | { readonly name: string; readonly certified: number }
  | {
      readonly name: string;
      readonly input: Input;
      /** Which word of the environment says that it can come, and which bit; undefined: it always can. */
      readonly when: { readonly word: number; readonly bit: number } | undefined;
    };

/** Words of an environment: certificates that can be made, and what the honest leaders have sent. */
const MAJORITY_A = 0;
const MAJORITY_F = 1;
const LEADERS_A = 2;
/** With single votes: words 3 + 2i and 4 + 2i are what validator i has sent. */
export const SENT = 3;

export class Instance {
  readonly options: InstanceOptions;
  readonly views: number;
  readonly set: ValidatorSet;
  readonly genesisHash: Bytes = sha256(utf8('explored genesis'));
  readonly genesis: Proposal = { epoch: 0, view: 0, parentView: 0, payload: payload(255) };
  readonly keys: readonly SigningKey[];
  readonly verifier: SignatureVerifier;
  readonly blocks: readonly Block[];
  readonly events: readonly LocalEvent[];
  readonly #byPayload = new Map<number, Block>();

  constructor(options: InstanceOptions) {
    this.options = options;
    this.views = options.leaders.length;
    if (this.views < 1 || this.views > 3) throw new RangeError('an instance has one to three views');
    const { keys, verifier } = cheapScheme();
    this.keys = keys;
    this.verifier = verifier;
    const validators = keys.map(({ publicKey }) => ({ publicKey, stake: 1n }));
    this.set = withLeaders(createValidatorSet(0, new Uint8Array(32), validators), options.leaders);
    this.blocks = this.#makeBlocks();
    for (const block of this.blocks) this.#byPayload.set(block.id, block);
    this.events = this.#makeEvents();
  }

  leader(view: number): number {
    return this.options.leaders[view - 1]!;
  }

  block({ payload: bytes }: Proposal): Block | undefined {
    return this.#byPayload.get(bytes[0]!);
  }

  /** The block that an honest leader builds; it is another one after a crash. */
  built(view: number, parent: Proposal, lives: number): Block {
    const wanted = Math.min(lives, 1);
    const block = this.blocks.find(
      (candidate) =>
        candidate.view === view &&
        candidate.variant === wanted &&
        (candidate.parent?.id ?? 255) === parent.payload[0],
    );
    if (block === undefined) throw new Error(`no block of view ${view} on view ${parent.view}`);
    return block;
  }

  #makeBlocks(): Block[] {
    const { variants, poison, crashes } = this.options;
    const blocks: Block[] = [];
    const add = (view: number, parent: Block | undefined, variant: number, poisoned: boolean): void => {
      const id = blocks.length;
      if (id >= MAX_BLOCKS) throw new RangeError('the instance has too many blocks');
      const parentView = parent?.view ?? 0;
      const proposal: Proposal = { epoch: 0, view, parentView, payload: payload(id) };
      blocks.push({ id, view, parent, variant, poisoned, proposal });
    };
    for (let view = 1; view <= this.views; view++) {
      const byzantine = this.leader(view) === BYZANTINE;
      const count = byzantine ? (variants[view - 1] ?? 1) : crashes > 0 ? 2 : 1;
      const parents = [undefined, ...blocks.filter((block) => block.view < view && !block.poisoned)];
      for (const parent of parents) {
        for (let variant = 0; variant < count; variant++) add(view, parent, variant, false);
      }
      if (byzantine && poison) add(view, undefined, count, true);
    }
    return blocks;
  }

  #makeEvents(): LocalEvent[] {
    const { crashes, commits, deliveries } = this.options;
    const deeds: Deed[] = ['tick', 'built', 'verified'];
    if (commits === 'apart') deeds.push('commit');
    if (crashes > 0) deeds.push('crash', 'crash-to-checkpoint');
    const events: LocalEvent[] = deeds.map((deed) => ({ name: deed, deed }));
    for (let view = 1; view <= this.views; view++) {
      events.push({ name: `certified ${view}`, certified: view });
    }
    for (const [subject, word, bit] of this.#subjects()) {
      const certificate = {
        type: 'certificate',
        subject,
        own: HONEST.map((self) => this.#certificate(subject, [self, self === 0 ? 1 : 0, BYZANTINE])),
        others: HONEST.map((self) => {
          const signers = [...HONEST, BYZANTINE].filter((signer) => signer !== self);
          return this.#certificate(subject, signers);
        }),
        weak: this.#certificate(subject, [0, BYZANTINE], true),
      } as const;
      const name = `certificate ${this.nameOf(subject)}`;
      events.push({ name, input: certificate, when: { word: word === 0 ? MAJORITY_A : MAJORITY_F, bit } });
      const leader = this.leader('proposal' in subject ? subject.proposal.view : subject.view);
      const leaders = subject.kind === FINALIZE ? [] : [leader];
      for (const signer of deliveries === 'votes' ? [...HONEST, BYZANTINE] : leaders) {
        const vote = this.vote(signer, subject);
        const type = subject.kind === NOTARIZE && signer === leader ? 'proposal' : 'vote';
        const voteWord = deliveries === 'votes' ? SENT + 2 * signer + word : LEADERS_A;
        const when = signer === BYZANTINE ? undefined : { word: voteWord, bit };
        events.push({ name: `${this.nameOf(subject)} of ${signer}`, input: { type, vote }, when });
      }
    }
    return events;
  }

  /** Everything that can be voted for, with the word (0: A, 1: F) and the bit of the vote. */
  #subjects(): [Subject, 0 | 1, number][] {
    const subjects: [Subject, 0 | 1, number][] = [];
    for (const { proposal } of this.blocks) {
      for (const kind of [NOTARIZE, FINALIZE] as const) {
        const subject: Subject = { kind, proposal };
        subjects.push([subject, kind === FINALIZE ? 1 : 0, this.bitOf(subject)]);
      }
    }
    for (let view = 1; view <= this.views; view++) {
      const subject: Subject = { kind: NULLIFY, epoch: 0, view };
      subjects.push([subject, 0, this.bitOf(subject)]);
    }
    return subjects;
  }

  /** The bit that stands for a vote, in word F for F and in word A for N and X. */
  bitOf(subject: Subject): number {
    return subject.kind === NULLIFY ? 28 + subject.view : subject.proposal.payload[0]!;
  }

  vote(signer: number, subject: Subject): Vote {
    const signature = this.keys[signer]!.sign(voteMessage(this.genesisHash, subject));
    return { subject, signer, signature };
  }

  #certificate(subject: Subject, signers: readonly number[], weak = false): Certificate {
    const all = assembleCertificate(
      subject,
      new Map(
        (weak ? [...HONEST, BYZANTINE] : signers).map((i) => [i, this.vote(i, subject).signature] as const),
      ),
      this.set,
    );
    if (!weak) return all;
    const bitmap = new Uint8Array(1);
    for (const signer of signers) bitmap[0]! |= 1 << signer;
    return { subject, signers: bitmap, signatures: signers.map((signer) => all.signatures[signer]!) };
  }

  /** "N(2:5 on 1)", "X(1)": for people. */
  nameOf(subject: Subject): string {
    if (subject.kind === NULLIFY) return `X(${subject.view})`;
    const block = this.block(subject.proposal);
    const kind = subject.kind === NOTARIZE ? 'N' : 'F';
    if (block === undefined) return `${kind}(?)`;
    const parent = block.parent === undefined ? 'genesis' : `block ${block.parent.id}`;
    return `${kind}(view ${block.view}, block ${block.id} on ${parent}${block.poisoned ? ', poisoned' : ''})`;
  }
}

function payload(id: number): Bytes {
  return new Uint8Array(32).fill(id);
}

/**
 * Signatures that cost next to nothing: the signer's number and a mixture of the message's bytes. The adversary of
 * an exploration gets only what the instance lists, so nobody can forge them.
 */
function cheapScheme(): { keys: SigningKey[]; verifier: SignatureVerifier } {
  const sign = (index: number, message: Bytes): Bytes => {
    let [a, b] = [0x811c_9dc5, 0x9e37_79b1];
    for (let i = 0; i < message.length; i++) {
      a = Math.imul(a ^ message[i]!, 0x0100_0193);
      b = Math.imul(b + message[i]!, 0x85eb_ca6b) ^ (a >>> 15);
    }
    const signature = new Uint8Array(64).fill(index + 1);
    new DataView(signature.buffer).setUint32(0, a);
    new DataView(signature.buffer).setUint32(4, b);
    return signature;
  };
  const keys = Array.from({ length: VALIDATORS }, (_, index): SigningKey => {
    return { publicKey: new Uint8Array(32).fill(index + 1), sign: (message) => sign(index, message) };
  });
  const verifier: SignatureVerifier = {
    name: 'cheap',
    verify(signature, message, publicKey) {
      const expected = sign(publicKey[0]! - 1, message);
      return signature.length === expected.length && signature.every((byte, at) => byte === expected[at]);
    },
  };
  return { keys, verifier };
}
