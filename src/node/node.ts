/**
 * The node: puts database, ledger, verification workers, mempool, network, consensus and API together, in the
 * order in which each can rely on the one before, and takes them down in the reverse order. It says what it is
 * doing while it starts. Whatever cannot be mended ends the node through `stopped`, never silently.
 */
import './polyfills.ts';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { FinalEvent, NodeStatus } from '../api/backend.ts';
import { type ApiServer, startApi } from '../api/server.ts';
import { genesisHash as hashOfGenesis } from '../chain/genesis.ts';
import { type Bytes, toHex } from '../codec/bytes.ts';
import { installHashBackend } from '../codec/hash.ts';
import type { Configuration } from '../config/resolve.ts';
import type { Report } from '../consensus/events.ts';
import { Replica } from '../consensus/replica.ts';
import type { ValidatorSet } from '../consensus/types.ts';
import { createValidatorSet, indexOfKey } from '../consensus/validator-set.ts';
import { genesisEntries } from '../ledger/genesis.ts';
import { createNetwork } from '../p2p/network.ts';
import type { Network } from '../p2p/types.ts';
import { ChainDatabase } from '../storage/database.ts';
import { failPoint } from '../storage/fail-points.ts';
import { FileDisk } from '../storage/journal-disk.ts';
import { Admissions } from './admission.ts';
import { NodeBackend } from './api-backend.ts';
import { NodeApplication } from './application.ts';
import { Bodies } from './bodies.ts';
import { Chain, type ExecutedBlock } from './chain.ts';
import { Closing } from './closing.ts';
import { logReport } from './consensus-log.ts';
import { selectVerifier } from './crypto/select.ts';
import type { DataDirectory } from './data-directory.ts';
import { Exchanged } from './exchanged.ts';
import { TransactionRelay } from './gossip.ts';
import { nodeHashBackend } from './hash.ts';
import { lockConsensusKey } from './keys/locks.ts';
import { admitSigner, refuseRetired, votesElsewhere } from './keys/signing-guard.ts';
import type { LaneParts } from './lane-parts.ts';
import { ConsensusLanes, networkHandlers } from './lanes.ts';
import { apiLimits, mempoolLimits, networkLimits, peerBudgets } from './limits.ts';
import { createLogs, type Logs, tellConfiguration } from './log.ts';
import { measuredDisk, recordFinal, recordReport } from './metrics/consensus.ts';
import { countedHandlers } from './metrics/network.ts';
import { Operation } from './operation.ts';
import { OwnTransactions } from './own-transactions.ts';
import type { Peers } from './peers.ts';
import { resourceErrorOf } from './resources/finding.ts';
import { floorOf, loadLedger, loadReplay } from './start-up.ts';
import { RangeSync } from './sync.ts';
import { VerifyPool } from './verify-pool.ts';

export interface NodeOptions {
  readonly configuration: Configuration;
  readonly version: string;
}

export interface RunningNode {
  readonly apiUrl: string;
  /** Multiaddrs with peer id. */
  readonly addresses: readonly string[];
  /** Ends everything; what is in memory only is not needed again. */
  stop(): Promise<void>;
  /** Resolves when the node has ended: with the error that ended it, if one did. */
  readonly stopped: Promise<Error | undefined>;
}

/** No final block for so long makes a node unhealthy, in block intervals. */
const UNHEALTHY_INTERVALS = 30;

const sleep = (ms: number, signal: AbortSignal): Promise<void> => delay(ms, undefined, { signal });

class KryderNode implements RunningNode {
  apiUrl = '';
  addresses: readonly string[] = [];
  readonly stopped: Promise<Error | undefined>;
  readonly #directory: DataDirectory;
  readonly #options: NodeOptions;
  readonly #logs: Logs;
  readonly #log: Logger;
  readonly #genesisHash: Bytes;
  readonly #set: ValidatorSet;
  readonly #startedAt = performance.now();
  readonly #closing: Closing;
  #lanes: LaneParts | undefined;
  #chain: Chain | undefined;
  #network: Network | undefined;
  #replica: Replica | undefined;
  #admissions: Admissions | undefined;
  #backend: NodeBackend | undefined;
  #own: OwnTransactions | undefined;
  #sync: RangeSync | undefined;
  #operation: Operation | undefined;
  #lastFinalAt = performance.now();

