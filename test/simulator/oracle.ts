/**
 * What must hold in every run, judged from outside, as the run goes: nothing here calls the predicates under test.
 * It reads every vote and certificate that honest machines send, as bytes, and hears of every block that they hold
 * final and of everybody whom they accuse. Where more than a third of the stake is dishonest, safety may be lost;
 * then what it insists on is that honest keys stay clean, that only the guilty are accused, and that two conflicting
 * finalizations leave evidence against more than a third of the stake.
 */
import type { SignatureVerifier } from '../../src/crypto/interfaces.ts';
import { Evidence } from './oracle/evidence.ts';
import { type CertificateRead, isQuorum, Reading, type Statement } from './oracle/reading.ts';

/** What a run may tell before the oracle stops listening. */
const MOST_VIOLATIONS = 20;

interface Facts {
  readonly notarized: Set<string>;
  readonly finalized: Set<string>;
  nullified: boolean;
}

interface Final {
  readonly id: string;
  readonly view: number;
  readonly parentView: number;
}

interface Dishonest {
  /** Indexes of the validators that keep no rules. */
  readonly guilty: ReadonlySet<number>;
  /** They hold more than a third of the stake. */
  readonly excess: boolean;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export class Oracle {
  readonly violations: string[] = [];
  readonly #publicKeys: readonly Uint8Array[];
  readonly #stakes: readonly number[];
  readonly #verifier: SignatureVerifier;
  readonly #dishonest: Dishonest | undefined;
  /** Validators whose votes come from honest machines. */
  readonly #senders = new Set<number>();
  readonly #accused = new Set<number>();
  readonly #total: number;
  readonly #reading: Reading;
  readonly #evidence = new Evidence();
  readonly #views = new Map<number, Facts>();
  /** Certificates that were judged. */
  readonly #seen = new WeakSet<Uint8Array>();
  /** Signatures that verified, by statement and signer. */
  readonly #verified = new Map<string, Map<number, Uint8Array>>();
  /** Stake behind X, by view, of signatures that were seen in votes or certificates. */
  readonly #nullifying = new Map<number, number>();
  /** The one block of each height, with its state. */
  readonly #chain = new Map<number, Final>();
  readonly #heights = new Map<string, number>();
  #breaches = 0;
  #version = 0;
  #highestView = 0;
  #highest = 0;
  /** Statements of guilty and honest validators that were seen signed. */
  signatures = 0;

  /** Without a list of the dishonest, whoever votes from an honest machine is held to the rules. */
  constructor(
    publicKeys: readonly Uint8Array[],
    stakes: readonly number[],
    genesisHash: Uint8Array,
    verifier: SignatureVerifier,
    dishonest?: Dishonest,
  ) {
    this.#publicKeys = publicKeys;
    this.#stakes = stakes;
    this.#verifier = verifier;
    this.#dishonest = dishonest;
    this.#total = stakes.reduce((sum, stake) => sum + stake, 0);
    this.#reading = new Reading(genesisHash);
  }

  #isHonest(signer: number): boolean {
    const { guilty } = this.#dishonest ?? {};
    return guilty === undefined ? this.#senders.has(signer) : !guilty.has(signer);
  }

