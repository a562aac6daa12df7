/** What one stranger, or one dishonest leader, can do to a node through the lanes. */
import { describe, expect, it } from 'vitest';
import { type Block, makeBlock, parentCertificateHash } from '../../src/chain/block.ts';
import { encodeCompactProposal, shortIds } from '../../src/chain/compact.ts';
import { DEVNET_PARAMETERS } from '../../src/chain/genesis.ts';
import type { Bytes } from '../../src/codec/bytes.ts';
import { ProtocolError } from '../../src/codec/errors.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { encodeCertificate } from '../../src/consensus/certificate.ts';
import { leaderOf } from '../../src/consensus/leader.ts';
import { NOTARIZE, type Subject } from '../../src/consensus/types.ts';
import { createValidatorSet } from '../../src/consensus/validator-set.ts';
import { encodeVote, voteMessage } from '../../src/consensus/vote.ts';
import { transactionRoot } from '../../src/ledger/merkle.ts';
import { Bodies } from '../../src/node/bodies.ts';
import { selectSigningKeys, selectVerifier } from '../../src/node/crypto/select.ts';
import type { LaneParts } from '../../src/node/lane-parts.ts';
import { networkHandlers } from '../../src/node/lanes.ts';
import {
  decodeRangeAnswer,
  decodeTransactionList,
  encodeCertificateRequest,
  encodeRangeRequest,
  encodeTransactionsRequest,
  MAX_ANSWER_BYTES,
  METHOD,
} from '../../src/node/requests.ts';
import { DEFAULT_LIMITS } from '../../src/p2p/limits.ts';
import { EXAMPLE_HEADER } from '../chain/examples.ts';
import { named } from '../ledger/support.ts';

const GENESIS = named('genesis');
const keys = ['a', 'b', 'c'].map((name) => selectSigningKeys()(named(name)));
const verifier = selectVerifier();
const set = createValidatorSet(
  0,
  named('seed'),
  keys.map(({ publicKey }) => ({ publicKey, stake: 1n })),
);
const { maxBlockBytes } = DEVNET_PARAMETERS;
const common = { set, genesisHash: GENESIS, verifier, maxBlockBytes };

function blockAt(view: number, transactions: readonly Bytes[] = [], time = 5): Block {
  const header = {
    ...EXAMPLE_HEADER,
    parent: GENESIS,
    height: view,
    epoch: 0,
    view,
    parentView: 0,
    proposer: set.validators[leaderOf(set, view)]!.publicKey,
    time,
    parentCertificateHash: parentCertificateHash(undefined),
    transactionRoot: transactionRoot([]),
    validatorsHash: named('set'),
  };
  return makeBlock(header, undefined, transactions);
}

function handlersOf(parts: object) {
  return networkHandlers(
    () => ({ ...common, ...parts }) as unknown as LaneParts,
    () => 0,
  );
}

/** A compact proposal of `block` with the leader's vote, signed or not. */
function proposalOf(block: Block, signed: boolean, ids: Bytes = new Uint8Array(0)): Bytes {
  const { view, parentView } = block.header;
  const subject: Subject = {
    kind: NOTARIZE,
    proposal: { epoch: 0, view, parentView, payload: block.hash },
  };
  const signer = leaderOf(set, view);
  const key = keys.find(({ publicKey }) =>
    publicKey.every((byte, i) => byte === set.validators[signer]!.publicKey[i]),
  )!;
  const signature = signed ? key.sign(voteMessage(GENESIS, subject)) : new Uint8Array(64);
  return encodeCompactProposal({
    vote: encodeVote({ subject, signer, signature }),
    headerBytes: block.headerBytes,
    parentCertificate: undefined,
    shortIds: ids,
  });
}

