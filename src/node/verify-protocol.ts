/**
 * The protocol between the main thread and a verification worker: batches of full transaction bytes one way,
 * flat results the other, each as one transferred buffer. The same two functions serve the worker and the
 * same-thread verifier of tests and tools.
 */
import { type Bytes, utf8 } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { type CheckContext, CheckedTransaction, checkTransaction } from '../tx/check.ts';

export type CheckResult = CheckedTransaction | ProtocolError;

/** `u32 count`, then `u32 length` each, then the bytes. */
export function packTransactions(transactions: readonly Bytes[]): ArrayBuffer {
  let size = 4 + 4 * transactions.length;
  for (const tx of transactions) size += tx.length;
  const buffer = new ArrayBuffer(size);
  const view = new DataView(buffer);
  const bytes = new Uint8Array(buffer);
  view.setUint32(0, transactions.length);
  let at = 4 + 4 * transactions.length;
  for (let i = 0; i < transactions.length; i++) {
    const tx = transactions[i]!;
    view.setUint32(4 + 4 * i, tx.length);
    bytes.set(tx, at);
    at += tx.length;
  }
  return buffer;
}

export function unpackTransactions(buffer: ArrayBuffer): Bytes[] {
  const view = new DataView(buffer);
  const count = view.getUint32(0);
  const out: Bytes[] = [];
  let at = 4 + 4 * count;
  for (let i = 0; i < count; i++) {
    const length = view.getUint32(4 + 4 * i);
    out.push(new Uint8Array(buffer, at, length));
    at += length;
  }
  return out;
}

const OK = 0;
const REFUSED = 1;

/** Checks a packed batch; the result is `u8 status, u32 length, bytes` a transaction. */
export function checkPacked(buffer: ArrayBuffer, context: CheckContext): ArrayBuffer {
  const records = unpackTransactions(buffer).map((tx): { status: number; bytes: Bytes } => {
    try {
      return { status: OK, bytes: checkTransaction(tx, context).flat };
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return { status: REFUSED, bytes: utf8(`${error.code}\n${error.message}`) };
    }
  });
  let size = 0;
  for (const record of records) size += 5 + record.bytes.length;
  const out = new ArrayBuffer(size);
  const view = new DataView(out);
  const bytes = new Uint8Array(out);
  let at = 0;
  for (const record of records) {
    view.setUint8(at, record.status);
    view.setUint32(at + 1, record.bytes.length);
    bytes.set(record.bytes, at + 5);
    at += 5 + record.bytes.length;
  }
  return out;
}

const decoder = new TextDecoder();

/** Joins a batch with its results again. */
export function unpackResults(transactions: readonly Bytes[], results: ArrayBuffer): CheckResult[] {
  const view = new DataView(results);
  let at = 0;
  return transactions.map((tx) => {
    const status = view.getUint8(at);
    const length = view.getUint32(at + 1);
    const bytes = new Uint8Array(results, at + 5, length);
    at += 5 + length;
    if (status === OK) return new CheckedTransaction(tx, bytes);
    const text = decoder.decode(bytes);
    const cut = text.indexOf('\n');
    return new ProtocolError(text.slice(0, cut), text.slice(cut + 1));
  });
}
