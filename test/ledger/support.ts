/**
 * What the ledger's tests share: a store in memory, small parameters, transactions whose signatures are taken
 * for granted, and a chain that recounts every coin after every block.
 */
import { expect } from 'vitest';
import { type Bytes, keyOf, u64 } from '../../src/codec/bytes.ts';
import { isProtocolError } from '../../src/codec/errors.ts';
import { sha256 } from '../../src/codec/hash.ts';
import type { SignatureVerifier } from '../../src/crypto/interfaces.ts';
import {
  type AppliedBlock,
  applyBlock,
  type BlockContext,
  BlockExecutor,
} from '../../src/ledger/executor.ts';
import { type GenesisState, genesisEntries } from '../../src/ledger/genesis.ts';
import type { ChainParameters } from '../../src/ledger/parameters.ts';
import { getAccount } from '../../src/ledger/read.ts';
import { type Recount, recount } from '../../src/ledger/recount.ts';
import { ReplayMemory } from '../../src/ledger/replay.ts';
import { type BaseStore, Ledger, type State } from '../../src/ledger/state.ts';
import type { Change, Entry } from '../../src/ledger/tree/trie.ts';
import { installNodeHash } from '../../src/node/hash.ts';
import { type CheckedTransaction, checkTransaction } from '../../src/tx/check.ts';
import { bountyId, encodeTransaction } from '../../src/tx/encode.ts';
import {
  type BountyOutput,
  type Claim,
  KIND_CLAIMS,
  KIND_TRANSFER,
  OUTPUT_ADVERT,
  OUTPUT_BOUNTY,
  OUTPUT_PAY,
  type Output,
  type SignedTransaction,
  type Spend,
} from '../../src/tx/types.ts';

installNodeHash();

/** 32 bytes that a name stands for: address, tag, key, nonce. */
export function named(name: string | number): Bytes {
  return sha256(new TextEncoder().encode(`${name}`));
}

/** A small generator (mulberry32), so that a failing history can be played again. */
export function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

export class MemoryStore implements BaseStore {
  readonly values = new Map<string, Bytes>();

  constructor(entries: Iterable<Entry> = []) {
    for (const { key, value } of entries) this.values.set(keyOf(key), value);
  }

  get(key: Bytes): Bytes | undefined {
    return this.values.get(keyOf(key));
  }

  write(changes: readonly Change[]): void {
    for (const { key, value } of changes) {
      if (value === undefined) this.values.delete(keyOf(key));
      else this.values.set(keyOf(key), value);
    }
  }
}

export const PARAMETERS: ChainParameters = {
  blockInterval: 1_000,
  delta: 100,
  executionBudget: 300,
  maxBlockBytes: 1_000_000,
  txLifetime: 10,
  baseFee: 1n,
  claimFee: 500n,
  accountDeposit: 10_000n,
  bountyDeposit: 12_000n,
  leastBounty: 20_000n,
  advertFee: 10_001n,
  leastClaimWindow: 10,
  longestClaimUntil: 60,
  closedLifetime: 7,
  unclaimedBurnPpm: 100_003,
  advertBurnPpm: 500_000,
};

const ANY_SIGNATURE: SignatureVerifier = { name: 'any', verify: () => true };
export const GENESIS_HASH = named('genesis');
let salts = 0;

export function freshSalt(): Bytes {
  return u64(++salts);
}

/** Encodes and checks like a worker does, save for the signatures. */
function checked(tx: SignedTransaction, parameters: ChainParameters = PARAMETERS): CheckedTransaction {
  return checkTransaction(encodeTransaction(tx), {
    genesisHash: GENESIS_HASH,
    parameters,
    verifier: ANY_SIGNATURE,
  });
}

export const pay = (to: string, amount: bigint): Output => ({ type: OUTPUT_PAY, to: named(to), amount });

export const bounty = (fields: Partial<BountyOutput> = {}): BountyOutput => ({
  type: OUTPUT_BOUNTY,
  tag: named('tag'),
  nonce: named('nonce'),
  claimKey: named('claim key'),
  payee: undefined,
  amount: 50_000n,
  claimFrom: 0,
  claimUntil: 20,
  refundTo: named('owner'),
  ...fields,
});

export const advert = (): Output => ({
  type: OUTPUT_ADVERT,
  tag: named('tag'),
  size: 1_234n,
  offer: new Uint8Array(3),
});

export interface TransferPlan {
  readonly from: string;
  /** Further inputs; `from` covers the rest. */
  readonly inputs?: readonly Spend[];
  readonly outputs?: readonly Output[];
  readonly validUntil: number;
  readonly salt?: Bytes;
  /** Default: exactly what is due. */
  readonly fee?: bigint;
}

