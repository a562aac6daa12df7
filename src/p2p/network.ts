/**
 * The network layer: puts host, sessions, records, dialer, gossip and scores together behind the `Network`
 * interface. It knows bytes and peers, not consensus. It promises that nothing a peer does throws out of this room,
 * that every queue is bounded, that votes reach the node only from a peer that has proved the consensus key, and
 * that a node given one address finds all the others. Lanes, limits and penalties: docs/network.md.
 */
import { randomBytes } from 'node:crypto';
import type { Connection, PeerId, Stream } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import { type Bytes, equal, keyOf, toHex } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { AccessLists } from './access.ts';
import { addressKey, hostOf } from './addresses.ts';
import { TokenBucket } from './bucket.ts';
import { Budget } from './budget.ts';
import { Conduct } from './conduct.ts';
import { Dialer } from './dialer.ts';
import { Directory } from './directory.ts';
import { Door, REFUSALS, type Refusal } from './door.ts';
import { TransactionGossip, transactionTopic } from './gossip.ts';
import { createHost, type Host, peerIdOfSeed } from './host.ts';
import { DEFAULT_LIMITS, type NetworkLimits } from './limits.ts';
import { listenProblem } from './listening.ts';
import { NETWORK_METRICS, SESSION_METRICS } from './metrics.ts';
import type { GuardOptions } from './mux-guard.ts';
import { type Offence, PeerScores } from './offences.ts';
import { answerPings, PING_PROTOCOL } from './ping.ts';
import { type PeerRecord, peerIdOfRecord } from './record.ts';
import { Resolver } from './resolver.ts';
import { PeerSearch } from './search.ts';
import { type Lane, RANK_CERTIFICATE, RANK_VOTE, Session } from './session.ts';
import { strayErrors } from './stray.ts';
import { addTo } from './totals.ts';
import type { Network, NetworkOptions, PeerEvent, PeerInfo, RequestOptions } from './types.ts';
import { type Buffered, givesWay, gossips, measureBuffers } from './upkeep.ts';
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

const DEFAULT_LISTEN = ['/ip4/127.0.0.1/tcp/0'];
const LANES: readonly Lane[] = ['hello', 'votes', 'proposals', 'bulk'];
const INBOUND_STREAMS_A_LANE = 4;
const OPEN_TIMEOUT_MS = 5_000;
const CLOSE_MS = 1_500;
const TICK_MS = 1_000;
const PARTING_MS = 250;
/**
 * Starts a host and returns when it listens. Throws `BOOTSTRAP_INVALID`, `PERSISTENT_INVALID`, `ALLOW_INVALID` or
 * `DENY_INVALID`, or what listening fails with.
 */
export async function createNetwork(options: NetworkOptions): Promise<Network> {
  const limits: NetworkLimits = { ...DEFAULT_LIMITS, ...options.limits };
  const access = new AccessLists(options.allow ?? [], options.deny ?? []);
  const self = await peerIdOfSeed(options.privateKey);
  const topic = transactionTopic(options.genesisHash);
  const now = options.now ?? Date.now;
  const scores = new PeerScores(limits, now);
  const door = new Door({
    limits,
    now,
    access,
    scores,
    namesAnybody: options.bootstrap.length + (options.persistent?.length ?? 0) > 0,
  });
  const resolver = new Resolver({ denies: (ip) => access.deniesAddress(ip), resolve: options.resolve });
  let onAbuse: GuardOptions['offend'] = () => {};
  const host = await createHost({
    seed: options.privateKey,
    listen: options.listen ?? DEFAULT_LISTEN,
    announce: options.announce,
    topic,
    limits,
    gater: door.gater(),
    lookup: resolver.lookup,
    guard: { now, offend: (...abuse) => onAbuse(...abuse) },
  });
  const network = new LibP2PNetwork({
    options,
    limits,
    self,
    topic,
    now,
    access,
    scores,
    door,
    resolver,
    host,
  });
  onAbuse = (...abuse) => network.onAbuse(...abuse);
  try {
    await network.start();
  } catch (error) {
    await network.close();
    throw error;
  }
  return network;
}

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

