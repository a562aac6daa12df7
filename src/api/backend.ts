/** What the HTTP server asks of the node: values, no protocol objects that a client could not see anyway. */
import type { Block } from '../chain/block.ts';
import type { Genesis } from '../chain/genesis.ts';
import type { Bytes } from '../codec/bytes.ts';
import type { Bounty } from '../ledger/entries.ts';

/** Something that the node lacks or will lack, with what to do; docs/operation.md. */
export interface Warning {
  readonly code: string;
  readonly message: string;
  /** Ms since 1970. */
  readonly since: number;
}

export interface NodeStatus {
  readonly chainName: string;
  readonly genesisHash: Bytes;
  readonly version: string;
  readonly height: number;
  readonly blockHash: Bytes;
  /** Time of the last finalised block, ms since 1970. */
  readonly blockTime: number;
  readonly view: number;
  readonly validators: number;
  /** Index in the validator set, for a validator. */
  readonly self: number | undefined;
  readonly peers: readonly { id: string; validator: number | undefined; address: string; score: number }[];
  readonly addresses: readonly string[];
  readonly mempool: { readonly transactions: number; readonly bytes: number };
  readonly syncing: boolean;
  readonly uptimeSeconds: number;
  readonly warnings: readonly Warning[];
}

/** Header of a finalised block, the headers after it up to one with an F certificate, and that certificate. */
export interface FinalityProof {
  readonly headers: readonly Bytes[];
  readonly certificate: Bytes;
}

export type SubmitOutcome =
  | { readonly status: 'pending' | 'final'; readonly id: Bytes }
  | {
      readonly status: 'rejected';
      readonly id: Bytes | undefined;
      readonly code: string;
      readonly reason: string;
    };

export type TransactionStatus =
  | { readonly status: 'unknown' }
  | { readonly status: 'pending' }
  | { readonly status: 'expired' }
  | { readonly status: 'final'; readonly height: number; readonly index: number }
  | { readonly status: 'rejected'; readonly code: string; readonly reason: string };

export interface TransactionProof {
  readonly height: number;
  readonly index: number;
  readonly bytes: Bytes;
  /** Encoded path in the transaction root. */
  readonly path: Bytes;
  readonly finality: FinalityProof;
}

export interface AccountView {
  readonly height: number;
  /** Absent when there is no such account. */
  readonly balance: bigint | undefined;
  /** What pending transactions take from it. */
  readonly pending: bigint;
}

export interface StateProof {
  readonly height: number;
  readonly proof: Bytes;
  readonly finality: FinalityProof;
}

export interface BountyView {
  readonly id: Bytes;
  readonly bounty: Bounty;
}

export interface SupplyView {
  readonly height: number;
  readonly genesis: bigint;
  readonly minted: bigint;
  readonly burned: bigint;
  readonly accounts: bigint;
  readonly bounties: bigint;
  readonly deposits: bigint;
  readonly feePool: bigint;
  readonly staked: bigint;
  /** What a full recount found wrong; empty when all is well. */
  readonly findings: readonly string[];
}

/** A finalised block as it becomes known, for streams. */
export interface FinalEvent {
  readonly height: number;
  readonly hash: Bytes;
  readonly view: number;
  readonly time: number;
  readonly transactions: number;
  readonly bytes: number;
  /** From the header's time to finality here, ms. */
  readonly finalityMs: number;
}

export interface ApiBackend {
  readonly genesis: Genesis;
  status(): NodeStatus;
  /** The reason why the node cannot serve, or undefined. */
  unhealthy(): string | undefined;
  /** What does not keep it from serving yet. */
  warnings(): readonly Warning[];
  /** `client` is whose transactions they are: clients take turns. */
  submit(transactions: readonly Bytes[], client: string): Promise<readonly SubmitOutcome[]>;
  /** With `validUntil` given, "expired" can be told for a transaction that was never seen here. */
  transactionStatus(id: Bytes, validUntil: number | undefined): TransactionStatus;
  transactionProof(id: Bytes): Promise<TransactionProof | undefined>;
  account(address: Bytes): AccountView;
  accountProof(address: Bytes): Promise<StateProof>;
  /** Bounties of a tag, open and closed, at most `limit` after `after` (an id). */
  bounties(
    tag: Bytes,
    after: Bytes | undefined,
    limit: number,
  ): { readonly height: number; readonly bounties: readonly BountyView[] };
  bountiesProof(tag: Bytes): Promise<StateProof>;
  block(height: number): Block | undefined;
  /** By a full recount of the database. */
  supply(): Promise<SupplyView>;
  /** Calls back for every block that becomes final from now on; returns how to stop. */
  onFinal(listener: (event: FinalEvent) => void): () => void;
}