  /** Validators that an honest machine holds evidence against, ascending. */
  get accusedValidators(): number[] {
    return [...this.#accused].sort((a, b) => a - b);
  }

  /** Grows whenever something happened that may decide a run. */
  get version(): number {
    return this.#version;
  }

  get finalizedHeight(): number {
    return this.#highest;
  }

  get highestView(): number {
    return this.#highestView;
  }

  /** How often safety was seen broken, where too much stake is dishonest for it to hold. */
  get breaches(): number {
    return this.#breaches;
  }

  violation(text: string): void {
    this.#version++;
    if (this.violations.length < MOST_VIOLATIONS) this.violations.push(text);
  }

  /** Something that must not happen unless more than a third of the stake is dishonest. */
  breach(text: string): void {
    if (this.#dishonest?.excess === true) this.#breaches++;
    else this.violation(text);
  }

  entered(view: number): void {
    if (view <= this.#highestView) return;
    this.#highestView = view;
    this.#version++;
  }

  /** A vote that the honest validator with this index sent, on any machine, before or after any crash. */
  vote(index: number, bytes: Uint8Array): void {
    const { statement, signer, signature } = this.#reading.vote(bytes);
    this.#senders.add(index);
    if (signer !== index) this.violation(`validator ${index} sends votes of ${signer}`);
    else if (!this.#signed(statement, signer, signature)) {
      this.violation(`the ${statement.id} of validator ${signer} carries a wrong signature`);
    }
  }

  /** True if the signature is right; its signer is then held to it. */
  #signed(statement: Statement, signer: number, signature: Uint8Array): boolean {
    let known = this.#verified.get(statement.id);
    if (known === undefined) {
      known = new Map();
      this.#verified.set(statement.id, known);
    }
    const held = known.get(signer);
    if (held !== undefined && same(held, signature)) return true;
    const key = this.#publicKeys[signer];
    if (key === undefined) return false;
    if (!this.#verifier.verify(signature, statement.message, key)) return false;
    if (held !== undefined) return true;
    this.signatures++;
    known.set(signer, signature);
    if (statement.kind === 'X') {
      const stake = (this.#nullifying.get(statement.view) ?? 0) + this.#stakes[signer]!;
      this.#nullifying.set(statement.view, stake);
    }
    const crime = this.#evidence.add(signer, statement);
    if (crime !== undefined && this.#isHonest(signer)) this.violation(`validator ${signer} ${crime}`);
    return true;
  }

  /** A certificate that an honest machine sent. */
  certificate(bytes: Uint8Array): void {
    if (this.#seen.has(bytes)) return;
    this.#seen.add(bytes);
    const certificate = this.#reading.certificate(bytes);
    const { kind, view, id } = certificate.statement;
    this.#checkSigners(certificate, `${kind}(${view})`);
    const facts = this.#views.get(view) ?? { notarized: new Set(), finalized: new Set(), nullified: false };
    this.#views.set(view, facts);
    if (kind === 'X') facts.nullified = true;
    else facts[kind === 'N' ? 'notarized' : 'finalized'].add(id.slice(1));
    if (facts.notarized.size > 1) this.breach(`two notarizations in view ${view}`);
    if (facts.finalized.size > 1) this.breach(`two finalizations in view ${view}`);
    if (facts.nullified && facts.finalized.size > 0) this.breach(`X and F certificates in view ${view}`);
    for (const finalized of facts.finalized) {
      if (facts.notarized.size > 0 && !facts.notarized.has(finalized)) {
        this.breach(`view ${view} was notarized and finalised differently`);
      }
    }
  }

  #checkSigners({ statement, signers, signatures }: CertificateRead, name: string): void {
    let stake = 0;
    signers.forEach((signer, at) => {
      const signature = signatures[at];
      stake += this.#stakes[signer] ?? 0;
      if (signature === undefined || !this.#signed(statement, signer, signature)) {
        this.violation(`${name} carries a wrong signature of ${signer}`);
      }
    });
    if (!isQuorum(stake, this.#total) || signers.length !== signatures.length) {
      this.violation(`${name} is signed by ${stake} of ${this.#total}`);
    }
  }

  /** An honest machine holds these two votes against a validator. */
  accused(machine: string, signer: number, votes: readonly [Uint8Array, Uint8Array]): void {
    this.#accused.add(signer);
    if (this.#isHonest(signer)) this.violation(`${machine} holds evidence against honest ${signer}`);
    const judge = new Evidence();
    for (const bytes of votes) {
      const vote = this.#reading.vote(bytes);
      if (vote.signer !== signer || !this.#signed(vote.statement, signer, vote.signature)) {
        this.violation(`${machine} accuses ${signer} with a signature that is not its own`);
      }
      judge.add(signer, vote.statement);
    }
    if (!judge.guilty.has(signer)) this.violation(`${machine} accuses ${signer} with votes that go together`);
  }

  /** An honest machine cuts off another one. */
  offended(machine: string, other: string, honest: boolean, offence: string): void {
    if (honest) this.violation(`${machine} accuses ${other} of ${offence}`);
  }

  /** A machine holds this block final at this height. */
  finalized(
    machine: string,
    height: number,
    proposal: { readonly view: number; readonly parentView: number; readonly payload: Uint8Array },
    stateHash: string,
  ): void {
    this.#version++;
    const { view, parentView } = proposal;
    const id = `${Buffer.from(proposal.payload).toString('hex')}/${view}/${parentView}/${stateHash}`;
    const known = this.#chain.get(height);
    if (known === undefined) {
      this.#chain.set(height, { id, view, parentView });
      this.#highest = Math.max(this.#highest, height);
      const parent = this.#chain.get(height - 1)?.view ?? 0;
      if (parentView !== parent)
        this.breach(`height ${height} stands on view ${parentView}, not on ${parent}`);
    } else if (known.id !== id)
      this.breach(`${machine} finalised another block or state at height ${height}`);
    const expected = (this.#heights.get(machine) ?? 0) + 1;
    if (height !== expected) this.breach(`${machine} finalised height ${height} where ${expected} was due`);
    this.#heights.set(machine, height);
  }

  heightOf(machine: string): number {
    return this.#heights.get(machine) ?? 0;
  }

  /** Once a run is over: every view that a finalised block skips was nullified, and broken safety left evidence. */
  finish(): void {
    for (const [height, { view: end, parentView }] of this.#chain) {
      for (let view = parentView + 1; view < end; view++) {
        const certified = this.#views.get(view)?.nullified === true;
        if (certified || isQuorum(this.#nullifying.get(view) ?? 0, this.#total)) continue;
        this.breach(`height ${height} skips view ${view}, which nobody nullified`);
      }
    }
    if (this.#breaches === 0) return;
    let stake = 0;
    for (const signer of this.#evidence.guilty) if (!this.#isHonest(signer)) stake += this.#stakes[signer]!;
    if (3 * stake <= this.#total) {
      this.violation(`safety was broken and the evidence weighs ${stake} of ${this.#total}`);
    }
  }
}
