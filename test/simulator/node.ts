/**
 * One machine of a run: the production replica with its journal and signer on a simulated disk, network and
 * application. Whatever a crashed process still had under way never ends and is never heard of again.
 */
import { type Bytes, toHex } from '../../src/codec/bytes.ts';
import { isProtocolError } from '../../src/codec/errors.ts';
import { Reader } from '../../src/codec/reader.ts';
import { Writer } from '../../src/codec/writer.ts';
import { verifyCertificate } from '../../src/consensus/certificate.ts';
import type { Judgement, Report } from '../../src/consensus/events.ts';
import type { Timing } from '../../src/consensus/host.ts';
import { Replica } from '../../src/consensus/replica.ts';
import type { Certificate, ValidatorSet, Vote, VoteKind } from '../../src/consensus/types.ts';
import { encodeVote, subjectView } from '../../src/consensus/vote.ts';
import { Database, SimApp } from './app.ts';
import { journalBound, outOfBounds, Resends } from './bounds.ts';
import { Counters } from './counters.ts';
import { type Rot, SimDisk } from './disk.ts';
import type { Endpoint, Message, SimNetwork } from './network.ts';
import type { Oracle } from './oracle.ts';
import type { Prng } from './prng.ts';
import type { Scheduler, Timeline } from './scheduler.ts';
import type { Scheme } from './scheme.ts';
import type { Trace } from './trace.ts';
import { Wire } from './wire.ts';

const SEGMENT_BYTES = 8_192;
/** Between a failed start and the next attempt. */
const RETRY = 250;

export interface NodeOptions {
  readonly name: string;
  readonly index: number;
  /** False for a twin of an adversary's key: the oracle does not hold it to the rules. */
  readonly honest: boolean;
  readonly follower: boolean;
  readonly set: ValidatorSet;
  readonly genesisHash: Uint8Array;
  readonly scheme: Scheme;
  readonly timing: Timing;
  readonly scheduler: Scheduler;
  readonly network: SimNetwork;
  readonly oracle: Oracle;
  readonly trace: Trace;
  readonly random: Prng;
  /** Names of machines whose messages may deserve a judgement. */
  readonly suspects: ReadonlySet<string>;
  /** Milliseconds by which its wall clock is ahead of the true time, now; without it there is no error. */
  readonly clockError?: (() => number) | undefined;
  readonly counters?: Counters | undefined;
  readonly wire?: Wire | undefined;
}

export class SimNode implements Endpoint {
  readonly name: string;
  readonly index: number;
  readonly disk: SimDisk;
  readonly database = new Database();
  readonly #options: NodeOptions;
  readonly #wire: Wire;
  readonly #resends: Resends;
  readonly #counters: Counters;
  #replica: Replica | undefined;
  #app: SimApp | undefined;
  #incarnation = 0;
  /** What was damaged on its disk since it last ran. */
  #rotten: Rot | undefined;
  /** Its journal is damaged, and it has refused to start over it. */
  #lost = false;
  /** Views above the database's, at most so far. */
  #mostViews = 0;
  /** Reasons of missed views, for tests that look. */
  readonly missed = new Map<string, number>();
  restarts = 0;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.name = options.name;
    this.index = options.index;
    this.#counters = options.counters ?? new Counters();
    this.#wire = options.wire ?? new Wire(options.set);
    this.#resends = new Resends(options.timing, options.set.validators.length);
    this.disk = new SimDisk(options.scheduler, options.random.fork('disk'), this.#counters);
    this.disk.onCrash = (kill) => this.crash(kill);
  }

  get running(): boolean {
    return this.#replica !== undefined;
  }

  get replica(): Replica | undefined {
    return this.#replica;
  }

  /** True for a machine that will never start again, and is right not to. */
  get lost(): boolean {
    return this.#lost;
  }

  /** The most bytes that it sent again in any second. */
  get mostResent(): number {
    return this.#resends.highest;
  }

