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

class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  array(): number {
    const tag = this.#bytes[this.#at++]!;
    if (tag >> 4 !== 9) throw new Error(`no short array at ${this.#at - 1}`);
    return tag & 15;
  }

  number(): number {
    const tag = this.#bytes[this.#at++]!;
    const size = tag < 128 ? 0 : [1, 2, 4, 8][tag - 0xcc];
    if (size === undefined) throw new Error(`no number at ${this.#at - 1}`);
    if (size === 0) return tag;
    this.#at += size;
    if (size === 8) return Number(this.#bytes.readBigUInt64BE(this.#at - 8));
    return this.#bytes.readUIntBE(this.#at - size, size);
  }

  binary(): Buffer {
    const size = [1, 2, 4][this.#bytes[this.#at]! - 0xc4];
    if (size === undefined) throw new Error(`no bytes at ${this.#at}`);
    const start = this.#at + 1 + size;
    this.#at = start + this.#bytes.readUIntBE(this.#at + 1, size);
    if (this.#at > this.#bytes.length) throw new Error('cut short');
    return this.#bytes.subarray(start, this.#at);
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new Error(`${this.#bytes.length - this.#at} bytes too many`);
  }
}

export class Reading {
  readonly #head: Buffer;

  constructor(genesisHash: Uint8Array) {
    this.#head = Buffer.concat([Buffer.from('kryder/vote/1'), genesisHash]);
  }

  /** Throws if the bytes are not a vote. */
  vote(bytes: Uint8Array): VoteRead {
    const cursor = new Cursor(bytes);
    const statement = this.#statement(cursor, cursor.array());
    const signer = cursor.number();
    const signature = cursor.binary();
    cursor.end();
    return { statement, signer, signature };
  }

  /** Throws if the bytes are not a certificate. */
  certificate(bytes: Uint8Array): CertificateRead {
    const cursor = new Cursor(bytes);
    const statement = this.#statement(cursor, cursor.array());
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

  #statement(cursor: Cursor, fields: number): Statement {
    const kind = KINDS[cursor.number()];
    const [epoch, view] = [cursor.number(), cursor.number()];
    if (kind === undefined || fields !== (kind === 'X' ? 5 : 7)) throw new Error('no kind of vote');
    const number = (value: number): Buffer => {
      const out = Buffer.alloc(8);
      out.writeBigUInt64BE(BigInt(value));
      return out;
    };
    const start = [this.#head, number(epoch), Buffer.of(KINDS.indexOf(kind)), number(view)];
    if (kind === 'X') {
      const message = Buffer.concat(start);
      return { kind, epoch, view, parentView: 0, payload: '', message, id: `X${epoch}/${view}` };
    }
    const parentView = cursor.number();
    const hash = cursor.binary();
    const payload = hash.toString('hex');
    const message = Buffer.concat([...start, number(parentView), hash]);
    return {
      kind,
      epoch,
      view,
      parentView,
      payload,
      message,
      id: `${kind}${epoch}/${view}/${parentView}/${payload}`,
    };
  }
}

/** More than two thirds of the stake: what is missing weighs less than a third. */
export function isQuorum(signed: number, total: number): boolean {
  return 3 * (total - signed) < total;
}
