/**
 * The application of a simulated node: tiny blocks that name their parent and carry a time, a database that
 * remembers only what it wrote before a crash, bodies fetched from peers when they are missing, and import of
 * finalised blocks by itself when the state machine names one whose ancestors it does not have.
 */
import { type Bytes, equal, keyOf, toHex, utf8 } from '../../src/codec/bytes.ts';
import { isProtocolError } from '../../src/codec/errors.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { Reader } from '../../src/codec/reader.ts';
import { Writer } from '../../src/codec/writer.ts';
import type { Finalization } from '../../src/consensus/events.ts';
import type {
  Application,
  BuildRequest,
  CertifyRequest,
  CertifyResult,
  Floor,
  RecoveredBody,
  VerifyRequest,
  VerifyResult,
} from '../../src/consensus/host.ts';
import { type Certificate, FINALIZE, type Proposal } from '../../src/consensus/types.ts';
import type { Prng } from './prng.ts';
import type { Timeline } from './scheduler.ts';

export interface Block {
  readonly view: number;
  readonly parentView: number;
  readonly parentPayload: Bytes;
  readonly height: number;
  readonly proposer: number;
  readonly salt: number;
  /** Passes the stateless checks and fails in execution. */
  readonly poisoned: boolean;
  /** Milliseconds on the proposer's wall clock; 0 or absent for the least that is allowed, its parent's plus one. */
  readonly time?: number;
}

/** Of what is never called off. */
const NEVER = new AbortController().signal;

type DecodedBlock = Block & { readonly time: number };

/** A block may be so much ahead of the clock of whoever verifies it; one that is further ahead waits. */
const TIME_TOLERANCE = 500;
/** What a wall clock without error shows when a run begins, and the time of the genesis block. */
const WALL_ORIGIN = 1_000_000;

export function encodeBlock(block: Block): Bytes {
  const writer = new Writer().array(8).uint(block.view).uint(block.parentView).bin(block.parentPayload);
  writer
    .uint(block.height)
    .uint(block.proposer)
    .uint(block.salt)
    .uint(block.poisoned ? 1 : 0)
    .uint(block.time ?? 0);
  return writer.finish();
}

/**
 * What bytes that were seen before hold and what they hash to: a broadcast body reaches many machines as one and the
 * same. Nobody changes bytes that are on their way.
 */
const decoded = new WeakMap<Bytes, DecodedBlock>();
const hashed = new WeakMap<Bytes, Bytes>();

/** Strict inverse of `encodeBlock`. Throws codec errors. */
export function decodeBlock(bytes: Bytes): DecodedBlock {
  let block = decoded.get(bytes);
  if (block === undefined) {
    block = readBlock(bytes);
    decoded.set(bytes, block);
  }
  return block;
}

function readBlock(bytes: Bytes): DecodedBlock {
  const reader = new Reader(bytes);
  reader.array(8);
  const block = {
    view: reader.uint(),
    parentView: reader.uint(),
    parentPayload: reader.bin(32).slice(),
    height: reader.uint(),
    proposer: reader.uint(),
    salt: reader.uint(),
    poisoned: reader.uint(1) === 1,
    time: reader.uint(),
  };
  reader.end();
  return block;
}

/** Undefined for bytes that are no block. */
function parseBlock(body: Bytes): DecodedBlock | undefined {
  try {
    return decodeBlock(body);
  } catch (error) {
    if (isProtocolError(error)) return undefined;
    throw error;
  }
}

export function payloadOf(body: Bytes): Bytes {
  let payload = hashed.get(body);
  if (payload === undefined) {
    payload = sha256(body);
    hashed.set(body, payload);
  }
  return payload;
}

export const GENESIS: Proposal = { epoch: 0, view: 0, parentView: 0, payload: sha256(utf8('genesis block')) };

/** What a crash leaves of the application. */
export class Database {
  readonly blocks: { proposal: Proposal; body: Bytes }[] = [];
  finalization: Certificate | undefined;

  get floor(): Floor {
    return {
      proposal: this.blocks[this.blocks.length - 1]?.proposal ?? GENESIS,
      finalization: this.finalization,
    };
  }
}

export interface AppWorld {
  readonly scheduler: Timeline;
  readonly random: Prng;
  readonly self: number;
  /** Milliseconds by which the machine's wall clock is ahead of the true time, now. */
  clockError(): number;
  /** Asks one peer, or a random one, for a body; the answer comes in through `gotBody`. */
  requestBody(payload: Bytes, from: number | undefined): void;
  onDurable(view: number): void;
  onSynced(certificate: Certificate): void;
  /** What is final does not contain what this machine holds final. */
  forked(why: string): void;
  /** For the oracle: this node holds the block final at this height. */
  finalized(block: Block, proposal: Proposal, stateHash: string): void;
}