/** A node in view 10 above final view 7, whose replica has no use for any proposal. */
function uninterested(parts: object = {}) {
  const offers: { hash: Bytes; fromLeader: boolean | undefined }[] = [];
  const handlers = handlersOf({
    replica: { view: 10, lastFinal: { view: 7 }, onProposal: () => ({ ok: true, useful: false }) },
    bodies: {
      get: () => undefined,
      offered: () => false,
      offer: (hash: Bytes, _proposal: unknown, _peer: string, fromLeader?: boolean) => {
        offers.push({ hash, fromLeader });
        return true;
      },
    },
    network: { peers: () => [] },
    ...parts,
  });
  return { handlers, offers };
}

describe('a proposal that the replica has no use for', () => {
  it.each([8, 10, 12, 1_000_000])('is not taken note of when nobody signed it (view %i)', (view) => {
    const { handlers, offers } = uninterested();
    handlers.onProposal(proposalOf(blockAt(view), false), 'stranger', undefined);
    expect(offers).toEqual([]);
  });

  it('costs its sender, where a signature is looked at that is none', () => {
    const { handlers } = uninterested();
    expect(handlers.onProposal(proposalOf(blockAt(11), false), 'stranger', undefined)).toBe('reject');
    expect(handlers.onProposal(proposalOf(blockAt(13), false), 'stranger', undefined)).toBe('ignore');
  });

  it.each([
    [7, 0],
    [8, 1],
    [10, 1],
    [12, 1],
    [13, 0],
  ])('is taken note of when its leader signed it for a view close by: view %i', (view, count) => {
    const { handlers, offers } = uninterested();
    const signer = leaderOf(set, view);
    expect(handlers.onProposal(proposalOf(blockAt(view), true), 'leader', signer)).toBe('ignore');
    expect(offers.map(({ fromLeader }) => fromLeader)).toEqual(Array(count).fill(true));
  });

  it('is taken note of twice a view, however many its leader signs', () => {
    const { handlers, offers } = uninterested();
    for (let time = 1; time <= 9; time++)
      handlers.onProposal(proposalOf(blockAt(11, [], time), true), 'leader', undefined);
    expect(offers.length).toBe(2);
    handlers.onProposal(proposalOf(blockAt(12), true), 'leader', undefined);
    expect(offers.length).toBe(3);
  });

  it('adds a source, without a look at its signature, to one that is known', () => {
    let verified = 0;
    const known = { get: () => undefined, offered: () => true };
    const sources: string[] = [];
    const { handlers } = uninterested({
      bodies: { ...known, offer: (_: Bytes, __: unknown, peer: string) => !sources.push(peer) },
      verifier: { verify: () => ++verified > 0 },
    });
    handlers.onProposal(proposalOf(blockAt(11), false), 'second', undefined);
    expect(sources).toEqual(['second']);
    expect(verified).toBe(0);
  });
});

describe('short ids', () => {
  it('of the leader himself replace those that somebody else passed on before', async () => {
    const asked: [string, number][] = [];
    const bodies = new Bodies({
      maxBlockBytes,
      peers: {
        request: async (peer: string, method: number) => {
          asked.push([peer, method]);
          throw new ProtocolError('REMOTE_ERROR', 'nothing here');
        },
      },
      pool: { transactions: () => [], byWireHash: () => undefined },
      verifier: { check: async () => [] },
      sleep: async () => undefined,
    } as unknown as ConstructorParameters<typeof Bodies>[0]);
    const { handlers } = uninterested({ bodies });
    const block = blockAt(11);
    const ids = (count: number) =>
      shortIds(
        block.hash,
        Array.from({ length: count }, (_, i) => sha256(Uint8Array.of(i))),
      );
    handlers.onProposal(proposalOf(block, true, ids(3)), 'liar', undefined);
    // with the leader's ids no transaction is missing, and the block is whole at once
    handlers.onProposal(proposalOf(block, true, ids(0)), 'leader', leaderOf(set, 11));
    handlers.onProposal(proposalOf(block, true, ids(2)), 'second liar', undefined);
    const { block: made } = await bodies.want(block.hash, [], AbortSignal.timeout(5_000));
    expect(made.hash).toEqual(block.hash);
    expect(asked).toEqual([]);
  });
});

