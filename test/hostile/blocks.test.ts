/**
 * Blocks that are wrong, and peers that lie about blocks: what a leader may commit to and execution finds out, what a
 * node that catches up is told, and what a client that trusts nobody is shown. Rules of headers alone:
 * ../chain/rules.test.ts.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Block, decodeBlock, makeBlock } from '../../src/chain/block.ts';
import type { Header } from '../../src/chain/header.ts';
import { type Bytes, toHex } from '../../src/codec/bytes.ts';
import { ProtocolError } from '../../src/codec/errors.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { encodeCertificate } from '../../src/consensus/certificate.ts';
import { leaderOf } from '../../src/consensus/leader.ts';
import { encodeMerklePath, merklePath, transactionLeaves, transactionRoot } from '../../src/ledger/merkle.ts';
import { trustGenesis, verifyFinality, verifyTransaction } from '../../src/light/verify.ts';
import { Bodies } from '../../src/node/bodies.ts';
import type { Chain } from '../../src/node/chain.ts';
import type { Peers } from '../../src/node/peers.ts';
import { encodeRangeAnswer, type RangeAnswer } from '../../src/node/requests.ts';
import { RangeSync } from '../../src/node/sync.ts';
import { InlineVerifier } from '../../src/node/verify-pool.ts';
import { checkTransaction } from '../../src/tx/check.ts';
import { decodeTransaction } from '../../src/tx/decode.ts';
import { transactionId } from '../../src/tx/encode.ts';
import { filled } from '../tx/golden.ts';
import { context, grow, startOn } from './chain.ts';
import { flipped, truncated } from './mutations.ts';
import { certificate, F, GENESIS_HASH, genesis, MAX_BLOCK_BYTES, N, payment, set, X } from './samples.ts';

const HEIGHT = 4;
let root = '';
let blocks: Block[] = [];
let finality: Bytes[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'kryder-hostile-blocks-'));
  await startOn(join(root, 'source'), async (chain, database) => {
    for (let i = 0; i < HEIGHT; i++) await grow(chain);
    blocks = Array.from({ length: HEIGHT }, (_, i) => chain.block(i + 1)!);
    finality = Array.from({ length: HEIGHT }, (_, i) => database.finality(i + 1)!);
  });
});
afterAll(() => rm(root, { recursive: true }));

const proposalOf = ({ header, hash }: Block) => ({
  epoch: 0,
  view: header.view,
  parentView: header.parentView,
  payload: hash,
});

function leaves(transactions: readonly Bytes[]): { id: Bytes; wireHash: Bytes }[] {
  return transactions.map((tx) => ({
    id: transactionId(decodeTransaction(tx).bodyBytes),
    wireHash: sha256(tx),
  }));
}

function codeOf(take: () => unknown): string {
  try {
    take();
    return 'taken';
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}

describe('a block that its leader signed', () => {
  /** The verdict of execution on a child of block 3 that differs from the honest one. */
  const verdict = (change: Partial<Header>, transactions?: readonly Bytes[]): Promise<string> =>
    startOn(join(root, 'source'), async (chain) => {
      const given = transactions ?? [payment(201).bytes];
      const checked = given.map((bytes) => checkTransaction(bytes, context));
      const honest = chain.build({
        parent: chain.tip.hash,
        epoch: 0,
        view: 11,
        parentView: chain.tip.view,
        proposer: set.validators[leaderOf(set, 11)]!.publicKey,
        parentCertificate: undefined,
        now: chain.tip.time + 1,
        candidates: checked,
        stopwatch: () => () => false,
        onRefused: () => undefined,
      })!;
      const header = { ...honest.block.header, transactionRoot: transactionRoot(checked), ...change };
      const block = makeBlock(header, undefined, given);
      const executed = chain.execute({ block, transactions: checked, invalid: undefined });
      return executed instanceof ProtocolError ? executed.code : 'taken';
    });

  it('as it should be is taken', async () => expect(await verdict({})).toBe('taken'));

  it.each<[string, Partial<Header>, string]>([
    ['commits to another state', { stateRoot: filled(1) }, 'BLOCK_STATE_ROOT'],
    ['commits to the state before it', { stateRoot: new Uint8Array(32) }, 'BLOCK_STATE_ROOT'],
    ['commits to other headers of its epoch', { epochHeadersRoot: filled(1) }, 'BLOCK_HISTORY_ROOT'],
    ['commits to other boundaries', { mmrRoot: filled(1) }, 'BLOCK_HISTORY_ROOT'],
  ])('and that %s is invalid', async (_, change, code) => expect(await verdict(change)).toBe(code));

  it.each<[string, () => Bytes[], string]>([
    ['a transaction that is in a block', () => [payment(21).bytes], 'TX_REPLAY'],
    ['a transaction twice', () => [payment(201).bytes, payment(201).bytes], 'TX_REPLAY'],
    ['one that expired', () => [payment(202, 20_000n, HEIGHT).bytes], 'TX_EXPIRED'],
    ['one over its balance', () => [payment(203, 2_000_000_000n).bytes], 'TX_OVERSPENT'],
  ])('and that holds %s is invalid', async (_, transactions, code) =>
    expect(await verdict({}, transactions())).toBe(code),
  );

  it('and that is twice the limit is refused before it is taken apart', () => {
    const twice = Array.from({ length: Math.ceil((2 * MAX_BLOCK_BYTES) / 60_000) }, (_, i) =>
      filled(i & 0xff, 60_000),
    );
    const { bytes } = makeBlock(blocks[3]!.header, undefined, twice);
    expect(bytes.length).toBeGreaterThan(2 * MAX_BLOCK_BYTES);
    expect(codeOf(() => decodeBlock(bytes, MAX_BLOCK_BYTES))).toBe('BLOCK_TOO_LARGE');
  });
});

