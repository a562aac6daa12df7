/**
 * The running network: the sessions of all peers over one libp2p host, and what they share. It wires the parts of this
 * room together at run time: connections come and become sessions, hellos bring records, records make the dialer dial,
 * offences end connections. What each part promises stands with the part.
 */
import { randomBytes } from 'node:crypto';
import type { Connection, PeerId, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { type Bytes, equal, keyOf, toHex } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import type { AccessLists } from './access.ts';
import { TokenBucket } from './bucket.ts';
import { Budget } from './budget.ts';
import { Conduct } from './conduct.ts';
import { Connections } from './connections.ts';
import { Dialer } from './dialer.ts';
import { Directory } from './directory.ts';
import { type Door, REFUSALS } from './door.ts';
import { figures } from './figures.ts';
import { TransactionGossip } from './gossip.ts';
import { Guests } from './guests.ts';
import type { Host } from './host.ts';
import type { NetworkLimits } from './limits.ts';
import { listenProblem } from './listening.ts';
import { SESSION_METRICS } from './metrics.ts';
import type { Offence, PeerScores } from './offences.ts';
import { answerPings, PING_PROTOCOL } from './ping.ts';
import { type PeerRecord, peerIdOfRecord } from './record.ts';
import type { Resolver } from './resolver.ts';
import { PeerSearch } from './search.ts';
import { type Lane, RANK_CERTIFICATE, RANK_VOTE, Session } from './session.ts';
import { addTo } from './totals.ts';
import type { Network, NetworkOptions, PeerEvent, PeerInfo, RequestOptions } from './types.ts';
import { type Buffered, gossips, measureBuffers } from './upkeep.ts';
import {
  encodeCertificate,
  encodeHello,
  encodeProposal,
  encodeRecords,
  encodeVote,
  type Hello,
  PROTOCOL,
  WIRE_VERSION,
} from './wire.ts';

const LANES: readonly Lane[] = ['hello', 'votes', 'proposals', 'bulk'];
const INBOUND_STREAMS_A_LANE = 4;
const CLOSE_MS = 1_500;
const TICK_MS = 1_000;
const PARTING_MS = 250;

interface Parts {
  readonly options: NetworkOptions;
  readonly limits: NetworkLimits;
  readonly self: PeerId;
  readonly topic: string;
  readonly now: () => number;
  readonly access: AccessLists;
  readonly scores: PeerScores;
  readonly door: Door;
  readonly resolver: Resolver;
  readonly host: Host;
}

export class LibP2PNetwork implements Network {
  readonly peerId: string;
  readonly #options: NetworkOptions;
  readonly #limits: NetworkLimits;
  readonly #now: () => number;
  readonly #scores: PeerScores;
  readonly #door: Door;
  readonly #resolver: Resolver;
  readonly #host: Host;
  readonly #connections: Connections;
  readonly #directory: Directory;
  readonly #dialer: Dialer;
  readonly #search: PeerSearch;
  readonly #gossip: TransactionGossip;
  readonly #budget: Budget;
  readonly #strangersWork: TokenBucket;
  readonly #sessions = new Map<string, Session>();
  readonly #instance = Uint8Array.from(randomBytes(8));
  readonly #conduct: Conduct;
  readonly #guests: Guests;
  /** What the sessions that are gone have counted. */
  readonly #totals = new Map<string, number>();
  readonly #timers: NodeJS.Timeout[] = [];
  #closed = false;

  constructor({ options, limits, self, topic, now, access, scores, door, resolver, host }: Parts) {
    this.peerId = self.toString();
    this.#options = options;
    this.#limits = limits;
    this.#now = now;
    this.#scores = scores;
    this.#door = door;
    this.#resolver = resolver;
    this.#host = host;
    this.#connections = new Connections(host);
    this.#budget = new Budget(limits.servedBytes, limits.servedBytesForValidators);
    this.#strangersWork = new TokenBucket(2 * limits.servedPerSecond, 2 * limits.servedPerSecond, now);
    this.#directory = new Directory({
      self,
      genesisHash: options.genesisHash,
      verifier: options.verifier,
      validatorKeys: options.validatorKeys,
      consensusKey: options.consensusKey,
      now,
      log: options.log,
      onRecord: (record) => this.#dialValidator(record),
      tell: (signed, from) => {
        const frame = encodeRecords(signed);
        for (const session of this.#ready(from)) session.send('hello', frame);
      },
      onChange: () => this.#recognise(),
    });
    const wantsMore = (): boolean => this.#sessions.size < limits.targetPeers;
    this.#search = new PeerSearch({
      routing: host.peerRouting,
      intervalMs: limits.lookupIntervalMs,
      wantsMore,
      onPeer: (peer) => this.#dialer.addDiscovered(peer.id.toString(), peer.multiaddrs),
      onError: (error) => options.log.debug({ reason: String(error) }, 'looking for peers failed'),
    });
    this.#dialer = new Dialer({
      self: this.peerId,
      limits,
      now,
      dial: async (addresses, signal) => {
        const connection = await host.dial([...addresses], { signal });
        return connection.remotePeer.toString();
      },
      isConnected: (peer) => this.#sessions.has(peer),
      isRefused: (peer) => scores.banned(peer) || access.deniesPeer(peer),
      wantsMore,
      onFailure: (address, error, failures) => {
        const reason = error instanceof Error ? error.message : String(error);
        options.log.debug({ address, failures, reason }, 'dial failed');
      },
    });
    this.#conduct = new Conduct({
      limits,
      scores,
      door,
      isPersistent: (peer) => this.#dialer.isPersistent(peer),
      log: options.log,
    });
    this.#guests = new Guests({
      limits,
      door,
      dialer: this.#dialer,
      connections: (peer) => this.#connections.of(peer),
      ready: () => this.#ready(),
      disconnect: (peer, reason) => this.#disconnect(peer, reason),
    });
    for (const address of options.persistent ?? []) this.#dialer.addNamed('persistent', address);
    for (const address of options.bootstrap) this.#dialer.addNamed('bootstrap', address);
    door.consult({
      isNamed: (peer) => this.#dialer.isNamed(peer),
      isNamedPlace: (place) => this.#dialer.isNamedPlace(place),
      isRecorded: (peer) => this.#directory.names(peer),
      isReady: (peer) => this.#sessions.get(peer)?.ready === true,
    });
    this.#gossip = new TransactionGossip({
      service: host.services.gossip,
      topic,
      limits,
      now,
      onTransactions: async (batch, peer) =>
        options.handlers.onTransactions(batch, peer, this.#sessions.get(peer)?.validator),
      offend: (peer, offence, detail) => this.#offend(peer, offence, detail),
      onBug: (error) => this.#bug(error, 'validating gossip'),
    });
  }

  async start(): Promise<void> {
    for (const lane of LANES) {
      await this.#host.handle(
        PROTOCOL[lane],
        (stream, connection) => this.#onStream(lane, stream, connection),
        {
          maxInboundStreams: INBOUND_STREAMS_A_LANE,
          maxOutboundStreams: INBOUND_STREAMS_A_LANE,
        },
      );
    }
    this.#host.addEventListener('peer:connect', (event) => this.#onConnect(event.detail.toString()));
    this.#host.addEventListener('peer:disconnect', (event) => this.#onDisconnect(event.detail.toString()));
    this.#host.addEventListener('peer:discovery', ({ detail }) => {
      this.#dialer.addDiscovered(detail.id.toString(), detail.multiaddrs);
    });
    this.#host.addEventListener('self:peer:update', () => {
      if (!this.#closed) this.#directory.refresh(this.addresses());
    });
    try {
      await this.#host.start();
    } catch (error) {
      throw listenProblem(error);
    }
    // the service is there because the DHT wants it, but its own answers have no bound
    await this.#host.unhandle(PING_PROTOCOL);
    await this.#host.handle(PING_PROTOCOL, answerPings, { maxInboundStreams: 2, maxOutboundStreams: 2 });
    this.#directory.refresh(this.addresses());
    this.#gossip.start();
    this.#dialer.start();
    this.#timers.push(setInterval(() => this.#tick(), TICK_MS).unref());
    this.#search.start();
    this.#options.log.info({ peer: this.peerId, addresses: this.addresses() }, 'network is up');
  }

  addresses(): string[] {
    return this.#host.getMultiaddrs().map((address) => address.toString());
  }

  peers(): PeerInfo[] {
    const newest = this.#connections.newest();
    return Array.from(this.#sessions.values(), (session) => {
      const connection = newest.get(session.peer);
      return {
        id: session.peer,
        validator: session.validator,
        address: connection?.remoteAddr.toString() ?? '',
        direction: connection?.direction ?? 'inbound',
        score: this.#scores.score(session.peer),
        status: session.ready ? 'ready' : 'connected',
        persistent: this.#dialer.isPersistent(session.peer),
      };
    });
  }

  validatorPeer(index: number): string | undefined {
    return this.#ready().find((session) => session.validator === index)?.peer;
  }

  broadcastVote(vote: Bytes): void {
    const frame = encodeVote(vote);
    for (const session of this.#ready()) {
      if (session.validator !== undefined) session.send('votes', frame, RANK_VOTE);
    }
  }

  broadcastCertificate(certificate: Bytes, except?: string): void {
    const frame = encodeCertificate(certificate);
    for (const session of this.#ready(except)) session.send('votes', frame, RANK_CERTIFICATE);
  }

  sendProposal(proposal: Bytes, except?: string): void {
    const frame = encodeProposal(proposal);
    const sessions = this.#ready(except);
    for (const session of sessions) if (session.validator !== undefined) session.send('proposals', frame);
    setImmediate(() => {
      for (const session of sessions) if (session.validator === undefined) session.send('proposals', frame);
    });
  }

  sendVote(peer: string, vote: Bytes): boolean {
    return this.#sessions.get(peer)?.send('votes', encodeVote(vote), RANK_VOTE) ?? false;
  }

  sendCertificate(peer: string, certificate: Bytes): boolean {
    return this.#sessions.get(peer)?.send('votes', encodeCertificate(certificate), RANK_CERTIFICATE) ?? false;
  }

  sendProposalTo(peer: string, proposal: Bytes): boolean {
    return this.#sessions.get(peer)?.send('proposals', encodeProposal(proposal)) ?? false;
  }

  publishTransactions(batch: Bytes): Promise<number> {
    return this.#gossip.publish(batch);
  }

  request(peer: string, method: number, payload: Bytes, options: RequestOptions): Promise<Bytes> {
    const session = this.#sessions.get(peer);
    if (session === undefined)
      return Promise.reject(new ProtocolError('PEER_GONE', `${peer} is not connected`));
    return session.request(method, payload, options);
  }

  penalise(peer: string, offence: Offence): void {
    this.#offend(peer, offence, 'found by the node');
  }

  setValidatorKeys(keys: readonly Bytes[]): void {
    this.#directory.setKeys(keys);
    this.#dialer.keepValidators(new Set(this.#directory.consensusKeys().map(keyOf)));
  }

  metrics(): Record<string, number> {
    return figures({
      totals: this.#totals,
      sessions: [...this.#sessions.values()],
      conduct: this.#conduct,
      scores: this.#scores,
      door: this.#door,
      dialer: this.#dialer,
      resolver: this.#resolver,
      directory: this.#directory,
      gossip: this.#gossip,
      freeForServing: this.#budget.free,
      buffered: this.#buffers().bytes,
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#dialer.stop();
    this.#search.stop();
    this.#gossip.stop();
    for (const session of this.#sessions.values()) session.close();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_MS);
    });
    const stopped = Promise.resolve(this.#host.stop()).catch((error: unknown) =>
      this.#bug(error, 'stopping the host'),
    );
    await Promise.race([stopped, late]);
    clearTimeout(timer);
    this.#connections.abortAll('the node is going down');
  }

  #ready(except?: string): Session[] {
    return Array.from(this.#sessions.values()).filter((session) => session.ready && session.peer !== except);
  }

  #onStream(lane: Lane, stream: Stream, connection: Connection): void {
    const session = this.#sessions.get(connection.remotePeer.toString());
    if (session === undefined) stream.abort(new Error('the peer is unknown'));
    else session.accept(lane, stream);
  }

  #onConnect(peer: string): void {
    if (this.#closed || this.#sessions.has(peer)) return;
    const { handlers } = this.#options;
    const session: Session = new Session({
      peer,
      limits: this.#limits,
      now: this.#now,
      budget: this.#budget,
      strangersWork: this.#strangersWork,
      open: (protocol) => this.#connections.open(peer, protocol),
      hello: () => this.#hello(),
      onHello: (hello) => this.#onHello(session, hello),
      onRecords: (records) => this.#directory.take(records, peer),
      onReady: () => {
        this.#search.start();
        if (this.#guests.isKept(session)) this.#guests.prove(session.peer);
        this.#options.log.info({ peer, validator: session.validator }, 'peer is ready');
        this.#tell(peer, 'ready');
      },
      onRestart: () => this.#onRestart(session),
      onVote: (vote) => {
        if (session.validator === undefined) {
          this.#offend(peer, 'VOTE_FROM_STRANGER', 'the peer has proved no consensus key');
          return 'ignore';
        }
        const index = session.validator;
        return this.#guard('onVote', () => handlers.onVote(vote, index, peer));
      },
      onCertificate: (certificate) =>
        this.#guard('onCertificate', () => handlers.onCertificate(certificate, peer)),
      onProposal: (proposal) =>
        this.#guard('onProposal', () => handlers.onProposal(proposal, peer, session.validator)),
      onRequest: (method, payload, maxResponseBytes, charge) =>
        handlers.onRequest(method, payload, peer, maxResponseBytes, charge),
      offend: (offence, detail) => this.#offend(peer, offence, detail),
      onBug: (error, where) => this.#bug(error, where),
      onForeign: () => this.#disconnect(peer, 'the peer does not speak this protocol'),
    });
    this.#sessions.set(peer, session);
    this.#tell(peer, 'connected');
    session.start();
  }

  #onDisconnect(peer: string): void {
    const session = this.#sessions.get(peer);
    if (session === undefined) return;
    this.#sessions.delete(peer);
    this.#directory.forget(peer);
    this.#gossip.forget(peer);
    const figures: Readonly<Record<string, number>> = session.metrics();
    for (const { name, kind } of SESSION_METRICS) {
      if (kind === 'counter') addTo(this.#totals, { [name]: figures[name]! });
    }
    const readyMs = session.ready ? this.#now() - session.readyAt : 0;
    session.close();
    this.#dialer.onGone(peer, readyMs);
    if (!this.#closed) this.#tell(peer, 'gone');
  }

  /** A peer's process was replaced before its old connection was found dead. The newest connection is the live one. */
  #onRestart(session: Session): void {
    this.#offend(session.peer, 'INSTANCE_CHANGED', 'hello of another process');
    if (this.#scores.banned(session.peer)) return;
    for (const old of this.#connections.of(session.peer).slice(1))
      old.abort(new Error('the peer has restarted'));
    this.#onDisconnect(session.peer);
    if (this.#connections.of(session.peer).length > 0) this.#onConnect(session.peer);
  }

  #disconnect(peer: string, reason: string): void {
    this.#options.log.debug({ peer, reason }, 'disconnecting');
    this.#connections.abort(peer, reason);
    this.#onDisconnect(peer);
  }

  #hello(): Bytes {
    return encodeHello({
      version: WIRE_VERSION,
      genesisHash: this.#options.genesisHash,
      instance: this.#instance,
      own: this.#directory.own,
      records: this.#directory.others(),
    });
  }

  #onHello(session: Session, hello: Hello): void {
    if (!equal(hello.genesisHash, this.#options.genesisHash)) {
      const theirs = toHex(hello.genesisHash);
      throw new ProtocolError<Offence>('CHAIN_MISMATCH', `the peer is of the chain with genesis ${theirs}`);
    }
    if (hello.own !== undefined) this.#directory.takeOwnOf(session.peer, hello.own);
    const refusal = this.#guests.refuses(session);
    if (refusal !== undefined) {
      this.#door.count(refusal);
      // what it is told in the hello may help it to find room elsewhere
      setImmediate(() => this.#disconnect(session.peer, REFUSALS[refusal]));
    }
    this.#directory.take(hello.records, session.peer);
  }

  #dialValidator(record: PeerRecord): void {
    const peer = peerIdOfRecord(record).toString();
    const addresses = record.addresses.map((bytes) => multiaddr(bytes).encapsulate(`/p2p/${peer}`));
    // everybody meets the validators; but only they must meet all of each other
    if (this.#options.consensusKey === undefined) {
      this.#dialer.addDiscovered(peer, addresses);
      return;
    }
    const delay = this.peerId > peer ? this.#limits.tieBreakMs : 0;
    this.#dialer.addValidator(keyOf(record.consensusKey), peer, addresses, delay);
  }

  /** Brings the sessions' validator indices up to date. */
  #recognise(): void {
    for (const session of this.#sessions.values()) {
      const before = session.validator;
      session.validator = this.#directory.indexOf(session.peer);
      if (before === undefined && session.validator !== undefined) this.#guests.prove(session.peer);
    }
  }

  #offend(peer: string, offence: Offence, detail: string): void {
    if (this.#closed) return;
    if (!this.#conduct.offend(peer, offence, detail)) return;
    if (offence === 'CHAIN_MISMATCH') {
      // our own hello may still be on its way, and the other side wants to know why, too
      setTimeout(() => this.#disconnect(peer, offence), PARTING_MS).unref();
    } else {
      this.#disconnect(peer, offence);
    }
  }

  #tick(): void {
    for (const session of [...this.#sessions.values()]) {
      session.tick();
      const late = session.ready && this.#now() - session.readyAt >= this.#limits.gossipGraceMs;
      if (late && !gossips(this.#connections.of(session.peer)))
        this.#disconnect(session.peer, 'the gossip stream was lost');
    }
    const { bytes, excess } = this.#buffers();
    for (const { peer, bytes: held } of excess) {
      // where many hold a little, the one that holds most need not be one of those who mean harm
      this.#offend(peer, 'STALLED', `${held} of ${bytes} bytes that nobody reads or takes`);
    }
    for (const peer of this.#host.getPeers()) this.#onConnect(peer.toString());
  }

  #buffers(): Buffered {
    const isKept = (peer: string): boolean => {
      const session = this.#sessions.get(peer);
      return session !== undefined && this.#guests.isKept(session);
    };
    return measureBuffers(this.#host.getConnections(), this.#limits, isKept);
  }

  /** The guard of a connection, which is known by its streams, has cut it. */
  onAbuse(streams: readonly object[], offence: Offence, detail: string): void {
    const connection = this.#host.getConnections().find((candidate) => candidate.streams === streams);
    if (connection !== undefined) this.#offend(connection.remotePeer.toString(), offence, detail);
  }

  #tell(peer: string, event: PeerEvent): void {
    this.#guard('onPeer', () => this.#options.handlers.onPeer(peer, event));
  }

  /** What a handler returns; undefined, and a line in the log, where it throws. */
  #guard<T>(where: string, handler: () => T): T | undefined {
    try {
      return handler();
    } catch (error) {
      this.#bug(error, where);
      return undefined;
    }
  }

  #bug(error: unknown, where: string): void {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#options.log.warn({ where, reason }, 'unexpected error');
  }
}
