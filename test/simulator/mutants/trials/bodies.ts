/**
 * The production application and its bodies among peers that are silent, have nothing, or send wrong copies: whatever
 * they do before one of them tells the truth, a valid block is found valid, an invalid one invalid, and either is held
 * byte for byte as its leader made it.
 */
import { type Block, joinBlock, makeBlock } from '../../../../src/chain/block.ts';
import { shortIds } from '../../../../src/chain/compact.ts';
import { DEVNET_PARAMETERS } from '../../../../src/chain/genesis.ts';
import { NO_VRF_OUTPUT, NO_VRF_PROOF } from '../../../../src/chain/header.ts';
import { type Bytes, equal, keyOf } from '../../../../src/codec/bytes.ts';
import { ProtocolError } from '../../../../src/codec/errors.ts';
import { sha256, ZERO_HASH } from '../../../../src/codec/hash.ts';
import { leaderOf } from '../../../../src/consensus/leader.ts';
import { createValidatorSet, validatorSetHash } from '../../../../src/consensus/validator-set.ts';
import { transactionRoot } from '../../../../src/ledger/merkle.ts';
import { NodeApplication, type NodeApplicationOptions } from '../../../../src/node/application.ts';
import { Bodies } from '../../../../src/node/bodies.ts';
import { selectSigningKeys, selectVerifier } from '../../../../src/node/crypto/select.ts';
import type { Peers } from '../../../../src/node/peers.ts';
import { decodeTransactionsRequest, encodeTransactionList, METHOD } from '../../../../src/node/requests.ts';
import { InlineVerifier } from '../../../../src/node/verify-pool.ts';
import { planTransfer, signTransaction } from '../../../../src/tx/build.ts';
import { type CheckedTransaction, checkTransaction } from '../../../../src/tx/check.ts';
import { OUTPUT_PAY } from '../../../../src/tx/types.ts';
import { Prng } from '../../prng.ts';
import { Scheduler } from '../../scheduler.ts';
import type { Finding } from '../mutant.ts';

const filled = (byte: number, length = 32): Bytes => new Uint8Array(length).fill(byte);
const GENESIS_HASH = filled(0x9e);
const verifier = selectVerifier();
const context = { genesisHash: GENESIS_HASH, parameters: DEVNET_PARAMETERS, verifier };
const MAX = DEVNET_PARAMETERS.maxBlockBytes;
const sender = selectSigningKeys()(filled(0x51));
const set = createValidatorSet(0, filled(0x5e), [
  { publicKey: filled(1), stake: 1n },
  { publicKey: filled(2), stake: 1n },
]);
const validatorsHash = validatorSetHash(set);
const TIP = { hash: filled(0x71), height: 0, view: 0, time: 1_700_000_000_000 };
const PROPOSAL = { epoch: 0, view: 1, parentView: 0 };

const TRANSACTIONS: readonly CheckedTransaction[] = Array.from({ length: 6 }, (_, i) => {
  const outputs = [{ type: OUTPUT_PAY, to: filled(0x0b), amount: 20_000n } as const];
  const plan = { from: sender.publicKey, outputs, validUntil: 9, salt: filled(i, 8) };
  const { bytes } = signTransaction(planTransfer(plan, DEVNET_PARAMETERS, 1n), GENESIS_HASH, [sender]);
  return checkTransaction(bytes, context);
});

interface Leaf {
  readonly id: Bytes;
  readonly wireHash: Bytes;
  readonly bytes: Bytes;
}

/** With a signature that does not verify. */
function spoiled({ id, bytes }: CheckedTransaction): Leaf {
  const copy = bytes.slice();
  copy[copy.length - 1]! ^= 1;
  return { id, bytes: copy, wireHash: sha256(copy) };
}

function blockOf(leaves: readonly Leaf[], time = TIP.time + 1): Block {
  const header = {
    version: 1,
    parent: TIP.hash,
    height: 1,
    ...{ epoch: 0, view: 1, parentView: 0 },
    proposer: set.validators[leaderOf(set, 1)]!.publicKey,
    time,
    vrfOutput: NO_VRF_OUTPUT,
    vrfProof: NO_VRF_PROOF,
    transactionRoot: transactionRoot(leaves),
    parentCertificateHash: ZERO_HASH,
    stateRoot: filled(3),
    validatorsHash,
    nextValidatorsHash: ZERO_HASH,
    epochHeadersRoot: filled(5),
    mmrRoot: filled(6),
  };
  const bodies = leaves.map(({ bytes }) => bytes);
  return makeBlock(header, undefined, bodies);
}

