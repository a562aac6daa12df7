/**
 * The door of the HTTP API: who may come in, how many at a time and how fast. It promises that an honest client
 * finds a place while others hold all of them without using them: when there is none, of the address with the most
 * idle connections the one gives way that has been without a request for longest. One request at a time a
 * connection; large bodies and answers share a bounded amount of memory; who takes an answer too slowly is cut off.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ProtocolError } from '../codec/errors.ts';
import type { ApiLimits } from './limits.ts';
import { Dear, Pace, PaceByAddress } from './pace.ts';
import { cutPipelining } from './pipelining.ts';

interface Visitor {
  readonly socket: Socket;
  readonly address: string;
  /** The answer that is due, from the last header of a request to the last byte of the answer. */
  answer: ServerResponse | undefined;
  /** Bytes of the request's body that count against what all may hold. */
  body: number;
}

/** Whose limits a connection counts against: an IPv4 address, or the first half of an IPv6 address. */
export function addressOf(remote: string | undefined): string {
  if (remote === undefined) return '';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(remote);
  if (mapped !== null) return mapped[1]!;
  if (!remote.includes(':')) return remote;
  const [head, tail] = remote.split('%')[0]!.split('::');
  const groups = head === '' ? [] : head!.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = tail === undefined ? 0 : 8 - groups.length - after.length;
  return [...groups, ...new Array<string>(Math.max(0, gap)).fill('0'), ...after].slice(0, 4).join(':');
}

/** A bounded number of bytes that many share. */
class Held {
  readonly #most: number;
  #bytes = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False when there is no room; otherwise they are held until `give`. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#most) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

const GRACE_MS = 10_000;

export class Door {
  readonly limits: ApiLimits;
  readonly #bodies: Held;
  readonly #answers: Held;
  readonly dear: Dear;
  /** Large bodies are read one at a time. */
  readonly submissions: Dear;
  readonly #visitors = new Map<Socket, Visitor>();
  /** Those without a request that is being served, the longest first. */
  readonly #idle = new Set<Visitor>();
  readonly #perAddress = new Map<string, number>();
  readonly #arrivals: Pace;
  readonly #arrivalsBy: PaceByAddress;
  readonly #requests: PaceByAddress;
  readonly #calm: PaceByAddress;
  readonly #shared: Pace;
  readonly #counts = new Map<string, number>();