  /** Without power; with `kill` the process alone dies. */
  crash(kill = false): void {
    if (this.#replica === undefined) return;
    this.#trace(kill ? 'killed' : 'crash');
    this.#counters.count(kill ? 'processes killed' : 'power lost');
    this.#incarnation++;
    this.#replica = undefined;
    this.#app = undefined;
    if (kill) this.disk.kill();
    else this.disk.crash();
  }

  /** Kills the process and damages what its journal had synced. */
  rot(kind: Rot): void {
    this.crash(true);
    if (this.disk.rot(kind)) this.#rotten = kind;
  }

  start(): void {
    if (this.#replica !== undefined || this.#lost) return;
    const { scheduler, network, set, genesisHash, scheme, timing, follower, oracle, honest } = this.#options;
    const incarnation = ++this.#incarnation;
    const alive = (): boolean => this.#incarnation === incarnation;
    const random = this.#options.random.fork(`life ${incarnation}`);
    this.#trace(`start at ${this.database.floor.proposal.view}`);
    this.#resends.restarted();
    const send = (to: Endpoint | undefined, message: Message): void => {
      if (alive() && to !== undefined) network.send(this, to, message);
    };
    const broadcast = (message: Message, except?: string): void => {
      for (const to of network.endpoints) if (to.name !== except) send(to, message);
    };
    const anyPeer = (): Endpoint => random.pick(network.endpoints.filter((peer) => peer !== this));
    const peerWith = (index: number | undefined): Endpoint => {
      const peers = network.endpoints.filter((peer) => peer.index === index && peer !== this);
      return peers.length === 0 ? anyPeer() : random.pick(peers);
    };
    const certificateMessage = (certificate: Certificate): Message => {
      const bytes = this.#wire.encode(certificate);
      if (honest) oracle.certificate(bytes);
      return { kind: 'certificate', bytes };
    };
    const broadcastVote = (vote: Vote, message: Message): void => {
      if (honest) {
        oracle.vote(this.index, message.bytes);
        this.#resent(`${vote.subject.kind}/${subjectView(vote.subject)}`, message.bytes);
      }
      broadcast(message);
    };
    const app = new SimApp(this.database, {
      scheduler: lifelong(scheduler, alive),
      random: random.fork('app'),
      self: this.index,
      clockError: this.#options.clockError ?? (() => 0),
      requestBody: (payload, from) => send(peerWith(from), { kind: 'body-request', bytes: payload }),
      onDurable: (view) => alive() && this.#replica?.onDurable(view),
      onSynced: (certificate) => alive() && this.#replica?.onSynced(certificate),
      forked: (why) => honest && oracle.breach(`${this.name}: ${why}`),
      finalized: ({ height, poisoned }, proposal, state) => {
        this.#trace(`final ${height} view ${proposal.view} ${toHex(proposal.payload).slice(0, 8)}`);
        if (honest) oracle.finalized(this.name, height, proposal, state);
        if (honest && poisoned)
          oracle.violation(`${this.name} finalised an invalid block at height ${height}`);
      },
    });
    const replica = new Replica({
      set,
      genesisHash,
      key: follower ? undefined : scheme.keys[this.index],
      verifier: scheme.verifier,
      timing,
      clock: lifelong(scheduler, alive),
      random: random.fork('jitter').float,
      randomBytes: random.fork('salt').bytes,
      disk: this.disk.open(),
      segmentBytes: SEGMENT_BYTES,
      application: app,
      network: {
        broadcastVote: (vote) => broadcastVote(vote, { kind: 'vote', bytes: encodeVote(vote) }),
        sendProposal: (vote, body) =>
          broadcastVote(vote, { kind: 'proposal', bytes: encodeVote(vote), body }),
        broadcastCertificate: (certificate, except) => {
          const message = certificateMessage(certificate);
          const { subject } = certificate;
          if (honest) this.#resent(`certificate ${subject.kind}/${subjectView(subject)}`, message.bytes);
          broadcast(message, except);
        },
        sendCertificate: (peer, certificate) => send(network.endpoint(peer), certificateMessage(certificate)),
        requestCertificate: ({ kind, view }, preferred) =>
          send(preferred === undefined ? anyPeer() : peerWith(preferred), {
            kind: 'query',
            bytes: new Writer().array(2).uint(kind).uint(view).finish(),
          }),
      },
      host: {
        fatal: (error) => alive() && this.#ended(error, 'ended'),
        report: (report) => alive() && this.#report(report),
      },
    });
    this.#replica = replica;
    this.#app = app;
    replica.start({ floor: this.database.floor }).then(
      () => {
        if (!alive()) return;
        const rotten = this.#rotten;
        this.#rotten = undefined;
        if (rotten !== undefined) oracle.violation(`${this.name} started over a journal that is ${rotten}`);
      },
      (error: unknown) => alive() && this.#ended(error, 'did not start'),
    );
  }

  /** The process has ended by itself: right after a failed write, and over a journal that lost what was synced. */
  #ended(error: unknown, how: string): void {
    const { oracle, scheduler } = this.#options;
    this.#trace(`${how}: ${error instanceof Error ? error.message : String(error)}`);
    if (this.#rotten !== undefined && isProtocolError(error) && error.code === 'JOURNAL_CORRUPT') {
      this.#lost = true;
      this.#counters.count('refused to start over a damaged journal');
    } else if (!/EIO|ENOSPC/.test(String(error))) {
      oracle.violation(`${this.name} ${how}: ${stackOf(error)}`);
    } else if (this.disk.full) {
      scheduler.after(RETRY, () => this.start());
    }
    this.crash();
  }

  /** Asks a peer what is final there; the application imports it by itself. */
  askForTip(): void {
    const { network, random } = this.#options;
    if (!this.running) return;
    const peer = random.pick(network.endpoints.filter((endpoint) => endpoint !== this));
    network.send(this, peer, { kind: 'tip-request', bytes: new Uint8Array(0) });
  }

  receive(message: Message, from: Endpoint): void {
    const [replica, app] = [this.#replica, this.#app];
    if (replica === undefined || app === undefined) return;
    try {
      this.#take(replica, app, message, from);
    } catch (error) {
      if (!isProtocolError(error)) throw error;
      this.#offence(error.code, from);
    }
  }

  /** Throws codec errors for bytes that are not what they are sent as. */
  #take(replica: Replica, app: SimApp, message: Message, from: Endpoint): void {
    const { network, set, genesisHash, scheme } = this.#options;
    switch (message.kind) {
      case 'vote':
        this.#judge(replica.onVote(this.#wire.vote(message.bytes), from.index), from);
        break;
      case 'proposal': {
        const vote = this.#wire.vote(message.bytes);
        if (message.body !== undefined) app.gotBody(message.body);
        this.#judge(replica.onProposal(vote), from);
        break;
      }
      case 'certificate':
        this.#judge(replica.onCertificate(this.#wire.certificate(message.bytes), from.name), from);
        break;
      case 'query': {
        const reader = new Reader(message.bytes);
        reader.array(2);
        const query = { kind: reader.uint(3) as VoteKind, view: reader.uint() };
        this.#judge(replica.onCertificateRequest(query, from.name), from);
        break;
      }
      case 'body-request': {
        const body = app.bodyOf(message.bytes);
        if (body !== undefined) network.send(this, from, { kind: 'body', bytes: body });
        break;
      }
      case 'body':
        app.gotBody(message.bytes);
        break;
      case 'tip-request': {
        const tip = this.database.finalization;
        if (tip !== undefined) network.send(this, from, { kind: 'tip', bytes: this.#wire.encode(tip) });
        break;
      }
      case 'tip': {
        const tip = this.#wire.certificate(message.bytes);
        verifyCertificate(tip, set, genesisHash, scheme.verifier);
        app.considerTip(tip);
        break;
      }
    }
  }

  /** Judges memory and journal, as they are now. */
  checkBounds(): void {
    const { set, oracle, honest } = this.#options;
    const metrics = this.#replica?.metrics();
    if (metrics === undefined || !honest) return;
    const wrong = outOfBounds(metrics, set.validators.length);
    if (wrong !== undefined) oracle.violation(`${this.name} ${wrong}`);
    // A segment may stay twice as long as what was needed when it was begun.
    this.#mostViews = Math.max(this.#mostViews, metrics.view - this.database.floor.proposal.view);
    const bound = journalBound(this.#mostViews, set.validators.length, SEGMENT_BYTES);
    if (metrics.view > 0 && this.disk.totalBytes > bound) {
      oracle.violation(
        `${this.name} keeps ${this.disk.totalBytes} bytes of journal, where ${bound} are allowed`,
      );
    }
  }

  #resent(key: string, bytes: Bytes): void {
    const wrong = this.#resends.sent(key, bytes.length, this.#options.scheduler.now());
    if (wrong !== undefined) this.#options.oracle.violation(`${this.name} ${wrong}`);
  }

  #judge(judgement: Judgement, from: Endpoint): void {
    if (!judgement.ok) this.#offence(judgement.offence, from);
  }

  #offence(offence: string, from: Endpoint): void {
    const { honest, oracle, suspects } = this.#options;
    this.#trace(`offence ${offence} of ${from.name}`);
    this.#counters.count(`offences seen: ${offence}`);
    if (honest) oracle.offended(this.name, from.name, !suspects.has(from.name), offence);
  }

  #report(report: Report): void {
    const { oracle, honest } = this.#options;
    switch (report.type) {
      case 'missed':
        this.#trace(`missed ${report.view} ${report.reason}`);
        this.missed.set(report.reason, (this.missed.get(report.reason) ?? 0) + 1);
        break;
      case 'entered':
        this.#trace(`view ${report.view} by ${report.by}`);
        if (honest) oracle.entered(report.view);
        break;
      case 'equivocation': {
        this.#trace(`equivocation of ${report.signer} in ${report.view}`);
        this.#counters.count('evidence found');
        const [one, other] = report.votes;
        if (honest) oracle.accused(this.name, report.signer, [encodeVote(one), encodeVote(other)]);
        break;
      }
      case 'conflict':
        this.#trace('conflict');
        this.#counters.count('conflicting finalizations found');
        if (honest) oracle.breach(`${this.name}: ${JSON.stringify(report, stringify)}`);
        break;
      case 'refused':
      case 'elsewhere':
      case 'application-failed':
        this.#trace(`${report.type}`);
        if (honest) oracle.violation(`${this.name}: ${JSON.stringify(report, stringify)}`);
        break;
      case 'certified':
        this.#trace(`certified ${report.view} ${report.ok}`);
        break;
      case 'nullified':
      case 'notarized':
      case 'finalized':
      case 'proposed':
      case 'standstill':
        this.#trace(`${report.type} ${report.view}`);
    }
  }

  #trace(line: string): void {
    this.#options.trace.add(this.#options.scheduler.now(), `${this.name} ${line}`);
  }
}

/** A clock whose callbacks die with the process that asked for them. */
function lifelong(scheduler: Scheduler, alive: () => boolean): Timeline {
  const after = (delay: number, callback: () => void): (() => void) =>
    scheduler.after(delay, () => {
      if (alive()) callback();
    });
  return { now: scheduler.now, after, sleep: (delay) => new Promise((resolve) => after(delay, resolve)) };
}

export function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function stringify(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value).slice(0, 16);
  return value instanceof Error ? stackOf(value) : value;
}