class LibP2PNetwork implements Network {
  readonly peerId: string;
  readonly #options: NetworkOptions;
  readonly #limits: NetworkLimits;
  readonly #now: () => number;
  readonly #scores: PeerScores;
  readonly #door: Door;
  readonly #resolver: Resolver;
  readonly #host: Host;
  readonly #directory: Directory;
  readonly #dialer: Dialer;
  readonly #search: PeerSearch;
  readonly #gossip: TransactionGossip;
  readonly #budget: Budget;
  readonly #strangersWork: TokenBucket;
  readonly #sessions = new Map<string, Session>();
  readonly #instance = Uint8Array.from(randomBytes(8));
  readonly #conduct: Conduct;
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
    const newest = new Map<string, Connection>();
    for (const connection of this.#host.getConnections()) {
      const peer = connection.remotePeer.toString();
      const known = newest.get(peer);
      if (connection.status !== 'open' || (known && known.timeline.open > connection.timeline.open)) continue;
      newest.set(peer, connection);
    }
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
    const all = new Map(NETWORK_METRICS.map(({ name }) => [name, 0]));
    addTo(all, Object.fromEntries(this.#totals));
    for (const session of this.#sessions.values()) addTo(all, session.metrics());
    for (const [offence, count] of this.#conduct.counts) all.set(`offences.${offence}`, count);
    for (const [reason, count] of this.#door.refused()) all.set(`refused.${reason}`, count);
    const ready = this.#ready();
    return {
      ...Object.fromEntries(all),
      'peers.connected': this.#sessions.size,
      'peers.ready': ready.length,
      'peers.validators': ready.filter((session) => session.validator !== undefined).length,
      'peers.banned': this.#scores.bans,
      'peers.persistent': ready.filter(({ peer }) => this.#dialer.isPersistent(peer)).length,
      'peers.bans': this.#scores.total,
      'addresses.banned': this.#door.bannedAddresses,
      'addresses.bans': this.#door.addressBans,
      'inbound.connections': this.#door.inbound,
      'inbound.handshakes': this.#door.handshakes,
      'inbound.failed': this.#door.failed,
      'inbound.evicted': this.#door.evicted,
      'dial.discovered.dropped': this.#dialer.dropped,
      'dial.lookups.refused': this.#resolver.refused,
      'records.known': this.#directory.size,
      'dial.targets': this.#dialer.targets,
      'dial.attempts': this.#dialer.dials,
      'dial.failures': this.#dialer.failures,
      'gossip.subscribers': this.#gossip.subscribers,
      'gossip.mesh': this.#gossip.meshPeers,
      'gossip.pending': this.#gossip.pending,
      'gossip.pending.bytes': this.#gossip.pendingBytes,
      'gossip.received': this.#gossip.received,
      'gossip.received.bytes': this.#gossip.receivedBytes,
      'gossip.published': this.#gossip.published,
      'gossip.published.bytes': this.#gossip.publishedBytes,
      'gossip.dropped': this.#gossip.dropped,
      'bulk.served.free.bytes': this.#budget.free,
      'stray.errors': strayErrors(),
      'buffered.bytes': this.#buffers().bytes,
    };
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
    for (const connection of this.#host.getConnections())
      connection.abort(new Error('the node is going down'));
  }

  #ready(except?: string): Session[] {
    return Array.from(this.#sessions.values()).filter((session) => session.ready && session.peer !== except);
  }

  /** Open connections to a peer, the newest first. */
  #connections(peer: string): Connection[] {
    return this.#host
      .getConnections(peerIdFromString(peer))
      .filter((connection) => connection.status === 'open')
      .sort((a, b) => b.timeline.open - a.timeline.open);
  }

  async #open(peer: string, protocol: string): Promise<Stream> {
    const connection = this.#connections(peer)[0];
    if (connection === undefined) throw new Error(`no connection to ${peer}`);
    return await connection.newStream(protocol, { signal: AbortSignal.timeout(OPEN_TIMEOUT_MS) });
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
      open: (protocol) => this.#open(peer, protocol),
      hello: () => this.#hello(),
      onHello: (hello) => this.#onHello(session, hello),
      onRecords: (records) => this.#directory.take(records, peer),
      onReady: () => {
        this.#search.start();
        if (this.#isKept(session)) this.#prove(session);
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
    for (const old of this.#connections(session.peer).slice(1))
      old.abort(new Error('the peer has restarted'));
    this.#onDisconnect(session.peer);
    if (this.#connections(session.peer).length > 0) this.#onConnect(session.peer);
  }

  #disconnect(peer: string, reason: string): void {
    this.#options.log.debug({ peer, reason }, 'disconnecting');
    for (const connection of this.#host.getConnections(peerIdFromString(peer)))
      connection.abort(new Error(reason));
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
    const refusal = this.#refusesGuest(session);
    if (refusal !== undefined) {
      this.#door.count(refusal);
      // what it is told in the hello may help it to find room elsewhere
      setImmediate(() => this.#disconnect(session.peer, REFUSALS[refusal]));
    }
    this.#directory.take(hello.records, session.peer);
  }

  /** Why a peer that has said hello cannot stay. */
  #refusesGuest(session: Session): Refusal | undefined {
    const address = this.#connections(session.peer)[0]?.remoteAddr;
    if (!this.#door.welcomes(session.peer, session.validator !== undefined, address)) return 'unlisted';
    const isGuest = (one: Session): boolean => !this.#isKept(one) && !this.#dialer.isNamed(one.peer);
    if (!isGuest(session)) return undefined;
    const strangers = this.#ready().filter((other) => other !== session && isGuest(other));
    if (strangers.length < this.#limits.maxStrangers) return undefined;
    const guests = strangers.map(({ peer }) => ({ peer, address: this.#addressOf(peer) }));
    const leaving = givesWay(guests, this.#addressOf(session.peer));
    if (leaving === undefined) return 'strangers';
    this.#door.count('strangers');
    this.#disconnect(leaving, 'gives way to a peer of another address');
    return undefined;
  }

  #addressOf(peer: string): string {
    const address = this.#connections(peer)[0]?.remoteAddr;
    return addressKey((address && hostOf(address).ip) ?? '');
  }

  /** Validators and persistent peers are never asked to leave for want of room. */
  #isKept(session: Session): boolean {
    return session.validator !== undefined || this.#dialer.isPersistent(session.peer);
  }

  /** Keeps places for the addresses of a peer that has proved itself. */
  #prove(session: Session): void {
    for (const connection of this.#connections(session.peer)) {
      this.#door.prove(session.peer, connection.remoteAddr);
    }
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
      if (before === undefined && session.validator !== undefined) this.#prove(session);
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
      if (late && !gossips(this.#connections(session.peer)))
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
      return session !== undefined && this.#isKept(session);
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
