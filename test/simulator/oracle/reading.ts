/**
 * Votes and certificates as the oracle reads them off the wire, with a decoder, a preimage and an arithmetic of its
 * own: nothing here calls the code under test. Written from docs/protocol.md.
 */

type Kind = 'N' | 'X' | 'F';

export interface Statement {
  readonly kind: Kind;
  readonly epoch: number;
  readonly view: number;
  /** Of N and F. */
  readonly parentView: number;
  /** Of N and F: the block hash in hex; empty for X. */
  readonly payload: string;
  /** The bytes that are signed. */
  readonly message: Uint8Array;
  /** Equal for equal statements only. */
  readonly id: string;
}

interface VoteRead {
  readonly statement: Statement;
  readonly signer: number;
  readonly signature: Uint8Array;
}

export interface CertificateRead {
  readonly statement: Statement;
  /** Ascending. */
  readonly signers: readonly number[];
  readonly signatures: readonly Uint8Array[];
}

const KINDS: readonly (Kind | undefined)[] = [undefined, 'N', 'X', 'F'];
const SIGNATURE = 64;
const NOTHING = new Uint8Array(0);

class Cursor {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  #next(): number {
    const byte = this.#bytes[this.at++];
    if (byte === undefined) throw new Error('cut short');
    return byte;
  }

  #bigEndian(size: number): number {
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + this.#next();
    return value;
  }

  array(): number {
    const tag = this.#next();
    if (tag >> 4 !== 9) throw new Error(`no short array at ${this.at - 1}`);
    return tag & 15;
  }

  number(): number {
    const tag = this.#next();
    if (tag < 0x80) return tag;
    if (tag < 0xcc || tag > 0xcf) throw new Error(`no number at ${this.at - 1}`);
    return this.#bigEndian(2 ** (tag - 0xcc));
  }

  binary(): Uint8Array {
    const tag = this.#next();
    if (tag < 0xc4 || tag > 0xc6) throw new Error(`no bytes at ${this.at - 1}`);
    const size = this.#bigEndian(2 ** (tag - 0xc4));
    const start = this.at;
    this.at += size;
    if (this.at > this.#bytes.length) throw new Error('cut short');
    return this.#bytes.subarray(start, this.at);
  }

  end(): void {
    if (this.at !== this.#bytes.length) throw new Error(`${this.#bytes.length - this.at} bytes too many`);
  }
}

function putNumber(out: Uint8Array, at: number, value: number): void {
  for (let i = at + 7, rest = value; i >= at; i--, rest = Math.floor(rest / 256)) out[i] = rest % 256;
}

export class Reading {
  readonly #head: Uint8Array;
  /** By the bytes that it is read from: many votes and certificates say the same. */
  readonly #statements = new Map<string, Statement>();

  constructor(genesisHash: Uint8Array) {
    this.#head = Buffer.concat([Buffer.from('kryder/vote/1'), genesisHash]);
  }

  /** Throws if the bytes are not a vote. */
  vote(bytes: Uint8Array): VoteRead {
    const cursor = new Cursor(bytes);
    const statement = this.#statement(cursor, bytes);
    const signer = cursor.number();
    const signature = cursor.binary();
    cursor.end();
    return { statement, signer, signature };
  }

  /** Throws if the bytes are not a certificate. */
  certificate(bytes: Uint8Array): CertificateRead {
    const cursor = new Cursor(bytes);
    const statement = this.#statement(cursor, bytes);
    const bitmap = cursor.binary();
    const joined = cursor.binary();
    cursor.end();
    const signers: number[] = [];
    for (let i = 0; i < 8 * bitmap.length; i++)
      if (Math.floor(bitmap[i >> 3]! / 2 ** (i % 8)) % 2 === 1) signers.push(i);
    const signatures: Uint8Array[] = [];
    for (let at = 0; at < joined.length; at += SIGNATURE)
      signatures.push(joined.subarray(at, at + SIGNATURE));
    return { statement, signers, signatures };
  }

  #statement(cursor: Cursor, bytes: Uint8Array): Statement {
    const fields = cursor.array();
    const code = cursor.number();
    const kind = KINDS[code];
    const [epoch, view] = [cursor.number(), cursor.number()];
    if (kind === undefined || fields !== (kind === 'X' ? 5 : 7)) throw new Error('no kind of vote');
    const [parentView, hash] = kind === 'X' ? [0, NOTHING] : [cursor.number(), cursor.binary()];
    const read = Buffer.from(bytes.buffer, bytes.byteOffset, cursor.at).toString('latin1');
    const known = this.#statements.get(read);
    if (known !== undefined) return known;

    const head = this.#head.length;
    const message = new Uint8Array(head + (kind === 'X' ? 17 : 25 + hash.length));
    message.set(this.#head);
    putNumber(message, head, epoch);
    message[head + 8] = code;
    putNumber(message, head + 9, view);
    if (kind !== 'X') {
      putNumber(message, head + 17, parentView);
      message.set(hash, head + 25);
    }
    const payload = Buffer.from(hash).toString('hex');
    const id = kind === 'X' ? `X${epoch}/${view}` : `${kind}${epoch}/${view}/${parentView}/${payload}`;
    const statement: Statement = { kind, epoch, view, parentView, payload, message, id };
    this.#statements.set(read, statement);
    return statement;
  }
}

/** More than two thirds of the stake: what is missing weighs less than a third. */
export function isQuorum(signed: number, total: number): boolean {
  return 3 * (total - signed) < total;
}