  constructor(limits: ApiLimits, now: () => number) {
    this.limits = limits;
    this.#bodies = new Held(limits.heldBodyBytes);
    this.#answers = new Held(limits.heldAnswerBytes);
    this.dear = new Dear(limits.dearShare, limits.dearBurstMs, limits.maxDear, now);
    this.submissions = new Dear(
      limits.submissionShare,
      limits.submissionBurstMs,
      limits.maxSubmissions,
      now,
      'too many large bodies are waiting to be read; try again in a second',
    );
    this.#arrivals = new Pace(limits.connectionsPerSecond, 2 * limits.connectionsPerSecond, now);
    this.#arrivalsBy = new PaceByAddress(
      () => new Pace(limits.connectionsPerSecondPerAddress, 4 * limits.connectionsPerSecondPerAddress, now),
    );
    this.#requests = new PaceByAddress(
      () => new Pace(limits.requestsPerSecond, 2 * limits.requestsPerSecond, now),
    );
    this.#calm = new PaceByAddress(
      () => new Pace(limits.calmRequestsPerSecond, 2 * limits.calmRequestsPerSecond, now),
    );
    this.#shared = new Pace(limits.sharedRequestsPerSecond, 2 * limits.sharedRequestsPerSecond, now);
  }

  attach(server: Server): void {
    server.on('connection', (socket) => this.#onConnection(socket));
  }

  count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  /** Counters and gauges; what was refused stands under `refused.` and its code. */
  metrics(): Record<string, number> {
    return {
      ...Object.fromEntries(this.#counts),
      connections: this.#visitors.size,
      'connections.idle': this.#idle.size,
      'dear.waiting': this.dear.waiting,
      'bodies.held.bytes': this.#bodies.bytes,
      'answers.held.bytes': this.#answers.bytes,
    };
  }

  #onConnection(socket: Socket): void {
    const { maxConnections, maxConnectionsPerAddress } = this.limits;
    const address = addressOf(socket.remoteAddress);
    const own = this.#arrivalsBy.of(address);
    if (own.debt > 0 || this.#arrivals.debt > 0) {
      this.count('connections.refused');
      socket.destroy();
      return;
    }
    own.take(1);
    this.#arrivals.take(1);
    const full =
      (this.#perAddress.get(address) ?? 0) >= maxConnectionsPerAddress
        ? !this.#makeRoom(address)
        : this.#visitors.size >= maxConnections && !this.#makeRoom(this.#mostCrowded());
    if (full) {
      this.count('connections.refused');
      socket.destroy();
      return;
    }
    const visitor: Visitor = { socket, address, answer: undefined, body: 0 };
    this.#visitors.set(socket, visitor);
    this.#idle.add(visitor);
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    this.count('connections.accepted');
    socket.once('close', () => this.#leave(visitor));
    cutPipelining(
      socket,
      () => visitor.answer !== undefined,
      () => this.count('refused.PIPELINED'),
    );
  }

  #leave(visitor: Visitor): void {
    if (!this.#visitors.delete(visitor.socket)) return;
    this.#idle.delete(visitor);
    const left = (this.#perAddress.get(visitor.address) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(visitor.address);
    else this.#perAddress.set(visitor.address, left);
  }

  /** The address with the most connections that are idle. */
  #mostCrowded(): string {
    const counts = new Map<string, number>();
    let most = '';
    for (const { address } of this.#idle) {
      const count = (counts.get(address) ?? 0) + 1;
      counts.set(address, count);
      if (count > (counts.get(most) ?? 0)) most = address;
    }
    return most;
  }

  /** Ends the connection of this address that has been idle for longest; false when there is none. */
  #makeRoom(address: string): boolean {
    for (const visitor of this.#idle) {
      if (visitor.address !== address) continue;
      this.count('connections.evicted');
      this.#leave(visitor);
      visitor.socket.destroy();
      return true;
    }
    return false;
  }

  /**
   * A request whose headers are there. False when the connection is not to be talked to any more. Otherwise it
   * returns when the request may go on. Throws `API_RATE` when that would take too long.
   */
  async enter({ socket }: IncomingMessage, answer: ServerResponse): Promise<boolean> {
    const visitor = this.#visitors.get(socket);
    if (visitor === undefined || socket.destroyed) return false;
    if (visitor.answer !== undefined) {
      socket.destroy();
      return false;
    }
    visitor.answer = answer;
    answer.once('close', () => {
      visitor.answer = undefined;
      this.#bodies.give(visitor.body);
      visitor.body = 0;
      if (!this.#visitors.has(socket)) return;
      this.#idle.delete(visitor);
      this.#idle.add(visitor);
    });
    this.count('requests');
    const wait = this.#wait(visitor.address);
    if (wait > 0) await delay(wait);
    return !socket.destroyed;
  }

  /** How long a request of this address has to wait. Throws `API_RATE`, and then it has taken nothing. */
  #wait(address: string): number {
    const { maxWaitMs } = this.limits;
    const own = this.#requests.of(address);
    if (own.debt > maxWaitMs) {
      throw new ProtocolError('API_RATE', 'too many requests from this address; ask less often');
    }
    const calm = this.#calm.of(address);
    const shared = calm.debt > 0;
    if (shared && this.#shared.debt > maxWaitMs) {
      throw new ProtocolError('API_RATE', 'too many requests from all clients together; ask less often');
    }
    return Math.max(own.take(1), shared ? this.#shared.take(1) : calm.take(1));
  }

  /** What is being answered costs as much as so many more requests. */
  charge({ socket }: IncomingMessage, requests: number): void {
    const visitor = this.#visitors.get(socket);
    if (visitor !== undefined) this.#requests.of(visitor.address).take(requests);
  }

  /** The request is complete: until it is answered, its connection does not give way. */
  serve({ socket }: IncomingMessage): void {
    const visitor = this.#visitors.get(socket);
    if (visitor !== undefined) this.#idle.delete(visitor);
  }

  /** Holds the `bytes` of a body so far, until the request is answered. Throws `API_BUSY`. */
  hold({ socket }: IncomingMessage, bytes: number): void {
    const visitor = this.#visitors.get(socket);
    if (visitor === undefined || visitor.answer === undefined || bytes <= this.limits.smallBytes) return;
    if (!this.#bodies.take(bytes - visitor.body)) {
      throw new ProtocolError('API_BUSY', 'too many large bodies are being read; try again in a second');
    }
    visitor.body = bytes;
  }

  /** The answer is made and on its way; holds its bytes until they are out. Throws `API_BUSY`. */
  leave(answer: ServerResponse, bytes: number): void {
    const { smallBytes, leastAnswerBytesPerSecond } = this.limits;
    const held = bytes > smallBytes ? bytes : 0;
    if (!this.#answers.take(held)) {
      throw new ProtocolError('API_BUSY', 'too many large answers are on their way; try again in a second');
    }
    const timer = setTimeout(
      () => {
        this.count('refused.SLOW_READER');
        answer.destroy();
      },
      GRACE_MS + (1_000 * bytes) / leastAnswerBytesPerSecond,
    );
    timer.unref();
    answer.once('close', () => {
      clearTimeout(timer);
      this.#answers.give(held);
    });
  }
}