/** Asks as `peer`, and counts what is charged. */
function asker(parts: object) {
  const handlers = handlersOf(parts);
  const charged = { bytes: 0 };
  const ask = (method: number, payload: Bytes, most = MAX_ANSWER_BYTES, peer = 'stranger') =>
    handlers.onRequest(method, payload, peer, most, (bytes) => {
      charged.bytes += bytes;
    });
  const refusal = (...args: Parameters<typeof ask>) =>
    ask(...args).then(
      () => 'answered',
      (error: ProtocolError) => error.code,
    );
  return { handlers, ask, refusal, charged };
}

describe('transactions by index', () => {
  const transactions = Array.from({ length: 9 }, (_, i) => new Uint8Array(60_000).fill(i));
  const block = blockAt(5, transactions);
  const inMemory = { bodies: { get: () => ({ block }) } };
  const of = (...indexes: number[]) => encodeTransactionsRequest({ hash: block.hash, indexes });

  it.each([
    ['repeated', [0, 0]],
    ['falling', [1, 0]],
    ['repeated after others', [0, 1, 1]],
  ])('are not given for indexes that are %s', async (_name, indexes) => {
    const { refusal, charged } = asker(inMemory);
    expect(await refusal(METHOD.transactions, of(...indexes))).toBe('REQUEST_INVALID');
    expect(charged.bytes).toBe(0);
  });

  it('are given for ascending ones, and charged', async () => {
    const { ask, refusal, charged } = asker(inMemory);
    const answer = await ask(METHOD.transactions, of(1, 8));
    expect(decodeTransactionList(answer, 2)).toEqual([transactions[1], transactions[8]]);
    expect(charged.bytes).toBeGreaterThanOrEqual(answer.length);
    expect(await refusal(METHOD.transactions, of(1, 9))).toBe('NOT_FOUND');
  });

  it('are measured before they are put together', async () => {
    const { refusal, charged } = asker(inMemory);
    expect(await refusal(METHOD.transactions, of(0, 1, 2), 180_000)).toBe('RESPONSE_TOO_LARGE');
    expect(await refusal(METHOD.transactions, of(0, 1, 2), 180_020)).toBe('answered');
    expect(charged.bytes).toBeLessThan(181_000);
  });
});

/** A database of `count` blocks with one transaction each, the last of which has an F certificate. */
function stored(count: number, size: number) {
  const blocks = Array.from({ length: count }, (_, i) => blockAt(i + 1, [new Uint8Array(size)]));
  const reads: number[] = [];
  const database = {
    block: (height: number) => {
      reads.push(height);
      return blocks[height - 1]?.bytes;
    },
    heightOf: (hash: Bytes) => {
      const index = blocks.findIndex((block) => block.hash.every((byte, i) => byte === hash[i]));
      return index < 0 ? undefined : index + 1;
    },
    firstFinality: async () => count,
    finality: () => new Uint8Array(200),
    nullification: () => undefined,
  };
  const none = { get: () => undefined };
  return { blocks, reads, parts: { database, bodies: none, chain: { executed: () => undefined } } };
}

