/**
 * One machine of a run around the production block application: replica with journal and signer, lanes, bodies,
 * mempool, executor, ledger and database, put together as src/node/node.ts does, over a simulated network, disk,
 * store and clock. A machine dies at any named fail point or without one; what a dead process had under way never
 * ends. The next start reads what the disks have kept, as a node does.
 */
import pino from 'pino';
import { type Genesis, genesisHash } from '../../../src/chain/genesis.ts';
import { toHex } from '../../../src/codec/bytes.ts';
import { ProtocolError } from '../../../src/codec/errors.ts';
import type { Report } from '../../../src/consensus/events.ts';
import { Replica } from '../../../src/consensus/replica.ts';
import type { ValidatorSet } from '../../../src/consensus/types.ts';
import { genesisEntries } from '../../../src/ledger/genesis.ts';
import { DEFAULT_MEMPOOL_LIMITS } from '../../../src/mempool/types.ts';
import { Admissions } from '../../../src/node/admission.ts';
import { NodeApplication } from '../../../src/node/application.ts';
import { Bodies } from '../../../src/node/bodies.ts';
import { Chain, type ExecutedBlock } from '../../../src/node/chain.ts';
import { Exchanged } from '../../../src/node/exchanged.ts';
import type { TransactionRelay } from '../../../src/node/gossip.ts';
import type { LaneParts } from '../../../src/node/lane-parts.ts';
import { ConsensusLanes, networkHandlers } from '../../../src/node/lanes.ts';
import { PeerChoice } from '../../../src/node/peer-choice.ts';
import { decodeTransactionList, encodeTransactionList } from '../../../src/node/requests.ts';
import { floorOf, loadLedger, loadReplay } from '../../../src/node/start-up.ts';
import { RangeSync } from '../../../src/node/sync.ts';
import { InlineVerifier } from '../../../src/node/verify-pool.ts';
import { ChainDatabase } from '../../../src/storage/database.ts';
import type { FailPoint } from '../../../src/storage/fail-points.ts';
import { SimDisk } from '../disk.ts';
import type { Endpoint, Message, SimNetwork } from '../network.ts';
import type { Prng } from '../prng.ts';
import type { Scheduler, Timeline } from '../scheduler.ts';
import type { Scheme } from '../scheme.ts';
import type { Trace } from '../trace.ts';
import type { Checks } from './checks.ts';
import { CrashStore } from './store.ts';
import { GENESIS_TIME } from './traffic.ts';
import { Wire } from './wire.ts';

const SEGMENT_BYTES = 16_384;
/** Fail points of the block application; those of the journal are the disk's own. */
export const COMMIT_POINTS = [
  'database.before-commit',
  'database.after-commit',
  'finalise.before-mempool',
] as const;
type CommitPoint = (typeof COMMIT_POINTS)[number];

interface MachineOptions {
  readonly name: string;
  readonly index: number;
  readonly genesis: Genesis;
  readonly set: ValidatorSet;
  readonly scheme: Scheme;
  readonly scheduler: Scheduler;
  readonly network: SimNetwork;
  readonly random: Prng;
  readonly trace: Trace;
  readonly checks: Checks;
  /** Its store breaks its promise. */
  readonly forgetful: boolean;
}

/** What of a machine lives as long as its process. */
interface Process {
  readonly chain: Chain;
  readonly replica: Replica;
  readonly admissions: Admissions;
  readonly wire: Wire;
  readonly receive: (message: Message, from: Endpoint) => void;
}

const log = pino({ level: 'silent' });

/** The process has died in the middle of a step: nothing after it happens any more. */
class Died extends Error {}

export class Machine implements Endpoint {
  readonly name: string;
  readonly index: number;
  readonly disk: SimDisk;
  readonly store: CrashStore;
  readonly #o: MachineOptions;
  readonly #genesisHash: Uint8Array;
  #process: Process | undefined;
  #incarnation = 0;
  #starting = false;
  /** Dies at the next pass of this point. */
  armed: CommitPoint | undefined;
  /** Deaths at each point. */
  readonly deaths = new Map<string, number>();

  constructor(options: MachineOptions) {
    this.#o = options;
    this.name = options.name;
    this.index = options.index;
    this.#genesisHash = genesisHash(options.genesis);
    this.disk = new SimDisk(options.scheduler, options.random.fork('disk'));
    this.store = new CrashStore(options.scheduler, options.random.fork('store'), options.forgetful);
    this.disk.onCrash = () => this.crash('journal');
  }

