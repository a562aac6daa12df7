/**
 * The driver of the state machine: it runs "change state → append to the journal → one fsync → count own
 * votes, send, tell the application", in this order, for as many events at once as arrived during the last
 * fsync. Events are judged synchronously; what they cause in the outside world waits for the commit. It owns
 * crash recovery and ends for good, through `host.fatal`, at the first write that fails.
 */
import { type Bytes, equal } from '../codec/bytes.ts';
import { isProtocolError } from '../codec/errors.ts';
import type { SignatureVerifier, SigningKey } from '../crypto/interfaces.ts';
import { Pacing } from './engine/pacing.ts';
import { Engine } from './engine.ts';
import type { CertificateQuery, Effect, EngineEvent, Judgement, Report } from './events.ts';
import type {
  Application,
  Clock,
  ConsensusNetwork,
  Floor,
  Host,
  Instance,
  RecoveredBody,
  Timing,
} from './host.ts';
import type { Disk } from './journal/disk.ts';
import { Journal } from './journal/journal.ts';
import { Signer } from './signer.ts';
import { type Certificate, NULLIFY, type Proposal, type Vote } from './types.ts';
import { indexOfKey } from './validator-set.ts';
import { subjectView } from './vote.ts';

export interface ReplicaOptions extends Instance {
  /** The consensus key; without one, or with one that is not in the set, the replica follows. */
  readonly key: SigningKey | undefined;
  readonly verifier: SignatureVerifier;
  readonly timing: Timing;
  readonly clock: Clock;
  /** Numbers in [0, 1), for jitter only. */
  readonly random: () => number;
  /** Unpredictable bytes, for the journal's salts. */
  readonly randomBytes: (length: number) => Bytes;
  /** The journal's directory. */
  readonly disk: Disk;
  readonly segmentBytes?: number;
  readonly application: Application;
  readonly network: ConsensusNetwork;
  readonly host: Host;
}

/** What waits for the commit: an effect, or an own vote that the signer gives out when it is durable. */
type Outgoing = Exclude<Effect, { type: 'journal' | 'sign' | 'floor' | 'equivocated' }> | Promise<Vote>;

const IGNORED: Judgement = { ok: true, useful: false };

export interface ReplicaMetrics {
  readonly view: number;
  readonly lastFinalized: number;
  /** Views held in memory. */
  readonly rounds: number;
  /** Effects that wait for an fsync. */
  readonly outgoing: number;
  readonly journalBytes: number;
  readonly fsyncs: number;
}

export class Replica {
  readonly #options: ReplicaOptions;
  readonly #tasks = new Map<string, AbortController>();
  #journal: Journal | undefined;
  #signer: Signer | undefined;
  #engine: Engine | undefined;
  #outgoing: Outgoing[] = [];
  #pumping: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  #armedFor: number | undefined;
  #stopped = false;
  /** The block built last, so that its proposal need not be read back from the journal. */
  #built: { readonly payload: Bytes; readonly body: Bytes } | undefined;

  constructor(options: ReplicaOptions) {
    this.#options = options;
  }