describe('a range', () => {
  it('of which the asker takes nothing makes the node read one block', async () => {
    const { reads, parts } = stored(20, 50_000);
    const { refusal, charged } = asker(parts);
    const code = await refusal(METHOD.range, encodeRangeRequest({ from: 1, maxBytes: 1 << 23 }), 1);
    expect(code).toBe('RESPONSE_TOO_LARGE');
    expect(reads).toEqual([1]);
    expect(charged.bytes).toBeGreaterThan(50_000);
  });

  it.each([60_000, 130_000, 200_000, 400_000, 2_000_000])(
    'of at most %i bytes is never larger, and no more is read than goes into it',
    async (most) => {
      const { reads, parts, blocks } = stored(20, 50_000);
      const { ask } = asker(parts);
      const bytes = await ask(METHOD.range, encodeRangeRequest({ from: 1, maxBytes: 1 << 23 }), most);
      expect(bytes.length).toBeLessThanOrEqual(most);
      const answer = decodeRangeAnswer(bytes, maxBlockBytes);
      expect(answer.blocks.length).toBeGreaterThan(0);
      expect(answer.blocks.length + answer.headers.length).toBe(20);
      expect(answer.headers).toEqual(blocks.slice(answer.blocks.length).map((block) => block.headerBytes));
      // each once, and one twice: the block that did not fit, for its header
      expect(reads.length).toBeLessThanOrEqual(21);
    },
  );
});

describe('requests that read whole blocks', () => {
  it('give a block back as it is stored, and charge it', async () => {
    const { blocks, parts } = stored(3, 50_000);
    const { ask, refusal, charged } = asker(parts);
    expect(await ask(METHOD.block, blocks[1]!.hash)).toBe(blocks[1]!.bytes);
    expect(charged.bytes).toBe(blocks[1]!.bytes.length);
    expect(await refusal(METHOD.block, blocks[1]!.hash, 100)).toBe('RESPONSE_TOO_LARGE');
    expect(await refusal(METHOD.block, named('none'))).toBe('NOT_FOUND');
    expect(await refusal(METHOD.block, named('none').subarray(1))).toBe('REQUEST_INVALID');
  });

  it('are answered so many times a second and peer, whatever they ask for', async () => {
    const { blocks, parts, reads } = stored(1, 50_000);
    const { handlers, refusal } = asker(parts);
    const range = encodeRangeRequest({ from: 1, maxBytes: 1 });
    const pull = encodeTransactionsRequest({ hash: blocks[0]!.hash, indexes: [0] });
    const codes: string[] = [];
    for (let i = 0; i < 100; i++) {
      codes.push(await refusal(METHOD.block, blocks[0]!.hash));
      codes.push(await refusal(METHOD.range, range));
      codes.push(await refusal(METHOD.transactions, pull));
    }
    expect(codes[0]).toBe('answered');
    expect(codes).toContain('BUSY');
    expect(codes.filter((code) => code !== 'BUSY').length).toBe(32);
    expect(reads.length).toBeLessThanOrEqual(64);
    expect(await refusal(METHOD.block, blocks[0]!.hash, MAX_ANSWER_BYTES, 'another')).toBe('answered');
    handlers.onPeer('stranger', 'gone');
    expect(await refusal(METHOD.block, blocks[0]!.hash)).toBe('answered');
  });
});

describe('certificates', () => {
  it('are charged, although they go out on another lane', async () => {
    const sent: Bytes[] = [];
    const stored = new Uint8Array(150);
    const { ask, charged } = asker({
      database: { nullification: () => stored },
      network: { sendCertificate: (_: string, bytes: Bytes) => sent.push(bytes) },
    });
    await ask(METHOD.certificate, encodeCertificateRequest({ kind: 2, view: 9 }), 16);
    expect(sent).toEqual([stored]);
    expect(charged.bytes).toBeGreaterThanOrEqual(150);
  });

  it('of the largest set fit on the votes lane', () => {
    const payload = named('block');
    const bytes = encodeCertificate({
      subject: {
        kind: NOTARIZE,
        proposal: { epoch: 2 ** 52, view: 2 ** 52, parentView: 2 ** 52 - 1, payload },
      },
      signers: new Uint8Array(128).fill(255),
      signatures: Array.from({ length: 1_024 }, () => new Uint8Array(64)),
    });
    expect(bytes.length).toBeGreaterThan(65_536);
    expect(1 + bytes.length).toBeLessThanOrEqual(DEFAULT_LIMITS.voteFrameBytes);
  });
});