  get running(): boolean {
    return this.#process !== undefined || this.#starting;
  }

  get height(): number {
    return this.#process?.chain.durable.height ?? 0;
  }

  get view(): number {
    return this.#process?.replica.view ?? 0;
  }

  crash(where = 'anywhere'): void {
    if (!this.running) return;
    this.#trace(`crash ${where}`);
    this.deaths.set(where, (this.deaths.get(where) ?? 0) + 1);
    this.#incarnation++;
    this.#process = undefined;
    this.#starting = false;
    this.armed = undefined;
    this.disk.crash();
    this.store.crash();
  }

  start(): void {
    if (this.running) return;
    const incarnation = ++this.#incarnation;
    const alive = (): boolean => this.#incarnation === incarnation;
    this.#starting = true;
    this.#build(alive).then(
      (process) => {
        if (!alive()) return;
        this.#process = process;
        this.#starting = false;
      },
      (error: unknown) => alive() && this.#fatal(error, 'did not start'),
    );
  }

  async #build(alive: () => boolean): Promise<Process> {
    const { genesis, set, scheme, scheduler, network, checks } = this.#o;
    const { parameters } = genesis;
    const random = this.#o.random.fork(`life ${this.#incarnation}`);
    const hash = this.#genesisHash;
    const { verifier } = scheme;
    const clock = lifelong(scheduler, alive);
    const { now } = clock;
    const sleep = (ms: number, signal: AbortSignal): Promise<void> => sleepOn(clock, ms, signal);
    const inline = new InlineVerifier({ genesisHash: hash, parameters, verifier });

    const entries = () => genesisEntries({ ...genesis, genesisHash: hash });
    const database = await ChainDatabase.over(this.store.open(), this.name, { hash, entries });
    const ledger = await loadLedger(database, log);
    const replay = loadReplay(database, genesis);
    checks.started(this.name, database.tip.height, ledger.committed);
    const pass = (point: FailPoint): void => this.#pass(point);
    const chain = new Chain({
      ...{ genesis, genesisHash: hash, set, database, ledger, replay, failPoint: pass },
      onCommitted: (block) => this.#committed(block, chain, admissions, bodies),
    });
    const rate = { transactionsPerSecond: 1_000_000, bytesPerSecond: 1 << 30 };
    const admissions: Admissions = new Admissions({
      ...{ limits: DEFAULT_MEMPOOL_LIMITS, verifier: inline, chain: () => chain, now },
      peerBudgets: { validators: rate, strangers: rate },
    });
    const wire = new Wire({
      ...{ self: this, network, clock, alive },
      onOffence: (peer, offence) => checks.offence(this.name, peer, offence),
    });
    const peers = {
      request: wire.request.bind(wire),
      ready: () => wire.peers().map(({ id }) => id),
      validator: (index: number) => wire.validatorPeer(index),
      penalise: wire.penalise.bind(wire),
    };
    const { maxBlockBytes } = parameters;
    const choice = (): PeerChoice => new PeerChoice(now, random.fork('choice').float);
    const bodies: Bodies = new Bodies({
      ...{ maxBlockBytes, peers, verifier: inline, pool: admissions.mempool, sleep, choice: choice() },
    });
    const common = { chain, bodies, peers, set, genesisHash: hash, verifier, maxBlockBytes, sleep };
    const sync = new RangeSync({
      ...{ ...common, now, choice: choice() },
      onSynced: (certificate) => replica.onSynced(certificate),
      onProgress: () => undefined,
    });
    const fatal = (error: unknown): void => {
      if (alive()) this.#fatal(error, 'ended');
    };
    const application = new NodeApplication({
      ...{ ...common, mempool: admissions.mempool, sync, self: this.index, now },
      executionBudget: parameters.executionBudget,
      wallClock: () => GENESIS_TIME + Math.floor(now()),
      onFatal: fatal,
      onDurable: (view) => replica.onDurable(view),
      onBuildFailed: (error) => alive() && checks.broken(`${this.name} cannot build: ${String(error)}`),
    });
    let parts: LaneParts | undefined;
    const lanes = new ConsensusLanes(() => (alive() ? parts : undefined), random.fork('lanes').float);
    const replica: Replica = new Replica({
      ...{ set, genesisHash: hash, key: scheme.keys[this.index], verifier, clock },
      timing: { ...parameters, resendInterval: 400, standstill: 1_500 },
      random: random.fork('jitter').float,
      randomBytes: random.fork('salt').bytes,
      ...{ disk: this.disk.open(), segmentBytes: SEGMENT_BYTES, application, network: lanes },
      host: { fatal, report: (report) => alive() && this.#report(report) },
    });
    parts = {
      ...{ set, genesisHash: hash, verifier, maxBlockBytes, chain, bodies, database, replica, network: wire },
      relay: relayOf(admissions),
      exchanged: new Exchanged(now),
    };
    const handlers = networkHandlers(() => (alive() ? parts : undefined), now);
    await replica.start({ floor: await floorOf(database, set, genesis, verifier) });
    return {
      chain,
      replica,
      admissions,
      wire,
      receive: (message, from) => wire.receive(handlers, message, from),
    };
  }

  /** The process dies here, if it was told to. */
  #pass(point: FailPoint): void {
    if (this.armed !== point) return;
    this.crash(point);
    throw new Died(point);
  }

  #committed(executed: ExecutedBlock, chain: Chain, admissions: Admissions, bodies: Bodies): void {
    this.#pass('finalise.before-mempool');
    const { header, hash } = executed.block;
    admissions.finalised(executed.transactions);
    bodies.prune(header.height);
    this.#trace(
      `final ${header.height} view ${header.view} ${toHex(hash).slice(0, 8)} ${executed.transactions.length}`,
    );
    this.#o.checks.finalised(this.name, executed, chain.state);
  }

  #fatal(error: unknown, how: string): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (!text.includes('EIO') && !(error instanceof Died))
      this.#o.checks.broken(`${this.name} ${how}: ${text}`);
    this.crash('by itself');
  }

  /** A user sends a transaction to this machine, which tells the others. */
  async submit(bytes: Uint8Array): Promise<void> {
    const process = this.#process;
    if (process === undefined) return;
    const [result] = await process.admissions.admit([bytes], 'own');
    if (this.#process !== process || result === undefined) return;
    this.#o.checks.admitted(result.status === 'refused' ? result.error.code : result.status);
    if (result.status === 'admitted') await process.wire.publishTransactions(encodeTransactionList([bytes]));
  }

  receive(message: Message, from: Endpoint): void {
    this.#process?.receive(message, from);
  }

  #report(report: Report): void {
    const { checks } = this.#o;
    if (report.type === 'missed')
      this.#trace(`missed ${report.view} ${report.reason} ${report.detail ?? ''}`);
    else if ('view' in report) this.#trace(`${report.type} ${report.view}`);
    if (report.type === 'certified' && !report.ok)
      checks.broken(`${this.name} refuses a block of an honest leader: ${report.reason}`);
    if (report.type === 'application-failed') {
      const { error } = report;
      checks.broken(`${this.name} ${report.during}: ${error instanceof Error ? error.stack : String(error)}`);
    }
    if (['equivocation', 'conflict', 'refused', 'elsewhere'].includes(report.type))
      checks.broken(`${this.name} reports ${report.type}`);
  }

  #trace(line: string): void {
    this.#o.trace.add(this.#o.scheduler.now(), `${this.name} ${line}`);
  }
}

/** As much of the relay as a run needs: the real one collects batches on the clock of the process. */
function relayOf(admissions: Admissions): TransactionRelay {
  const receive: TransactionRelay['receive'] = async (batch, peer, validator) => {
    try {
      const results = await admissions.admit(decodeTransactionList(batch, 4_096), { peer, validator });
      return results.some((result) => result.status === 'refused' && result.stateless) ? 'reject' : 'ignore';
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return error.code.startsWith('CODEC_') ? 'reject' : 'busy';
    }
  };
  return { receive } as TransactionRelay;
}

function lifelong(scheduler: Scheduler, alive: () => boolean): Timeline {
  const after = (delay: number, callback: () => void): (() => void) =>
    scheduler.after(delay, () => {
      if (alive()) callback();
    });
  return { now: scheduler.now, after, sleep: (delay) => new Promise((resolve) => after(delay, resolve)) };
}

function sleepOn(clock: Timeline, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      cancel();
      reject(new ProtocolError('WAIT_CANCELLED', 'not needed any more'));
    };
    const cancel = clock.after(ms, () => {
      signal.removeEventListener('abort', abort);
      resolve();
    });
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}