  /**
   * Opens the journal, hands its bodies to the application and goes on from where journal and `floor` (the
   * application's database) leave off; either may be ahead. Rejects with `JOURNAL_CORRUPT` or
   * `JOURNAL_FOREIGN`, or with what the disk throws.
   */
  async start({ floor }: { readonly floor: Floor }): Promise<void> {
    const { disk, set, genesisHash, randomBytes, segmentBytes, key, application, clock } = this.#options;
    const journal = await Journal.open({
      disk,
      set,
      genesisHash,
      randomBytes,
      ...(segmentBytes === undefined ? {} : { segmentBytes }),
    });
    this.#journal = journal;
    if (key !== undefined && indexOfKey(set, key.publicKey) !== undefined) {
      this.#signer = new Signer({ key, set, genesisHash, journal });
    }
    const bodies: RecoveredBody[] = [];
    for (const { view, payload } of journal.state.bodies()) {
      const body = view > floor.proposal.view ? await journal.readBody(payload) : undefined;
      if (body !== undefined) bodies.push({ view, payload, body });
    }
    await application.recover(bodies);
    if (this.#stopped) return;
    const { engine, effects } = Engine.start(
      {
        set,
        genesisHash,
        self: this.#signer?.index,
        verifier: this.#options.verifier,
        pacing: new Pacing(this.#options.timing, this.#options.random),
      },
      floor,
      journal.state,
      clock.now(),
    );
    this.#engine = engine;
    this.#take(effects);
  }

  /** Own index in the set, or undefined for a follower; known after `start`. */
  get index(): number | undefined {
    return this.#signer?.index;
  }

  get view(): number {
    return this.#engine?.view ?? 0;
  }

  /** The highest finalised proposal; undefined before `start` has resolved. */
  get lastFinal(): Proposal | undefined {
    return this.#engine?.lastFinal;
  }

  metrics(): ReplicaMetrics {
    const journal = this.#journal?.metrics;
    return {
      view: this.view,
      lastFinalized: this.lastFinal?.view ?? 0,
      rounds: this.#engine?.roundCount ?? 0,
      outgoing: this.#outgoing.length,
      journalBytes: journal?.segmentBytes ?? 0,
      fsyncs: journal?.fsyncs ?? 0,
    };
  }

  /** A decoded vote from the authenticated stream of validator `from`. */
  onVote(vote: Vote, from: number): Judgement {
    return this.#step({ type: 'vote', vote, from });
  }

  /** A leader's N vote, from anyone. */
  onProposal(vote: Vote): Judgement {
    return this.#step({ type: 'proposal', vote });
  }

  onCertificate(certificate: Certificate, peer: string): Judgement {
    return this.#step({ type: 'certificate', certificate, peer });
  }

  /** Answered with `network.sendCertificate`, if there is an answer. */
  onCertificateRequest(query: CertificateQuery, peer: string): Judgement {
    return this.#step({ type: 'query', query, peer });
  }

  /** The application imported finalised blocks by itself, up to the one that this F certificate names. */
  onSynced(certificate: Certificate): Judgement {
    return this.#step({ type: 'synced', certificate });
  }

  /** The application's database holds everything up to `view`: the journal may forget it. */
  onDurable(view: number): void {
    this.#step({ type: 'durable', view });
  }

  /** Aborts what the application was asked for and waits for the journal's last write. */
  async stop(): Promise<void> {
    this.#halt();
    await this.#pumping;
    await this.#journal?.close().catch(() => undefined);
  }

  #halt(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#outgoing = [];
    for (const task of this.#tasks.values()) task.abort();
    this.#tasks.clear();
  }

  #fatal(error: unknown): void {
    if (this.#stopped) return;
    this.#halt();
    this.#options.host.fatal(error);
  }

  #step(event: EngineEvent): Judgement {
    if (this.#stopped || this.#engine === undefined) return IGNORED;
    try {
      const { effects, judgement } = this.#engine.step(event, this.#options.clock.now());
      this.#take(effects);
      return judgement;
    } catch (error) {
      this.#fatal(error);
      return IGNORED;
    }
  }

  /** Journal and signer at once; the rest after the commit. */
  #take(effects: readonly Effect[]): void {
    for (const effect of effects) this.#takeOne(effect);
    this.#armTimer();
    if (this.#outgoing.length > 0) this.#pumping ??= this.#pump();
  }

  #takeOne(effect: Effect): void {
    switch (effect.type) {
      case 'journal':
        this.#journal?.append(effect.record);
        if (effect.record.type === 'certificate') this.#compare(effect.record.certificate);
        break;
      case 'floor':
        this.#signer?.raiseFloor(effect.view);
        break;
      case 'equivocated':
        this.#signer?.noteEquivocation(effect.view);
        break;
      case 'sign':
        this.#sign(effect.subject);
        break;
      default:
        this.#outgoing.push(effect);
    }
  }

  /** Told before anything that is signed after it. */
  #compare(certificate: Certificate): void {
    if (this.#signer?.signedElsewhere(certificate) !== true) return;
    const view = subjectView(certificate.subject);
    this.#outgoing.push({ type: 'report', report: { type: 'elsewhere', view } });
  }

  #sign(subject: Vote['subject']): void {
    if (this.#signer === undefined) return;
    try {
      const vote = this.#signer.sign(subject);
      vote.catch(() => undefined); // a failed commit is dealt with where it is awaited
      this.#outgoing.push(vote);
    } catch (error) {
      if (!isProtocolError(error)) throw error;
      const report: Report = { type: 'refused', view: subjectView(subject), code: error.code };
      this.#outgoing.push({ type: 'report', report });
    }
  }

  /** Never throws, and never ends before its first `await`. */
  async #pump(): Promise<void> {
    try {
      while (this.#outgoing.length > 0 && !this.#stopped) {
        const batch = this.#outgoing;
        this.#outgoing = [];
        await this.#journal?.commit();
        for (const item of batch) {
          if (this.#stopped) return;
          if (item instanceof Promise) this.#step({ type: 'signed', vote: await item });
          else await this.#perform(item);
        }
      }
    } catch (error) {
      this.#fatal(error);
    } finally {
      // In the same breath as the last look at what is outgoing: what came between the two would lie there.
      this.#pumping = undefined;
    }
  }

  #armTimer(): void {
    const deadline = this.#engine?.deadline;
    if (this.#stopped || deadline === undefined || deadline === this.#armedFor) return;
    this.#cancelTimer?.();
    this.#armedFor = deadline;
    // Whole milliseconds, rounded up: a timer that fires a fraction too early would find nothing to do.
    const delay = Math.max(0, Math.ceil(deadline - this.#options.clock.now()));
    this.#cancelTimer = this.#options.clock.after(delay, () => {
      this.#armedFor = undefined;
      this.#cancelTimer = undefined;
      this.#step({ type: 'tick' });
    });
  }

  async #perform(effect: Exclude<Outgoing, Promise<Vote>>): Promise<void> {
    const { network, application, host } = this.#options;
    switch (effect.type) {
      case 'send-vote':
        network.broadcastVote(effect.vote);
        break;
      case 'send-proposal':
        network.sendProposal(effect.vote, await this.#bodyOf(effect.vote));
        break;
      case 'broadcast-certificate':
        network.broadcastCertificate(effect.certificate, effect.except);
        break;
      case 'send-certificate':
        network.sendCertificate(effect.peer, effect.certificate);
        break;
      case 'request-certificate':
        network.requestCertificate(effect.query, effect.preferred);
        break;
      case 'build':
        this.#build(effect);
        break;
      case 'verify':
        this.#verify(effect);
        break;
      case 'certify':
        this.#certify(effect);
        break;
      case 'cancel':
        this.#cancel(`${effect.task}/${effect.view}`);
        break;
      case 'finalize': {
        const { proposals, gap, certificate, notarizations, nullifications } = effect;
        application.finalize({ proposals, gap, certificate, notarizations, nullifications });
        break;
      }
      case 'report':
        host.report(effect.report);
        break;
    }
  }

  async #bodyOf(vote: Vote): Promise<Bytes | undefined> {
    if (vote.subject.kind === NULLIFY) return undefined;
    const { payload } = vote.subject.proposal;
    const built = this.#built;
    return built !== undefined && equal(built.payload, payload)
      ? built.body
      : this.#journal?.readBody(payload);
  }

