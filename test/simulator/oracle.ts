/**
 * What must hold in every run, judged from outside with arithmetic of its own: nothing here calls the
 * predicates under test. It sees every vote and certificate that honest machines send, every block that they
 * hold final, and what they report.
 */
import { createHash } from 'node:crypto';
import type { Certificate, Proposal, Subject, Vote } from '../../src/consensus/types.ts';
import type { SignatureVerifier } from '../../src/crypto/interfaces.ts';

const KINDS = ['?', 'N', 'X', 'F'] as const;

interface Facts {
  readonly notarized: Set<string>;
  readonly finalized: Set<string>;
  nullified: boolean;
}

export class Oracle {
  readonly violations: string[] = [];
  readonly #publicKeys: readonly Uint8Array[];
  readonly #stakes: readonly number[];
  readonly #total: number;
  readonly #genesisHash: Uint8Array;
  readonly #verifier: SignatureVerifier;
  readonly #votes = new Map<string, string>();
  readonly #views = new Map<number, Facts>();
  readonly #checked = new Set<string>();
  /** The one block of each height, with its state. */
  readonly #chain = new Map<number, { id: string; proposal: Proposal }>();
  readonly #heights = new Map<string, number>();

  constructor(
    publicKeys: readonly Uint8Array[],
    stakes: readonly number[],
    genesisHash: Uint8Array,
    verifier: SignatureVerifier,
  ) {
    this.#publicKeys = publicKeys;
    this.#stakes = stakes;
    this.#total = stakes.reduce((sum, stake) => sum + stake, 0);
    this.#genesisHash = genesisHash;
    this.#verifier = verifier;
  }

  get finalizedHeight(): number {
    return Math.max(0, ...this.#chain.keys());
  }

  violation(text: string): void {
    if (this.violations.length < 20) this.violations.push(text);
  }

  #describe(subject: Subject): { view: number; kind: 'N' | 'X' | 'F' | '?'; what: string } {
    if ('proposal' in subject) {
      const { view, parentView, payload } = subject.proposal;
      return {
        view,
        kind: KINDS[subject.kind],
        what: `${parentView}:${Buffer.from(payload).toString('hex')}`,
      };
    }
    return { view: subject.view, kind: 'X', what: '' };
  }

  /** A vote that an honest key sent, on any machine, before or after any crash. */
  sent(vote: Vote): void {
    const { view, kind, what } = this.#describe(vote.subject);
    const key = `${vote.signer}/${view}/`;
    const before = this.#votes.get(key + kind);
    if (before !== undefined && before !== what) {
      this.violation(`validator ${vote.signer} signed two ${kind} in view ${view}`);
    }
    this.#votes.set(key + kind, what);
    if (kind !== 'N' && this.#votes.has(key + (kind === 'X' ? 'F' : 'X'))) {
      this.violation(`validator ${vote.signer} signed X and F in view ${view}`);
    }
  }

  /** A certificate that an honest machine sent. */
  certificate(certificate: Certificate): void {
    const { view, kind, what } = this.#describe(certificate.subject);
    const bitmap = Buffer.from(certificate.signers).toString('hex');
    const id = createHash('sha256')
      .update(`${kind}/${view}/${what}/${bitmap}/`)
      .update(Buffer.concat(certificate.signatures))
      .digest('hex');
    if (this.#checked.has(id)) return;
    this.#checked.add(id);
    this.#checkSigners(certificate, `${kind}(${view})`);
    const facts = this.#views.get(view) ?? { notarized: new Set(), finalized: new Set(), nullified: false };
    this.#views.set(view, facts);
    if (kind === 'X') facts.nullified = true;
    else facts[kind === 'N' ? 'notarized' : 'finalized'].add(what);
    if (facts.notarized.size > 1) this.violation(`two notarizations in view ${view}`);
    if (facts.finalized.size > 1) this.violation(`two finalizations in view ${view}`);
    if (facts.nullified && facts.finalized.size > 0) this.violation(`X and F certificates in view ${view}`);
    for (const finalized of facts.finalized) {
      if (facts.notarized.size > 0 && !facts.notarized.has(finalized)) {
        this.violation(`view ${view} was notarized and finalised differently`);
      }
    }
  }

  #checkSigners(certificate: Certificate, name: string): void {
    const message = preimage(this.#genesisHash, certificate.subject);
    let stake = 0;
    let used = 0;
    for (let i = 0; i < this.#stakes.length; i++) {
      if ((certificate.signers[Math.floor(i / 8)]! >> (i % 8)) % 2 === 0) continue;
      stake += this.#stakes[i]!;
      if (!this.#verifier.verify(certificate.signatures[used++]!, message, this.#publicKeys[i]!)) {
        this.violation(`${name} carries a wrong signature of ${i}`);
      }
    }
    if (stake <= (this.#total * 2) / 3 || used !== certificate.signatures.length) {
      this.violation(`${name} is signed by ${stake} of ${this.#total}`);
    }
  }

  /** A machine holds this block final at this height. */
  finalized(machine: string, height: number, proposal: Proposal, stateHash: string): void {
    const id = `${Buffer.from(proposal.payload).toString('hex')}/${proposal.view}/${proposal.parentView}/${stateHash}`;
    const known = this.#chain.get(height);
    if (known === undefined) this.#chain.set(height, { id, proposal });
    else if (known.id !== id)
      this.violation(`${machine} finalised another block or state at height ${height}`);
    const expected = (this.#heights.get(machine) ?? 0) + 1;
    if (height !== expected) {
      this.violation(`${machine} finalised height ${height} where ${expected} was due`);
    }
    this.#heights.set(machine, height);
  }

  heightOf(machine: string): number {
    return this.#heights.get(machine) ?? 0;
  }

  /** Once a run is over: every view that a finalised block skips was nullified, and nothing else was. */
  finish(): void {
    let parentView = 0;
    for (let height = 1; this.#chain.has(height); height++) {
      const { proposal } = this.#chain.get(height)!;
      if (proposal.parentView !== parentView) {
        this.violation(`height ${height} stands on view ${proposal.parentView}, not on ${parentView}`);
      }
      for (let view = parentView + 1; view < proposal.view; view++) {
        if (this.#views.get(view)?.nullified !== true) {
          this.violation(`height ${height} skips view ${view}, which nobody nullified`);
        }
      }
      parentView = proposal.view;
    }
  }
}

function preimage(genesisHash: Uint8Array, subject: Subject): Uint8Array {
  const number = (value: number): Buffer => {
    const out = Buffer.alloc(8);
    out.writeBigUInt64BE(BigInt(value));
    return out;
  };
  const head = [Buffer.from('kryder/vote/1'), genesisHash];
  if (!('proposal' in subject)) {
    return Buffer.concat([...head, number(subject.epoch), Buffer.of(2), number(subject.view)]);
  }
  const { epoch, view, parentView, payload } = subject.proposal;
  return Buffer.concat([
    ...head,
    number(epoch),
    Buffer.of(subject.kind),
    number(view),
    number(parentView),
    payload,
  ]);
}
