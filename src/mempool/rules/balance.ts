/**
 * What the waiting transactions take from an address never passes its balance: `TX_OVERSPENT`. When a final
 * block leaves it less than that, those that pay least by the byte leave.
 */
import { ProtocolError } from '../../codec/errors.ts';
import type { Candidate, Entry, FinalBlock, MempoolView, Rule } from '../types.ts';

const OVERSPENT = { code: 'TX_OVERSPENT', message: 'other transactions have used what it spends' };

export class BalanceRule implements Rule {
  readonly #accounts = new Map<string, { total: bigint; readonly entries: Set<Entry> }>();

  /** What waiting transactions take from an account, by the key of its hash. */
  pending(account: string): bigint {
    return this.#accounts.get(account)?.total ?? 0n;
  }

  admit({ entry, movements, view, leaving }: Candidate): void {
    entry.debits.forEach(({ key, amount }, i) => {
      let pending = this.pending(key);
      for (const other of leaving.keys())
        for (const debit of other.debits) if (debit.key === key) pending -= debit.amount;
      const balance = view.balance(movements[i]!.account);
      if (pending + amount > balance) {
        throw new ProtocolError(
          'TX_OVERSPENT',
          `it takes ${amount} µKRY, ${balance - pending} of ${balance} are free`,
        );
      }
    });
  }

  entered(entry: Entry): void {
    for (const { key, amount } of entry.debits) {
      const held = this.#accounts.get(key);
      if (held === undefined) this.#accounts.set(key, { total: amount, entries: new Set([entry]) });
      else {
        held.total += amount;
        held.entries.add(entry);
      }
    }
  }

  left(entry: Entry): void {
    for (const { key, amount } of entry.debits) {
      const held = this.#accounts.get(key);
      if (held === undefined) continue;
      held.total -= amount;
      held.entries.delete(entry);
      if (held.entries.size === 0) this.#accounts.delete(key);
    }
  }

  /** Also for those whose transactions waited here: a rest below the deposit goes when its account is closed. */
  finalised({ debited, view, drop }: FinalBlock): void {
    for (const key of debited) if (this.#accounts.has(key)) this.#settle(key, view, drop);
  }

  #settle(key: string, view: MempoolView, drop: FinalBlock['drop']): void {
    const held = this.#accounts.get(key);
    const first = held?.entries.values().next().value;
    const at = first?.debits.findIndex((debit) => debit.key === key) ?? -1;
    const account = first?.tx.debits()[at]?.account;
    if (held === undefined || account === undefined) return;
    const balance = view.balance(account);
    if (held.total <= balance) return;
    for (const entry of [...held.entries].sort((a, b) => a.rate - b.rate)) {
      if (held.total <= balance) return;
      drop(entry, OVERSPENT);
    }
  }
}