export class SimApp implements Application {
  readonly database: Database;
  readonly #world: AppWorld;
  readonly #bodies = new Map<string, Bytes>();
  readonly #waiting = new Map<string, (() => void)[]>();
  /** State after a block, by its payload. */
  readonly #states = new Map<string, string>();
  /** Time of a block that was executed, by its payload. */
  readonly #times = new Map<string, number>();
  #importing = false;
  #target: { proposal: Proposal; certificate: Certificate; own: boolean } | undefined;
  recovered = false;

  constructor(database: Database, world: AppWorld) {
    this.database = database;
    this.#world = world;
    this.#states.set(keyOf(GENESIS.payload), 'genesis');
    this.#times.set(keyOf(GENESIS.payload), WALL_ORIGIN - 60_000);
    for (const { proposal, body } of database.blocks) {
      this.#bodies.set(keyOf(proposal.payload), body);
      this.#execute(proposal.payload, decodeBlock(body));
    }
  }

  bodyOf(payload: Bytes): Bytes | undefined {
    return this.#bodies.get(keyOf(payload));
  }

  /** Stores a body under its own hash, whatever it was sent as. */
  gotBody(body: Bytes): void {
    const key = keyOf(payloadOf(body));
    if (this.#bodies.has(key)) return;
    this.#bodies.set(key, body);
    for (const resolve of this.#waiting.get(key) ?? []) resolve();
    this.#waiting.delete(key);
  }

  recover(bodies: readonly RecoveredBody[]): Promise<void> {
    for (const { body } of bodies) this.gotBody(body);
    this.recovered = true;
    return Promise.resolve();
  }

  async build(request: BuildRequest): Promise<{ payload: Bytes; body: Bytes } | undefined> {
    const { scheduler, random, self } = this.#world;
    await scheduler.sleep(random.int(1, 15));
    if (random.chance(0.01)) return undefined;
    await this.#executed(request.parent.payload);
    const now = Math.floor(this.#wallClock());
    const body = encodeBlock({
      view: request.view,
      parentView: request.parent.view,
      parentPayload: request.parent.payload,
      height: this.#heightOf(request.parent.payload) + 1,
      proposer: self,
      salt: random.next(),
      poisoned: false,
      time: Math.max(now, this.#timeOf(request.parent.payload) + 1),
    });
    this.gotBody(body);
    return { payload: payloadOf(body), body };
  }

  async verify({ proposal, parent, leader, signal }: VerifyRequest): Promise<VerifyResult> {
    const body = await this.#fetch(proposal.payload, leader, signal);
    await this.#world.scheduler.sleep(this.#world.random.int(1, 10));
    const block = parseBlock(body);
    if (block === undefined) return { outcome: 'invalid', reason: 'not a block' };
    if (!equal(block.parentPayload, parent.payload)) return { outcome: 'invalid', reason: 'another parent' };
    if (
      block.view !== proposal.view ||
      block.parentView !== proposal.parentView ||
      block.proposer !== leader
    ) {
      return { outcome: 'invalid', reason: 'another place' };
    }
    await this.#executed(parent.payload);
    if (block.time !== 0 && block.time <= this.#timeOf(parent.payload)) {
      return { outcome: 'invalid', reason: 'not after its parent' };
    }
    while (block.time > this.#wallClock() + TIME_TOLERANCE) {
      if (signal.aborted) return new Promise(() => undefined);
      await this.#world.scheduler.sleep(Math.min(200, block.time - this.#wallClock() - TIME_TOLERANCE) + 1);
    }
    return { outcome: 'valid', body };
  }

  #wallClock(): number {
    return WALL_ORIGIN + this.#world.scheduler.now() + this.#world.clockError();
  }

  #timeOf(payload: Bytes): number {
    return this.#times.get(keyOf(payload)) ?? 0;
  }

  async certify({ proposal, parent, signal }: CertifyRequest): Promise<CertifyResult> {
    const body = await this.#fetch(proposal.payload, undefined, signal);
    await this.#executed(parent.payload);
    await this.#world.scheduler.sleep(this.#world.random.int(1, 20));
    const block = parseBlock(body);
    if (block === undefined) return { ok: false, body, reason: 'not a block' };
    if (block.poisoned) return { ok: false, body, reason: 'poisoned' };
    if (block.height !== this.#heightOf(parent.payload) + 1)
      return { ok: false, body, reason: 'wrong height' };
    this.#execute(proposal.payload, block);
    return { ok: true, body };
  }

  finalize({ proposals, certificate }: Finalization): void {
    this.#import(proposals[proposals.length - 1]!, certificate, false);
  }

  /** A peer says that this is final, and the certificate verifies. */
  considerTip(certificate: Certificate): void {
    if (certificate.subject.kind !== FINALIZE) return;
    this.#import(certificate.subject.proposal, certificate, true);
  }

  #import(proposal: Proposal, certificate: Certificate, own: boolean): void {
    if (proposal.view <= this.database.floor.proposal.view) return;
    if (this.#target !== undefined && this.#target.proposal.view >= proposal.view) return;
    this.#target = { proposal, certificate, own };
    if (!this.#importing) void this.#importLoop();
  }

  async #importLoop(): Promise<void> {
    this.#importing = true;
    while (this.#target !== undefined) {
      const { proposal, certificate, own } = this.#target;
      const tip = this.database.floor.proposal;
      const chain: { proposal: Proposal; body: Bytes }[] = [];
      let cursor = proposal;
      while (cursor.view > tip.view) {
        const body = await this.#fetch(cursor.payload, undefined, NEVER);
        chain.unshift({ proposal: cursor, body });
        const block = decodeBlock(body);
        cursor = { epoch: 0, view: block.parentView, parentView: 0, payload: block.parentPayload };
      }
      if (!equal(cursor.payload, tip.payload)) {
        this.#target = undefined;
        this.#world.forked('the finalised chain does not contain its own past');
        break;
      }
      const entries = chain.map((entry, at) => ({
        ...entry,
        proposal: { ...entry.proposal, parentView: at === 0 ? tip.view : chain[at - 1]!.proposal.view },
      }));
      await this.#world.scheduler.sleep(this.#world.random.int(1, 12));
      for (const { proposal: held, body } of entries) {
        const block = decodeBlock(body);
        this.#execute(held.payload, block);
        this.database.blocks.push({ proposal: held, body });
        this.#world.finalized(block, held, this.#states.get(keyOf(held.payload)) ?? 'not executed');
      }
      this.database.finalization = certificate;
      if (this.#target?.proposal.view === proposal.view) this.#target = undefined;
      if (own) this.#world.onSynced(certificate);
      this.#world.onDurable(proposal.view);
    }
    this.#importing = false;
  }

  #heightOf(payload: Bytes): number {
    const body = this.#bodies.get(keyOf(payload));
    return body === undefined ? 0 : decodeBlock(body).height;
  }

  #execute(payload: Bytes, block: DecodedBlock): void {
    const parent = this.#states.get(keyOf(block.parentPayload));
    if (parent === undefined) return;
    this.#times.set(keyOf(payload), block.time === 0 ? this.#timeOf(block.parentPayload) + 1 : block.time);
    this.#states.set(keyOf(payload), toHex(sha256(utf8(parent), payload)).slice(0, 16));
  }

  /** Waits until the block and all its ancestors are executed; re-executes recovered bodies. */
  async #executed(payload: Bytes): Promise<void> {
    while (!this.#states.has(keyOf(payload))) {
      const missing: { payload: Bytes; block: DecodedBlock }[] = [];
      let cursor = payload;
      while (!this.#states.has(keyOf(cursor))) {
        const body = await this.#fetch(cursor, undefined, NEVER);
        const block = decodeBlock(body);
        missing.unshift({ payload: cursor, block });
        cursor = block.parentPayload;
      }
      for (const entry of missing) this.#execute(entry.payload, entry.block);
    }
  }

  /** The body, asked for again and again while it is missing. */
  async #fetch(payload: Bytes, first: number | undefined, signal: AbortSignal): Promise<Bytes> {
    const key = keyOf(payload);
    for (let from = first; ; from = undefined) {
      const held = this.#bodies.get(key);
      if (held !== undefined) return held;
      if (signal.aborted) return new Promise(() => undefined);
      this.#world.requestBody(payload, from);
      await new Promise<void>((resolve) => {
        const cancel = this.#world.scheduler.after(this.#world.random.int(60, 120), resolve);
        const arrived = (): void => {
          cancel();
          resolve();
        };
        this.#waiting.set(key, [...(this.#waiting.get(key) ?? []), arrived]);
      });
    }
  }
}