export async function run(seed: number): Promise<Finding | undefined> {
  const random = new Prng(`bodies ${seed}`);
  const scheduler = new Scheduler();
  const count = random.int(2, 5);
  const good: readonly Leaf[] = TRANSACTIONS.slice(0, count);
  const valid = random.chance(0.7);
  const block = blockOf(valid ? good : [spoiled(TRANSACTIONS[0]!), ...good.slice(1)]);
  const { headerBytes, hash, transactions } = block;
  const copy = (certificate: Bytes | undefined, list: readonly Bytes[]): Bytes =>
    joinBlock(headerBytes, certificate, list).bytes;
  const lies: readonly (() => Bytes | undefined)[] = [
    () => undefined,
    () => copy(undefined, [...transactions].reverse()),
    () => copy(undefined, transactions.slice(1)),
    () => copy(undefined, [...transactions, TRANSACTIONS[5]!.bytes]),
    () => copy(undefined, transactions.with(0, spoiled(TRANSACTIONS[4]!).bytes)),
    () => copy(filled(7, 100), transactions),
    () => blockOf(TRANSACTIONS.slice(3), TIP.time + 5).bytes,
    () => random.bytes(300),
  ];
  let untrue = random.int(0, 6);
  const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const cancel = scheduler.after(ms, resolve);
      signal.addEventListener('abort', () => {
        cancel();
        reject(new ProtocolError('WAIT_CANCELLED', 'cancelled'));
      });
    });
  const peers: Peers = {
    request: async (_peer, method, payload, { timeoutMs, signal }) => {
      await sleep(random.int(5, 60), signal ?? new AbortController().signal);
      const lie = untrue-- > 0 ? random.pick(lies) : undefined;
      if (lie !== undefined && random.chance(0.3)) {
        await sleep(timeoutMs ?? 1_000, signal ?? new AbortController().signal);
        throw new ProtocolError('REQUEST_TIMEOUT', 'silent');
      }
      if (method === METHOD.transactions) {
        const { indexes } = decodeTransactionsRequest(payload, MAX);
        const list = lie === undefined ? transactions : [...transactions].reverse();
        if (indexes.some((i) => i >= list.length)) throw new ProtocolError('NOT_FOUND', 'not so many');
        return encodeTransactionList(indexes.map((i) => list[i]!));
      }
      const answer = lie === undefined ? block.bytes : lie();
      if (answer === undefined) throw new ProtocolError('NOT_FOUND', 'nothing here');
      return answer;
    },
    ready: () => ['a', 'b', 'c'],
    validator: () => undefined,
    penalise: () => undefined,
  };
  const pool = TRANSACTIONS.filter(() => random.chance(0.4));
  const bodies = new Bodies({
    ...{ maxBlockBytes: MAX, peers, sleep },
    verifier: new InlineVerifier(context),
    pool: {
      transactions: () => pool,
      byWireHash: (wireHash) => pool.find((tx) => keyOf(tx.wireHash) === keyOf(wireHash)),
    },
  });
  const offer = (list: readonly Bytes[], from: string): void => {
    const ids = shortIds(
      hash,
      list.map((tx) => sha256(tx)),
    );
    bodies.offer(
      hash,
      { vote: filled(1), headerBytes, parentCertificate: undefined, shortIds: ids },
      from,
      from === 'leader',
    );
  };
  const invented = random.chance(0.5)
    ? [...transactions].reverse()
    : [...transactions, TRANSACTIONS[5]!.bytes];
  if (random.chance(0.4)) offer(invented, 'a');
  if (random.chance(0.4)) scheduler.after(random.int(0, 300), () => offer(transactions, 'leader'));
  const application = new NodeApplication({
    ...{ bodies, peers, set, verifier, sleep },
    genesisHash: GENESIS_HASH,
    maxBlockBytes: MAX,
    chain: {
      tip: TIP,
      validatorsHash,
      link: (of: Bytes) => (equal(of, TIP.hash) ? TIP : undefined),
      until: async () => undefined,
      execute: (assembled: { invalid: ProtocolError | undefined }) => assembled.invalid ?? assembled,
    },
  } as unknown as NodeApplicationOptions);
  let outcome: { ok: boolean; body: Bytes; reason?: string } | undefined;
  let failure: unknown;
  application
    .certify({
      proposal: { ...PROPOSAL, payload: hash },
      parent: { epoch: 0, view: 0, parentView: 0, payload: TIP.hash },
      signal: new AbortController().signal,
    })
    .then(
      (result) => {
        outcome = result;
      },
      (error: unknown) => {
        failure = error ?? 'rejected';
      },
    );
  await scheduler.run(120_000, () => outcome !== undefined || failure !== undefined);
  if (failure !== undefined) return { invariant: 'no step throws', detail: String(failure) };
  if (outcome === undefined)
    return { invariant: 'a body is found while one peer has it', detail: `${count} transactions` };
  if (outcome.ok !== valid) {
    const invariant = valid
      ? 'a valid block is never refused, whatever copies of it come'
      : 'an invalid block is refused, whatever copies of it come';
    return { invariant, detail: outcome.reason ?? 'taken' };
  }
  if (!equal(outcome.body, block.bytes))
    return { invariant: 'a body is held as its leader made it', detail: `${outcome.body.length} bytes` };
  return undefined;
}
