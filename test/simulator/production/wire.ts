/**
 * The network as the production parts know it, over the simulated one: votes, compact proposals and certificates as
 * messages, requests with an answer or a time limit, gossip of transactions. Peers go by the names of their machines.
 */
import { type Bytes, concat, u64 } from '../../../src/codec/bytes.ts';
import { isProtocolError, ProtocolError } from '../../../src/codec/errors.ts';
import { Reader } from '../../../src/codec/reader.ts';
import { Writer } from '../../../src/codec/writer.ts';
import type { Network, NetworkHandlers, PeerInfo, RequestOptions } from '../../../src/p2p/types.ts';
import type { Endpoint, Message, SimNetwork } from '../network.ts';
import type { Timeline } from '../scheduler.ts';

const MAX_BYTES = 1 << 24;
/** Number of the request, and whether it was met. */
const ANSWER_HEAD = 9;

interface Request {
  readonly id: number;
  readonly method: number;
  readonly most: number;
  readonly payload: Bytes;
}

export function writeRequest({ id, method, most, payload }: Request): Bytes {
  return new Writer(payload.length + 64).array(4).uint(id).uint(method).uint(most).bin(payload).finish();
}

function readRequest(bytes: Bytes): Request | undefined {
  try {
    const r = new Reader(bytes);
    r.array(4);
    const request = { id: r.uint(), method: r.uint(), most: r.uint(), payload: r.bin(0, MAX_BYTES) };
    r.end();
    return request;
  } catch (error) {
    if (isProtocolError(error)) return undefined;
    throw error;
  }
}

interface Waiting {
  readonly resolve: (answer: Bytes) => void;
  readonly reject: (error: ProtocolError) => void;
}

interface WireOptions {
  readonly self: Endpoint;
  readonly network: SimNetwork;
  /** Dies with the process. */
  readonly clock: Timeline;
  readonly alive: () => boolean;
  /** A peer has done what only an attacker does. */
  readonly onOffence: (peer: string, offence: string) => void;
}

export class Wire implements Network {
  readonly peerId: string;
  readonly #o: WireOptions;
  readonly #waiting = new Map<number, Waiting>();
  #requests = 0;

  constructor(options: WireOptions) {
    this.#o = options;
    this.peerId = options.self.name;
  }

