/** A way into the mempool over a chain in memory, with a clock and a verifier that a test can look at. */
import type { Bytes } from '../../src/codec/bytes.ts';
import { BlockExecutor } from '../../src/ledger/executor.ts';
import type { MempoolLimits } from '../../src/mempool/types.ts';
import { type AdmissionOptions, Admissions } from '../../src/node/admission.ts';
import type { Chain } from '../../src/node/chain.ts';
import { InlineVerifier, type Priority, type TransactionVerifier } from '../../src/node/verify-pool.ts';
import type { CheckResult } from '../../src/node/verify-protocol.ts';
import type { CheckedTransaction } from '../../src/tx/check.ts';
import { GENESIS_HASH, PARAMETERS, pay, TestChain, transfer } from '../ledger/support.ts';
import { ROOMY } from '../mempool/support.ts';

const RATE = { transactionsPerSecond: 100, bytesPerSecond: 1_000_000 };

export class AdmissionWorld {
  readonly chain = new TestChain();
  readonly admissions: Admissions;
  /** Lanes of the batches that were verified, and how many transactions in all. */
  readonly lanes: Priority[] = [];
  verified = 0;
  now = 0;
  /** When set, verification waits for it. */
  gate: Promise<void> | undefined;
  /** When set, the last block is on its way to the disk until then. */
  writing: Promise<void> | undefined;

  constructor(limits: Partial<MempoolLimits> = {}, options: Partial<AdmissionOptions> = {}) {
    const inline = new InlineVerifier({
      genesisHash: GENESIS_HASH,
      parameters: PARAMETERS,
      verifier: { name: 'any', verify: (signature) => signature[0] === 0 },
    });
    const verifier: TransactionVerifier = {
      pending: 0,
      check: async (transactions: readonly Bytes[], lane): Promise<CheckResult[]> => {
        this.verified += transactions.length;
        this.lanes.push(lane);
        await this.gate;
        return inline.check(transactions);
      },
      close: async () => {},
    };
    const { chain } = this;
    const view = {
      get tip() {
        return { height: chain.height };
      },
      get state() {
        return chain.state;
      },
      judge: () => new BlockExecutor(chain.state, chain.next),
      settled: async () => this.writing,
    };
    this.admissions = new Admissions({
      limits: { ...ROOMY, ...limits },
      peerBudgets: { validators: RATE, strangers: RATE },
      verifier,
      chain: () => view as unknown as Chain,
      now: () => this.now,
      ...options,
    });
  }

  async statuses(transactions: readonly CheckedTransaction[], peer?: string): Promise<string[]> {
    const source = peer === undefined ? 'own' : { peer, validator: false };
    const bytes = transactions.map((tx) => tx.bytes);
    return (await this.admissions.admit(bytes, source)).map((result) =>
      result.status === 'refused' ? result.error.code : result.status,
    );
  }

  /** One final block. */
  block(...transactions: readonly CheckedTransaction[]): void {
    this.chain.block(...transactions);
    this.admissions.finalised(transactions);
  }
}

export const payment = (
  amount: bigint,
  extra: Partial<Parameters<typeof transfer>[0]> = {},
): CheckedTransaction =>
  transfer({ from: 'owner', outputs: [pay('somebody', amount)], validUntil: 5, ...extra });

/** The same transaction with a signature that does not verify. */
export function forged(tx: CheckedTransaction): CheckedTransaction {
  const bytes = tx.bytes.slice();
  bytes[bytes.length - 64] = 1;
  return { ...tx, bytes } as CheckedTransaction;
}
