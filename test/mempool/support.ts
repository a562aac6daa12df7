/** A mempool over a world that a test makes up: balances, heights, what the executor says. */
import { type Bytes, keyOf } from '../../src/codec/bytes.ts';
import { isProtocolError, ProtocolError } from '../../src/codec/errors.ts';
import { Mempool } from '../../src/mempool/pool.ts';
import type { MempoolLimits, MempoolView } from '../../src/mempool/types.ts';
import type { CheckedTransaction } from '../../src/tx/check.ts';
import { accountHash } from '../../src/tx/encode.ts';
import { KIND_TRANSFER } from '../../src/tx/types.ts';
import { named, pay, transfer } from '../ledger/support.ts';

export const ROOMY: MempoolLimits = {
  maxTransactions: 100,
  maxBytes: 1_000_000,
  maxTransactionsPerSender: 1_000,
  maxBytesPerSender: 1_000_000,
  maxDestinationsPerBounty: 2,
};

/** Ids of the bounties that a claims transaction names, in its order. */
function claimedBounties(tx: CheckedTransaction): Bytes[] {
  const { body } = tx.decode();
  return body.kind === KIND_TRANSFER ? [] : body.claims.map(({ bountyId }) => bountyId);
}

interface Dropped {
  readonly tx: CheckedTransaction;
  readonly code: string;
  readonly source: string | undefined;
}

export class World {
  readonly balances = new Map<string, bigint>();
  readonly dropped: Dropped[] = [];
  readonly included: CheckedTransaction[] = [];
  /** Bounties that are not open. */
  readonly closed = new Set<string>();
  /** `claimUntil` of bounties, where it is not 1,000. */
  readonly ends = new Map<string, number>();
  /** What the executor would refuse, by id. */
  readonly refused = new Map<string, string>();
  readonly pool: Mempool;
  nextHeight = 1;

  constructor(limits: Partial<MempoolLimits> = {}) {
    this.pool = new Mempool(
      { ...ROOMY, ...limits },
      {
        dropped: ({ tx, source }, { code }) => this.dropped.push({ tx, code, source }),
        included: ({ tx }) => this.included.push(tx),
      },
    );
  }

  fund(name: string, amount: bigint): void {
    this.balances.set(keyOf(accountHash(named(name))), amount);
  }

  isOpen(bounty: Bytes): boolean {
    return !this.closed.has(keyOf(bounty)) && (this.ends.get(keyOf(bounty)) ?? 1_000) > this.nextHeight;
  }

  get view(): MempoolView {
    return {
      nextHeight: this.nextHeight,
      balance: (account) => this.balances.get(keyOf(account)) ?? 0n,
      judge: (tx) => {
        const code = this.refused.get(keyOf(tx.id));
        if (code !== undefined) throw new ProtocolError(code, 'refused');
        const claims = claimedBounties(tx);
        const open = claims.filter((id) => this.isOpen(id)).length;
        if (2 * open < claims.length) throw new ProtocolError('BOUNTY_CLOSED', 'refused');
        return claims.map((id) => (this.isOpen(id) ? (this.ends.get(keyOf(id)) ?? 1_000) : undefined));
      },
    };
  }

  add(tx: CheckedTransaction, source?: string): string {
    try {
      this.pool.add(tx, this.view, source);
      return 'ok';
    } catch (error) {
      if (isProtocolError(error)) return error.code;
      throw error;
    }
  }

  /** Codes of what was dropped, by id. */
  codes(): Map<string, string> {
    return new Map(this.dropped.map(({ tx, code }) => [keyOf(tx.id), code]));
  }
}

export const order = (pool: Mempool): string[] => Array.from(pool.candidates(), (tx) => keyOf(tx.id));

export const plain = (
  from: string,
  amount = 1_000n,
  extra: Partial<Parameters<typeof transfer>[0]> = {},
): CheckedTransaction => transfer({ from, outputs: [pay('somebody', amount)], validUntil: 5, ...extra });