export function transfer(plan: TransferPlan, parameters: ChainParameters = PARAMETERS): CheckedTransaction {
  const { outputs = [], inputs = [], salt = freshSalt() } = plan;
  const make = (fee: bigint): CheckedTransaction => {
    let due = fee;
    for (const output of outputs) {
      if (output.type === OUTPUT_PAY) due += output.amount;
      else if (output.type === OUTPUT_BOUNTY) due += output.amount + parameters.bountyDeposit;
      else due += parameters.advertFee;
    }
    for (const { amount } of inputs) due -= amount;
    const body = {
      kind: KIND_TRANSFER,
      validUntil: plan.validUntil,
      salt,
      inputs: [{ address: named(plan.from), amount: due }, ...inputs],
      outputs,
      fee,
      comment: undefined,
    } as const;
    return checked({ body, signatures: body.inputs.map(() => new Uint8Array(64)) }, parameters);
  };
  if (plan.fee !== undefined) return make(plan.fee);
  let fee = 1n;
  for (;;) {
    const due = BigInt(make(fee).bytes.length) * parameters.baseFee;
    if (due <= fee) return make(fee);
    fee = due;
  }
}

export function claims(validUntil: number, list: readonly Claim[], salt = freshSalt()): CheckedTransaction {
  const body = { kind: KIND_CLAIMS, validUntil, salt, claims: list } as const;
  return checked({ body, signatures: list.map(() => new Uint8Array(64)) });
}

/** The claim that answers bounty output `index` of `posting`. */
export function answer(posting: CheckedTransaction, index = 0, fields: Partial<Claim> = {}): Claim {
  const { body } = posting.decode();
  const output = body.kind === KIND_TRANSFER ? body.outputs[index] : undefined;
  if (output?.type !== OUTPUT_BOUNTY) throw new Error('not a bounty output');
  const { tag, claimKey } = output;
  const destination = output.payee ?? named('steward');
  return { tag, claimKey, bountyId: bountyId(posting.id, index), destination, ...fields };
}

export interface ChainOptions {
  readonly parameters?: ChainParameters;
  readonly accounts?: readonly { readonly name: string; readonly amount: bigint }[];
}

/** A chain in memory: applies, finalises, and recounts after every block. */
export class TestChain {
  readonly parameters: ChainParameters;
  readonly genesis: GenesisState;
  readonly store: MemoryStore;
  readonly ledger: Ledger;
  readonly replay = new ReplayMemory();
  height = 0;

  constructor({
    parameters = PARAMETERS,
    accounts = [{ name: 'owner', amount: 10_000_000n }],
  }: ChainOptions = {}) {
    this.parameters = parameters;
    this.genesis = {
      parameters,
      accounts: accounts.map(({ name, amount }) => ({ address: named(name), amount })),
      validators: [1, 2, 3].map((i) => ({
        publicKey: named(`validator ${i}`),
        stake: BigInt(i) * 1_000_000n,
      })),
      genesisHash: GENESIS_HASH,
    };
    const entries = genesisEntries(this.genesis);
    this.store = new MemoryStore(entries);
    this.ledger = Ledger.open(this.store, entries);
    this.recount();
  }

  get state(): State {
    return this.ledger.committed;
  }

  get next(): BlockContext {
    return {
      height: this.height + 1,
      time: 1_000 * this.height,
      parentHash: named(`header ${this.height}`),
      parameters: this.parameters,
      replay: this.replay,
    };
  }

  balance(name: string): bigint {
    return getAccount(this.state, named(name)) ?? 0n;
  }

  recount(): Recount {
    const counted = recount(this.state.entries());
    expect(counted.findings).toEqual([]);
    return counted;
  }

  /** One final block of exactly these transactions. */
  block(...transactions: readonly CheckedTransaction[]): AppliedBlock {
    const applied = applyBlock(this.state, this.next, transactions);
    const changes = this.ledger.finalise(applied.state);
    this.height++;
    this.replay.finalise(this.replay.child(applied.replayKeys), this.height);
    this.store.write(changes);
    this.ledger.written(applied.state);
    this.recount();
    return applied;
  }

  /** Empty blocks up to and with `height`. */
  until(height: number): void {
    while (this.height < height) this.block();
  }

  /** The code with which the next block refuses `tx`, or 'ok'; nothing changes. */
  verdict(tx: CheckedTransaction, ...before: readonly CheckedTransaction[]): string {
    const executor = new BlockExecutor(this.state, this.next);
    executor.begin();
    for (const earlier of before) executor.tryTransaction(earlier);
    return codeOf(() => executor.tryTransaction(tx));
  }
}

/** Code of the protocol error that `action` throws, or 'ok'. */
export function codeOf(action: () => unknown): string {
  try {
    action();
    return 'ok';
  } catch (error) {
    if (isProtocolError(error)) return error.code;
    throw error;
  }
}
