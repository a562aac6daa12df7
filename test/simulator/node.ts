/**
 * One machine of a run: the production replica with its journal and signer on a simulated disk, network and
 * application. Whatever a crashed process still had under way never ends and is never heard of again.
 */
import { toHex } from '../../src/codec/bytes.ts';
import { Reader } from '../../src/codec/reader.ts';
import { Writer } from '../../src/codec/writer.ts';
import { decodeCertificate, encodeCertificate } from '../../src/consensus/certificate.ts';
import type { Judgement, Report } from '../../src/consensus/events.ts';
import type { Timing } from '../../src/consensus/host.ts';
import { Replica } from '../../src/consensus/replica.ts';
import type { Certificate, ValidatorSet, VoteKind } from '../../src/consensus/types.ts';
import { decodeVote, encodeVote } from '../../src/consensus/vote.ts';
import { Database, SimApp } from './app.ts';
import { SimDisk } from './disk.ts';
import type { Endpoint, Message, SimNetwork } from './network.ts';
import type { Oracle } from './oracle.ts';
import type { Prng } from './prng.ts';
import type { Scheduler, Timeline } from './scheduler.ts';
import type { Scheme } from './scheme.ts';
import type { Trace } from './trace.ts';

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
}

export class SimNode implements Endpoint {
  readonly name: string;
  readonly index: number;
  readonly disk: SimDisk;
  readonly database = new Database();
  readonly #options: NodeOptions;
  #replica: Replica | undefined;
  #app: SimApp | undefined;
  #incarnation = 0;
  /** Reasons of missed views, for tests that look. */
  readonly missed = new Map<string, number>();
  restarts = 0;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.name = options.name;
    this.index = options.index;
    this.disk = new SimDisk(options.scheduler, options.random.fork('disk'));
    this.disk.onCrash = () => this.crash();
  }

  get running(): boolean {
    return this.#replica !== undefined;
  }

  get replica(): Replica | undefined {
    return this.#replica;
  }

  crash(): void {
    if (this.#replica === undefined) return;
    this.#trace('crash');
    this.#incarnation++;
    this.#replica = undefined;
    this.#app = undefined;
    this.disk.crash();
  }

  start(): void {
    if (this.#replica !== undefined) return;
    const { scheduler, network, set, genesisHash, scheme, timing, follower, oracle, honest } = this.#options;
    const incarnation = ++this.#incarnation;
    const alive = (): boolean => this.#incarnation === incarnation;
    const random = this.#options.random.fork(`life ${incarnation}`);
    this.#trace(`start at ${this.database.floor.proposal.view}`);
    const send = (to: Endpoint | undefined, message: Message): void => {
      if (alive() && to !== undefined) network.send(this, to, message);
    };
    const broadcast = (message: Message, except?: string): void => {
      for (const to of network.endpoints) if (to.name !== except) send(to, message);
    };
    const certificateMessage = (certificate: Certificate): Message => {
      if (honest) oracle.certificate(certificate);
      return { kind: 'certificate', bytes: encodeCertificate(certificate) };
    };
    const anyPeer = (): Endpoint => random.pick(network.endpoints.filter((peer) => peer !== this));
    const peerWith = (index: number | undefined): Endpoint => {
      const peers = network.endpoints.filter((peer) => peer.index === index && peer !== this);
      return peers.length === 0 ? anyPeer() : random.pick(peers);
    };
    const app = new SimApp(this.database, {
      scheduler: lifelong(scheduler, alive),
      random: random.fork('app'),
      self: this.index,
      requestBody: (payload, from) => send(peerWith(from), { kind: 'body-request', bytes: payload }),
      onDurable: (view) => alive() && this.#replica?.onDurable(view),
      onSynced: (certificate) => alive() && this.#replica?.onSynced(certificate),
      finalized: ({ height, poisoned }, proposal, state) => {
        this.#trace(`final ${height} view ${proposal.view} ${toHex(proposal.payload).slice(0, 8)}`);
        if (honest) oracle.finalized(this.name, height, proposal, state);
        if (poisoned) oracle.violation(`${this.name} finalised an invalid block at height ${height}`);
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
      segmentBytes: 8_192,
      application: app,
      network: {
        broadcastVote: (vote) => {
          if (honest) oracle.sent(vote);
          const message: Message = { kind: 'vote', bytes: encodeVote(vote) };
          broadcast(message);
        },
        sendProposal: (vote, body) => {
          if (honest) oracle.sent(vote);
          broadcast({ kind: 'proposal', bytes: encodeVote(vote), body });
        },
        broadcastCertificate: (certificate, except) => broadcast(certificateMessage(certificate), except),
        sendCertificate: (peer, certificate) => send(network.endpoint(peer), certificateMessage(certificate)),
        requestCertificate: ({ kind, view }, preferred) =>
          send(preferred === undefined ? anyPeer() : peerWith(preferred), {
            kind: 'query',
            bytes: new Writer().array(2).uint(kind).uint(view).finish(),
          }),
      },
      host: {
        fatal: (error) => {
          if (!alive()) return;
          this.#trace(`fatal ${String(error)}`);
          if (!String(error).includes('EIO')) oracle.violation(`${this.name} ended: ${stackOf(error)}`);
          this.crash();
        },
        report: (report) => alive() && this.#report(report),
      },
    });
    this.#replica = replica;
    this.#app = app;
    replica.start({ floor: this.database.floor }).catch((error: unknown) => {
      if (!alive()) return;
      if (!String(error).includes('EIO')) oracle.violation(`${this.name} did not start: ${stackOf(error)}`);
      this.crash();
    });
  }

  /** Asks a peer what is final there; the application imports it by itself. */
  askForTip(): void {
    const { network, random } = this.#options;
    if (!this.running) return;
    const peer = random.pick(network.endpoints.filter((endpoint) => endpoint !== this));
    network.send(this, peer, { kind: 'tip-request', bytes: new Uint8Array(0) });
  }

  receive(message: Message, from: Endpoint): void {
    const { set, network } = this.#options;
    const [replica, app] = [this.#replica, this.#app];
    if (replica === undefined || app === undefined) return;
    const count = set.validators.length;
    switch (message.kind) {
      case 'vote':
        this.#judge(replica.onVote(decodeVote(message.bytes, count), from.index), from);
        break;
      case 'proposal':
        if (message.body !== undefined) app.gotBody(message.body);
        this.#judge(replica.onProposal(decodeVote(message.bytes, count)), from);
        break;
      case 'certificate':
        this.#judge(replica.onCertificate(decodeCertificate(message.bytes, set), from.name), from);
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
        if (tip !== undefined) network.send(this, from, { kind: 'tip', bytes: encodeCertificate(tip) });
        break;
      }
      case 'tip':
        app.considerTip(decodeCertificate(message.bytes, set), !this.#options.suspects.has(from.name));
        break;
    }
  }

  #judge(judgement: Judgement, from: Endpoint): void {
    if (judgement.ok) return;
    this.#trace(`offence ${judgement.offence} of ${from.name}`);
    if (!this.#options.suspects.has(from.name)) {
      this.#options.oracle.violation(`${this.name} accuses ${from.name} of ${judgement.offence}`);
    }
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
        break;
      case 'equivocation': {
        this.#trace(`equivocation of ${report.signer} in ${report.view}`);
        const guilty = this.#options.network.endpoints.filter(({ index }) => index === report.signer);
        if (!guilty.some(({ name }) => this.#options.suspects.has(name))) {
          oracle.violation(`${this.name} holds evidence against honest ${report.signer}`);
        }
        break;
      }
      case 'conflict':
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

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function stringify(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value).slice(0, 16);
  return value instanceof Error ? stackOf(value) : value;
}