  constructor(directory: DataDirectory, options: NodeOptions) {
    this.#directory = directory;
    this.#options = options;
    const { genesis } = directory;
    this.#genesisHash = hashOfGenesis(genesis);
    this.#set = createValidatorSet(0, genesis.seed, genesis.validators);
    this.#logs = createLogs(options.configuration.settings.logLevel);
    this.#log = this.#logs('node');
    this.#closing = new Closing(this.#log);
    this.stopped = this.#closing.done;
  }

  readonly #fatal = (error: unknown): void => {
    const cause =
      resourceErrorOf(error, this.#directory.path) ??
      (error instanceof Error ? error : new Error(String(error)));
    this.#log.fatal({ err: cause }, 'the node cannot go on and stops');
    void this.#closing.end(cause);
  };

  async start(): Promise<void> {
    const { genesis, hostKey, consensusKey, database: databasePath, journal } = this.#directory;
    const { version, configuration } = this.#options;
    const { settings } = configuration;
    const log = this.#log;
    const logs = this.#logs;
    const { parameters } = genesis;
    installHashBackend(nodeHashBackend());
    const verifier = selectVerifier(undefined, (reason) => logs('crypto').warn(reason));
    log.info({ chain: genesis.name, genesis: toHex(this.#genesisHash), version }, 'starting');
    tellConfiguration(configuration, logs('config'));

    const index = consensusKey && indexOfKey(this.#set, consensusKey.key.publicKey);
    const operation = await Operation.prepare({
      settings,
      directory: this.#directory,
      stakes: this.#set.validators.map(({ stake }) => stake),
      self: index,
      parameters,
      log: logs('resources'),
      onStop: this.#fatal,
    });
    this.#operation = operation;
    const { metrics } = operation;
    this.#closing.keep(() => operation.stop());
    await operation.start();

    const database = await ChainDatabase.open(
      databasePath,
      {
        hash: this.#genesisHash,
        entries: () => genesisEntries({ ...genesis, genesisHash: this.#genesisHash }),
      },
      {
        maxOpenFiles: operation.handles.tables,
        onCommit: (seconds) => metrics.observe('kryder_database_commit_seconds', seconds),
      },
    );
    this.#closing.keep(() => database.close());
    logs('storage').info({ height: database.tip.height }, 'database opened');
    const ledger = await loadLedger(database, logs('ledger'));
    const replay = loadReplay(database, genesis);
    logs('ledger').info({ remembered: replay.size }, 'replay memory read');

    const pool = new VerifyPool({
      workers: settings.workers,
      genesisHash: this.#genesisHash,
      parameters,
      onFatal: this.#fatal,
      onBatch: (seconds) => metrics.observe('kryder_verify_batch_seconds', seconds),
    });
    this.#closing.keep(() => pool.close());

    const chain = new Chain({
      genesis,
      genesisHash: this.#genesisHash,
      set: this.#set,
      database,
      ledger,
      replay,
      onCommitted: (block) => this.#onCommitted(block),
    });
    this.#chain = chain;
    const admissions = new Admissions({
      limits: mempoolLimits(settings),
      verifier: pool,
      chain: () => chain,
      peerBudgets: peerBudgets(settings),
      onLeft: (wireKey) => this.#own?.left(wireKey),
      onDropped: (id, code, peer) =>
        logs('mempool').debug({ id, code, peer }, 'dropped a transaction that waited'),
    });
    this.#admissions = admissions;

    if (consensusKey !== undefined && index === undefined)
      log.warn('the consensus key is not in the validator set: following only');
    const disk = await FileDisk.open(journal);
    this.#closing.keep(() => disk.close());
    if (index !== undefined) await this.#admitSigner(disk, database.tip.height);
    const network = await createNetwork({
      privateKey: hostKey.seed,
      listen: settings.listen,
      announce: settings.announce,
      bootstrap: settings.bootstrap,
      persistent: settings.persistentPeers,
      allow: settings.allow,
      deny: settings.deny,
      limits: operation.networkLimits(networkLimits(settings)),
      genesisHash: this.#genesisHash,
      ...(index === undefined ? {} : { consensusKey: consensusKey!.key }),
      validatorKeys: this.#set.validators.map(({ publicKey }) => publicKey),
      verifier,
      handlers: countedHandlers(
        networkHandlers(() => this.#lanes),
        metrics,
      ),
      log: logs('p2p'),
    });
    this.#network = network;
    this.addresses = network.addresses();
    this.#closing.keep(() => network.close());

    const peers = this.#peers(network);
    const bodies = new Bodies({
      maxBlockBytes: parameters.maxBlockBytes,
      peers,
      verifier: pool,
      pool: admissions.mempool,
      sleep,
    });
    const common = {
      chain,
      bodies,
      peers,
      set: this.#set,
      genesisHash: this.#genesisHash,
      verifier,
      maxBlockBytes: parameters.maxBlockBytes,
      sleep,
    };
    const lanes = new ConsensusLanes(() => this.#lanes);
    const sync = new RangeSync({
      ...common,
      onSynced: (certificate) => replica.onSynced(certificate),
      onProgress: (height, blocks) => logs('sync').debug({ height, blocks }, 'catching up'),
    });
    this.#sync = sync;
    const application = new NodeApplication({
      ...common,
      mempool: admissions.mempool,
      sync,
      self: index,
      executionBudget: parameters.executionBudget,
      wallClock: Date.now,
      onFatal: this.#fatal,
      onDurable: (view) => replica.onDurable(view),
      onBuildFailed: (error) =>
        logs('chain').error({ err: error }, 'no block could be built; the view is lost'),
    });
    const replica = new Replica({
      set: this.#set,
      genesisHash: this.#genesisHash,
      key: index === undefined ? undefined : consensusKey!.key,
      verifier,
      timing: {
        blockInterval: parameters.blockInterval,
        delta: parameters.delta,
        executionBudget: parameters.executionBudget,
      },
      clock: {
        now: () => performance.now(),
        after: (ms, callback) => {
          const timer = setTimeout(callback, ms);
          return () => clearTimeout(timer);
        },
      },
      random: Math.random,
      randomBytes: (length) => new Uint8Array(randomBytes(length)),
      disk: measuredDisk(disk, metrics),
      segmentBytes: settings.journalSegmentBytes,
      application,
      network: lanes,
      host: { fatal: this.#fatal, report: (report) => this.#report(report) },
    });
    this.#replica = replica;
    const relay = new TransactionRelay({
      admissions,
      publish: (batch) => {
        network
          .publishTransactions(batch)
          .catch((error: unknown) => logs('p2p').debug({ err: error }, 'publishing failed'));
      },
    });
    this.#closing.keep(() => relay.stop());
    this.#lanes = {
      set: this.#set,
      genesisHash: this.#genesisHash,
      verifier,
      maxBlockBytes: parameters.maxBlockBytes,
      chain,
      bodies,
      database,
      replica,
      relay,
      network,
      onProposalTime: (leader, time) => operation.onProposalTime(leader, time),
      exchanged: new Exchanged(),
    };
    this.#closing.keep(async () => {
      this.#lanes = undefined;
      await replica.stop();
      await application.stop();
    });
    const own = await OwnTransactions.open({
      directory: this.#directory.outbox,
      limits: mempoolLimits(settings),
      admissions,
      relay,
      isFinal: (id) => database.transaction(id) !== undefined,
      log: logs('outbox'),
    });
    this.#own = own;
    this.#closing.keep(() => own.close());
    await replica.start({ floor: await floorOf(database, this.#set, genesis, verifier) });
    own.restore();

    const backend = new NodeBackend({
      genesis,
      chain,
      database,
      admissions,
      own,
      status: () => this.#status(),
      unhealthy: () => this.#unhealthy(),
      warnings: () => operation.warnings(),
    });
    this.#backend = backend;
    const api: ApiServer = await startApi({
      ...settings.api,
      backend,
      onError: (error) => logs('api').error({ err: error }, 'a request failed'),
      observer: operation.api,
      ...(settings.metrics ? { metrics: () => metrics.text() } : {}),
      limits: { ...apiLimits(settings), maxConnections: operation.handles.clients },
    });
    operation.read(
      () => ({
        height: chain.durable.height,
        finalAgeMs: performance.now() - this.#lastFinalAt,
        openBlocks: chain.executedCount,
        syncing: sync.active,
        finalisationsQueued: application.finalisationsQueued,
        replica: replica.metrics(),
        transactions: { admission: admissions.figures, relay: relay.figures, outbox: own.figures },
        verify: pool.load,
        api: { ...api.load, counts: api.metrics() },
      }),
      () => network.metrics(),
    );
    this.apiUrl = api.url;
    this.#closing.keep(() => api.close());
    log.info(
      { api: api.url, addresses: this.addresses, validator: index, height: chain.tip.height },
      'ready',
    );
  }

  /** The consensus key may sign here: nobody else on this machine does, and what it has signed is known. */
  async #admitSigner(disk: FileDisk, height: number): Promise<void> {
    const { path: directory, consensusKey } = this.#directory;
    const { publicKey } = consensusKey!.key;
    const place = { directory, disk, set: this.#set, genesisHash: this.#genesisHash, publicKey };
    // Who is refused the lock has not begun to vote here; where the key was moved away from, that is the better reason.
    await refuseRetired(place);
    const lock = await lockConsensusKey(consensusKey!.seed, directory);
    this.#closing.keep(() => lock.release());
    if ((await admitSigner(place, height)) === 'begins')
      this.#logs('keys').warn(
        'this consensus key begins to vote here; if it ever voted elsewhere, stop now and import its history',
      );
  }

  #peers(network: Network): Peers {
    const ready = (): string[] =>
      network.peers().flatMap((peer) => (peer.status === 'ready' ? [peer.id] : []));
    return {
      request: (peer, method, payload, options) => network.request(peer, method, payload, options),
      ready,
      validator: (index) => network.validatorPeer(index),
      penalise: (peer, offence) => network.penalise(peer, offence),
    };
  }

  #onCommitted({ block, transactions }: ExecutedBlock): void {
    failPoint('finalise.before-mempool');
    this.#admissions!.finalised(transactions);
    this.#lanes?.bodies.prune(block.header.height);
    this.#lastFinalAt = performance.now();
    const event: FinalEvent = {
      height: block.header.height,
      hash: block.hash,
      view: block.header.view,
      time: block.header.time,
      transactions: transactions.length,
      bytes: block.bytes.length,
      finalityMs: Date.now() - block.header.time,
    };
    this.#logs('chain').info(
      {
        height: event.height,
        view: event.view,
        transactions: event.transactions,
        finalityMs: event.finalityMs,
      },
      'final',
    );
    recordFinal(this.#operation!.metrics, event, this.#sync?.active !== true);
    this.#backend?.announce(event);
  }

  #report(report: Report): void {
    recordReport(this.#operation!.metrics, report);
    if (report.type === 'elsewhere') {
      // At once, with what is on its way: the next vote could contradict one that is out.
      void this.#replica?.stop();
      this.#fatal(votesElsewhere(this.#directory.path, report.view));
    } else if (report.type !== 'application-failed') logReport(this.#logs('consensus'), report);
    else if (!this.#closing.begun) this.#fatal(report.error);
  }

  #status(): NodeStatus {
    const { genesis } = this.#directory;
    const { durable } = this.#chain!;
    const { mempool } = this.#admissions!;
    return {
      chainName: genesis.name,
      genesisHash: this.#genesisHash,
      version: this.#options.version,
      height: durable.height,
      blockHash: durable.hash,
      blockTime: durable.time,
      view: this.#replica!.view,
      validators: this.#set.validators.length,
      self: this.#replica!.index,
      peers: this.#network!.peers().map(({ id, validator, address, score }) => ({
        id,
        validator,
        address,
        score,
      })),
      addresses: this.addresses,
      mempool: { transactions: mempool.size, bytes: mempool.bytes },
      syncing: this.#sync!.active,
      uptimeSeconds: Math.floor((performance.now() - this.#startedAt) / 1_000),
      warnings: this.#operation!.warnings(),
    };
  }

  #unhealthy(): string | undefined {
    if (this.#closing.begun) return 'the node is stopping';
    const { blockInterval } = this.#directory.genesis.parameters;
    const silence = performance.now() - this.#lastFinalAt;
    if (silence > UNHEALTHY_INTERVALS * blockInterval)
      return `no block became final for ${Math.round(silence / 1_000)} s`;
    return undefined;
  }

  stop(): Promise<void> {
    return this.#closing.end(undefined);
  }
}

/**
 * Starts a node on a data directory; resolves when it is in the network and its API answers. Throws a
 * `ProtocolError` that says what is wrong with directory, keys, database or addresses.
 */
export async function startNode(directory: DataDirectory, options: NodeOptions): Promise<RunningNode> {
  const node = new KryderNode(directory, options);
  try {
    await node.start();
  } catch (error) {
    await node.stop();
    throw resourceErrorOf(error, directory.path) ?? error;
  }
  return node;
}