  #send(to: Endpoint | undefined, message: Message): boolean {
    const { network, self, alive } = this.#o;
    if (to === undefined || !alive()) return false;
    network.send(self, to, message);
    return true;
  }

  #broadcast(message: Message, except?: string): void {
    for (const to of this.#others()) if (to.name !== except) this.#send(to, message);
  }

  #others(): Endpoint[] {
    return this.#o.network.endpoints.filter((endpoint) => endpoint !== this.#o.self);
  }

  addresses(): string[] {
    return [];
  }

  peers(): PeerInfo[] {
    return this.#others().map(({ name, index }) => ({
      ...{ id: name, validator: index, address: name, direction: 'outbound', score: 0, status: 'ready' },
      persistent: true,
    }));
  }

  validatorPeer(index: number): string | undefined {
    return this.#others().find((endpoint) => endpoint.index === index)?.name;
  }

  broadcastVote(vote: Bytes): void {
    this.#broadcast({ kind: 'vote', bytes: vote });
  }

  sendProposal(proposal: Bytes, except?: string): void {
    this.#broadcast({ kind: 'proposal', bytes: proposal }, except);
  }

  broadcastCertificate(certificate: Bytes, except?: string): void {
    this.#broadcast({ kind: 'certificate', bytes: certificate }, except);
  }

  sendVote(peer: string, vote: Bytes): boolean {
    return this.#send(this.#o.network.endpoint(peer), { kind: 'vote', bytes: vote });
  }

  sendCertificate(peer: string, certificate: Bytes): boolean {
    return this.#send(this.#o.network.endpoint(peer), { kind: 'certificate', bytes: certificate });
  }

  sendProposalTo(peer: string, proposal: Bytes): boolean {
    return this.#send(this.#o.network.endpoint(peer), { kind: 'proposal', bytes: proposal });
  }

  publishTransactions(batch: Bytes): Promise<number> {
    this.#broadcast({ kind: 'transactions', bytes: batch });
    return Promise.resolve(this.#others().length);
  }

  request(peer: string, method: number, payload: Bytes, options: RequestOptions): Promise<Bytes> {
    const { clock, network } = this.#o;
    const { timeoutMs, idleMs = timeoutMs, maxResponseBytes, signal } = options;
    const id = this.#requests++;
    return new Promise<Bytes>((resolve, reject) => {
      const end = (): void => {
        this.#waiting.delete(id);
        cancel();
        signal?.removeEventListener('abort', abort);
      };
      const fail = (error: ProtocolError): void => {
        end();
        reject(error);
      };
      const abort = (): void => fail(new ProtocolError('REQUEST_CANCELLED', 'not needed any more'));
      // An answer comes in one piece: until then there is nothing.
      const cancel = clock.after(Math.min(timeoutMs, idleMs), () =>
        fail(new ProtocolError('REQUEST_TIMEOUT', 'no answer')),
      );
      signal?.addEventListener('abort', abort);
      this.#waiting.set(id, {
        resolve: (answer) => {
          end();
          resolve(answer);
        },
        reject: fail,
      });
      if (signal?.aborted === true) return abort();
      const bytes = writeRequest({ id, method, most: maxResponseBytes, payload });
      if (!this.#send(network.endpoint(peer), { kind: 'request', bytes }))
        fail(new ProtocolError('PEER_GONE', peer));
    });
  }

  penalise(peer: string, offence: string): void {
    this.#o.onOffence(peer, offence);
  }

  setValidatorKeys(): void {}

  metrics(): Record<string, number> {
    return {};
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** What has arrived, to whom it is for. */
  receive(handlers: NetworkHandlers, { kind, bytes }: Message, from: Endpoint): void {
    const { onOffence } = this.#o;
    const judged = (verdict: string): void => {
      if (verdict === 'reject') onOffence(from.name, kind);
    };
    if (kind === 'vote') judged(handlers.onVote(bytes, from.index, from.name));
    else if (kind === 'proposal') judged(handlers.onProposal(bytes, from.name, from.index));
    else if (kind === 'certificate') judged(handlers.onCertificate(bytes, from.name));
    else if (kind === 'transactions') void handlers.onTransactions(bytes, from.name, from.index).then(judged);
    else if (kind === 'request') void this.#answer(handlers, bytes, from);
    else if (kind === 'answer') this.#answered(bytes);
  }

  async #answer(handlers: NetworkHandlers, bytes: Bytes, from: Endpoint): Promise<void> {
    const request = readRequest(bytes);
    if (request === undefined) return this.#o.onOffence(from.name, 'request');
    const { id, method, most, payload } = request;
    const reply = (ok: boolean, content: Bytes): void => {
      this.#send(from, { kind: 'answer', bytes: concat(u64(id), Uint8Array.of(ok ? 1 : 0), content) });
    };
    try {
      reply(true, await handlers.onRequest(method, payload, from.name, most, () => undefined));
    } catch (error) {
      if (!isProtocolError(error)) throw error;
      if (/^(CODEC_|REQUEST_INVALID)/.test(error.code)) this.#o.onOffence(from.name, error.code);
      reply(false, new TextEncoder().encode(error.code));
    }
  }

  #answered(bytes: Bytes): void {
    if (bytes.length < ANSWER_HEAD) return;
    const id = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0));
    const waiting = this.#waiting.get(id);
    const content = bytes.slice(ANSWER_HEAD);
    if (bytes[8] === 1) waiting?.resolve(content);
    else waiting?.reject(new ProtocolError('REMOTE_ERROR', new TextDecoder().decode(content)));
  }
}