/** A node at the genesis that asks the liar once, then an honest peer. */
async function catchUp(name: string, lie: Bytes): Promise<{ tip: number; punished: string[] }> {
  const directory = join(root, name);
  try {
    return await startOn(directory, (chain) => syncOn(chain, lie));
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function syncOn(chain: Chain, lie: Bytes): Promise<{ tip: number; punished: string[] }> {
  const punished: string[] = [];
  let asked = 0;
  const truth = (): Bytes =>
    encodeRangeAnswer({
      blocks: blocks.slice(chain.tip.height).map(({ bytes }) => bytes),
      headers: [],
      finality: finality[HEIGHT - 1]!,
    });
  const peers: Peers = {
    request: async (peer) => (peer === 'liar' ? lie : truth()),
    ready: () => (asked++ === 0 ? ['liar'] : ['honest']),
    validator: () => undefined,
    penalise: (peer, offence) => punished.push(`${peer} ${offence}`),
  };
  const bodies = new Bodies({
    maxBlockBytes: MAX_BLOCK_BYTES,
    peers,
    verifier: new InlineVerifier(context),
    pool: { transactions: () => [], byWireHash: () => undefined },
    sleep: async () => undefined,
  });
  const sync = new RangeSync({
    chain,
    bodies,
    peers,
    set,
    genesisHash: GENESIS_HASH,
    verifier: context.verifier,
    maxBlockBytes: MAX_BLOCK_BYTES,
    sleep: async () => undefined,
    onSynced: () => undefined,
    onProgress: () => undefined,
  });
  await sync.reach(blocks[HEIGHT - 1]!.header.view, AbortSignal.timeout(20_000));
  return { tip: chain.tip.height, punished };
}

describe('a peer that answers a node that catches up', () => {
  const range = (change: Partial<RangeAnswer> = {}, count = 2): Bytes =>
    encodeRangeAnswer({
      blocks: blocks.slice(0, count).map(({ bytes }) => bytes),
      headers: [],
      finality: finality[count - 1]!,
      ...change,
    });
  /** Block 2 with another header, and a certificate that three validators of the set signed for it. */
  const reheaded = (change: Partial<Header>): Bytes => {
    const { header, parentCertificate, transactions } = blocks[1]!;
    const block = makeBlock({ ...header, ...change }, parentCertificate, transactions);
    return range({
      blocks: [blocks[0]!.bytes, block.bytes],
      finality: encodeCertificate(certificate(F(proposalOf(block)))),
    });
  };
  const bare = (block: Block, transactions: readonly Bytes[]): Bytes =>
    makeBlock(block.header, block.parentCertificate, transactions).bytes;
  const spoiled = (bytes: Bytes): Bytes => {
    const copy = bytes.slice();
    copy[copy.length - 1]! ^= 1;
    return copy;
  };

  it('truly is believed', async () => {
    expect(await catchUp('honest', range())).toEqual({ tip: HEIGHT, punished: [] });
  });

  it.each<[string, () => Bytes]>([
    ['with junk', () => filled(0x91, 1_000)],
    ['with nothing', () => new Uint8Array(0)],
    ['with half of an answer', () => range().subarray(0, 900)],
    ['with blocks that do not begin behind the tip', () => range({ blocks: [blocks[1]!.bytes] })],
    ['with a gap', () => range({ blocks: [blocks[0]!.bytes, blocks[2]!.bytes], finality: finality[2]! })],
    ['in the wrong order', () => range({ blocks: [blocks[1]!.bytes, blocks[0]!.bytes] })],
    ['with the certificate of another block', () => range({ finality: finality[3]! })],
    [
      'with a notarization in place of a finalization',
      () => range({ finality: encodeCertificate(certificate(N(proposalOf(blocks[1]!)))) }),
    ],
    ['with a nullification', () => range({ finality: encodeCertificate(certificate(X(4))) })],
    ['with a forged certificate', () => range({ finality: spoiled(finality[1]!) })],
    [
      'with headers that lead nowhere',
      () => range({ headers: [blocks[3]!.headerBytes], finality: finality[3]! }),
    ],
    [
      'with a body of another block',
      () => range({ blocks: [blocks[0]!.bytes, bare(blocks[1]!, blocks[0]!.transactions)] }),
    ],
    ['without a body', () => range({ blocks: [blocks[0]!.bytes, bare(blocks[1]!, [])] })],
    [
      'with a broken signature in a body',
      () => range({ blocks: [blocks[0]!.bytes, bare(blocks[1]!, blocks[1]!.transactions.map(spoiled))] }),
    ],
    [
      'without the parent’s certificate',
      () =>
        range({
          blocks: [blocks[0]!.bytes, makeBlock(blocks[1]!.header, undefined, blocks[1]!.transactions).bytes],
        }),
    ],
    ['with a block of another leader', () => reheaded({ proposer: filled(1) })],
    ['with a block of another height', () => reheaded({ height: 7 })],
    ['with a block older than its parent', () => reheaded({ time: genesis.time })],
    ['with a block of another validator set', () => reheaded({ validatorsHash: filled(1) })],
    ['with a block of another version', () => reheaded({ epoch: 3 })],
  ])('%s is punished, and another one is asked', async (_, lie) => {
    expect(await catchUp('lied-to', lie())).toEqual({ tip: HEIGHT, punished: ['liar RESPONSE_INVALID'] });
  });
});

describe('a node that answers a client that trusts nobody', () => {
  const trust = trustGenesis(genesis, context.verifier);
  const claim = () => ({
    headers: blocks.slice(1).map(({ headerBytes }) => headerBytes),
    certificate: finality[3]!,
  });
  const [tx, path] = [
    () => blocks[1]!.transactions[1]!,
    () => encodeMerklePath(merklePath(transactionLeaves(leaves(blocks[1]!.transactions)), 1)),
  ];
  const show = (headers: readonly Bytes[], proof: Bytes, bytes: Bytes, steps: Bytes): string =>
    codeOf(() => verifyTransaction(verifyFinality(trust, { headers, certificate: proof }), bytes, steps));

  it('cannot change a byte of header, certificate, transaction or path', () => {
    const { headers, certificate: proof } = claim();
    expect(show(headers, proof, tx(), path())).toBe('taken');
    const bit = [(byte: number) => byte ^ 0x04];
    const seen = new Set<string>();
    headers.forEach((header, at) => {
      for (const { bytes } of flipped(header, bit))
        seen.add(show(headers.with(at, bytes), proof, tx(), path()));
    });
    for (const { bytes } of flipped(proof, bit)) seen.add(show(headers, bytes, tx(), path()));
    for (const { bytes } of flipped(tx(), bit)) seen.add(show(headers, proof, bytes, path()));
    for (const { bytes } of flipped(path(), bit)) seen.add(show(headers, proof, tx(), bytes));
    for (const bytes of truncated(path())) seen.add(show(headers, proof, tx(), bytes));
    expect([...seen]).not.toContain('taken');
    for (const code of ['PROOF_FINALITY', 'PROOF_TRANSACTION', 'PROOF_SHAPE', 'CERTIFICATE_SIGNATURE']) {
      expect([...seen]).toContain(code);
    }
  });

  it('cannot leave headers out, change their order, or send too many', () => {
    const { headers, certificate: proof } = claim();
    const [a, b, c] = headers as [Bytes, Bytes, Bytes];
    for (const given of [[], [a], [a, b], [a, c], [b, a, c], [a, b, c, c], Array<Bytes>(10_000).fill(a)]) {
      expect(show(given, proof, tx(), path())).toBe('PROOF_FINALITY');
    }
    expect(toHex(verifyFinality(trust, { headers: [b, c], certificate: proof }).parent)).toBe(
      toHex(blocks[1]!.hash),
    );
    const notarized = encodeCertificate(certificate(N(proposalOf(blocks[3]!))));
    expect(show(headers, notarized, tx(), path())).toBe('PROOF_FINALITY');
  });
});