  // --- the application's tasks -----------------------------------------------------------------------------

  #build({ view, parent, parentCertificate, deadlineMs }: Effect & { type: 'build' }): void {
    this.#run('build', this.#options.application.build({ view, parent, parentCertificate, deadlineMs }), {
      done: (block) => {
        this.#built = block;
        this.#step({ type: 'built', view, parent, block });
      },
      failed: () => {
        this.#step({ type: 'built', view, parent, block: undefined });
        return true;
      },
    });
  }

  #verify({ proposal, parent, leader }: Effect & { type: 'verify' }): void {
    const signal = this.#begin('verify', proposal.view);
    this.#run('verify', this.#options.application.verify({ proposal, parent, leader, signal }), {
      done: (result) => {
        if (!this.#end('verify', proposal.view, signal)) return;
        const body = result.outcome === 'valid' ? result.body : undefined;
        const reason = result.outcome === 'invalid' ? result.reason : undefined;
        this.#step({ type: 'verified', proposal, parent, body, reason });
      },
      failed: () => this.#end('verify', proposal.view, signal),
    });
  }

  #certify({ proposal, parent }: Effect & { type: 'certify' }): void {
    const signal = this.#begin('certify', proposal.view);
    this.#run('certify', this.#options.application.certify({ proposal, parent, signal }), {
      done: ({ ok, body, reason }) => {
        if (!this.#end('certify', proposal.view, signal)) return;
        this.#step({ type: 'certified', proposal, ok, body, reason });
      },
      failed: () => this.#end('certify', proposal.view, signal),
    });
  }

  #begin(task: 'verify' | 'certify', view: number): AbortSignal {
    this.#cancel(`${task}/${view}`);
    const controller = new AbortController();
    this.#tasks.set(`${task}/${view}`, controller);
    return controller.signal;
  }

  /** False if the task was called off: its outcome is of no interest any more. */
  #end(task: 'verify' | 'certify', view: number, signal: AbortSignal): boolean {
    if (signal.aborted) return false;
    this.#tasks.delete(`${task}/${view}`);
    return true;
  }

  #cancel(key: string): void {
    this.#tasks.get(key)?.abort();
    this.#tasks.delete(key);
  }

  /** An application that throws leaves its task pending, and the operator is told. */
  #run<T>(
    during: string,
    result: Promise<T>,
    { done, failed }: { done: (value: T) => void; failed: () => boolean },
  ): void {
    result.then(done, (error: unknown) => {
      if (this.#stopped || failed() === false) return;
      this.#options.host.report({ type: 'application-failed', during, error });
    });
  }
}
