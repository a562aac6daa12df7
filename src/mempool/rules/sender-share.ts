/**
 * One sender, which is the first address of a transaction, holds a bounded share of the pool in count and bytes
 * however much it pays: `MEMPOOL_SENDER_FULL`.
 */
import { ProtocolError } from '../../codec/errors.ts';
import type { Candidate, Entry, MempoolLimits, Rule } from '../types.ts';

export class SenderShareRule implements Rule {
  readonly #limits: MempoolLimits;
  readonly #senders = new Map<string, { count: number; bytes: number }>();

  constructor(limits: MempoolLimits) {
    this.#limits = limits;
  }

  get senders(): number {
    return this.#senders.size;
  }

  admit({ entry, leaving }: Candidate): void {
    const sender = entry.debits[0]?.key;
    const held = sender === undefined ? undefined : this.#senders.get(sender);
    if (held === undefined) return;
    const { maxTransactionsPerSender, maxBytesPerSender } = this.#limits;
    let count = held.count + 1;
    let bytes = held.bytes + entry.tx.bytes.length;
    for (const other of leaving.keys()) {
      if (other.debits[0]?.key !== sender) continue;
      count -= 1;
      bytes -= other.tx.bytes.length;
    }
    if (count > maxTransactionsPerSender || bytes > maxBytesPerSender) {
      throw new ProtocolError(
        'MEMPOOL_SENDER_FULL',
        `${held.count} transactions of ${held.bytes} bytes from this address wait, the most are ${maxTransactionsPerSender} and ${maxBytesPerSender}; send it again when some of them are final`,
      );
    }
  }

  entered({ debits, tx }: Entry): void {
    const sender = debits[0]?.key;
    if (sender === undefined) return;
    const held = this.#senders.get(sender);
    if (held === undefined) this.#senders.set(sender, { count: 1, bytes: tx.bytes.length });
    else {
      held.count += 1;
      held.bytes += tx.bytes.length;
    }
  }

  left({ debits, tx }: Entry): void {
    const sender = debits[0]?.key;
    const held = sender === undefined ? undefined : this.#senders.get(sender);
    if (sender === undefined || held === undefined) return;
    held.count -= 1;
    held.bytes -= tx.bytes.length;
    if (held.count === 0) this.#senders.delete(sender);
  }
}
