/** What one dishonest leader or one stranger can do to a node: found in review, each must hold. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { makeBlock, parentCertificateHash } from '../../src/chain/block.ts';
import { encodeCompactProposal } from '../../src/chain/compact.ts';
import { DEVNET_PARAMETERS } from '../../src/chain/genesis.ts';
import type { Bytes } from '../../src/codec/bytes.ts';
import { leaderOf } from '../../src/consensus/leader.ts';
import { NOTARIZE } from '../../src/consensus/types.ts';
import { createValidatorSet } from '../../src/consensus/validator-set.ts';
import { encodeVote } from '../../src/consensus/vote.ts';
import { transactionRoot } from '../../src/ledger/merkle.ts';
import { NodeApplication, type NodeApplicationOptions } from '../../src/node/application.ts';
import { selectSigningKeys, selectVerifier } from '../../src/node/crypto/select.ts';
import { type LaneParts, networkHandlers } from '../../src/node/lanes.ts';
import { encodeTransactionsRequest, MAX_ANSWER_BYTES, METHOD } from '../../src/node/requests.ts';
import { EXAMPLE_HEADER } from '../chain/examples.ts';
import { named } from '../ledger/support.ts';

const GENESIS = named('genesis');
const key = selectSigningKeys()(named('validator'));
const set = createValidatorSet(0, named('seed'), [{ publicKey: key.publicKey, stake: 1n }]);

function blockAt(time: number, transactions: readonly Bytes[] = []) {
  const header = {
    ...EXAMPLE_HEADER,
    parent: GENESIS,
    height: 1,
    epoch: 0,
    view: 1,
    parentView: 0,
    proposer: set.validators[leaderOf(set, 1)]!.publicKey,
    time,
    parentCertificateHash: parentCertificateHash(undefined),
    transactionRoot: transactionRoot([]),
    validatorsHash: named('set'),
  };
  return makeBlock(header, undefined, transactions);
}

describe('a leader whose clock is far ahead', () => {
  it.each([
    ['40 days', 40 * 86_400_000],
    ['the last safe integer', Number.MAX_SAFE_INTEGER - 1_000],
  ])('gets no vote: %s', async (_, time) => {
    const block = blockAt(time);
    const parent = { epoch: 0, view: 0, parentView: 0, payload: GENESIS };
    const link = { hash: GENESIS, height: 0, view: 0, time: 0 };
    const application = new NodeApplication({
      bodies: { want: async () => ({ block, transactions: [], invalid: undefined }) },
      chain: { until: async () => undefined, link: () => link, tip: link, validatorsHash: named('set') },
      peers: { validator: () => undefined },
      set,
      genesisHash: GENESIS,
      verifier: selectVerifier(),
      wallClock: () => 1,
      sleep: (ms: number, signal: AbortSignal) => delay(ms, undefined, { signal }),
    } as unknown as NodeApplicationOptions);
    const stop = new AbortController();
    const proposal = { epoch: 0, view: 1, parentView: 0, payload: block.hash };
    const verdict = application.verify({ proposal, parent, leader: 0, signal: stop.signal }).then(
      ({ outcome }) => outcome,
      () => 'waited until it was called off',
    );
    const first = await Promise.race([verdict, delay(100, 'still waiting')]);
    stop.abort();
    await verdict;
    expect(first).not.toBe('valid');
  });
});

function handlersOf(parts: object) {
  return networkHandlers(
    () => ({ set, maxBlockBytes: DEVNET_PARAMETERS.maxBlockBytes, ...parts }) as unknown as LaneParts,
  );
}

describe('a stranger', () => {
  it('cannot push proposals that nobody signed into the table of bodies', () => {
    let offers = 0;
    const handlers = handlersOf({
      // what the engine says to a vote of a view that is out of range: not needed, not judged
      replica: { onProposal: () => ({ ok: true, useful: false }) },
      bodies: {
        offer: () => {
          offers++;
          return true;
        },
      },
      network: { peers: () => [] },
    });
    const block = blockAt(5);
    const subject = {
      kind: NOTARIZE,
      proposal: { epoch: 0, view: 1_000_000, parentView: 0, payload: block.hash },
    };
    const vote = encodeVote({ subject, signer: 0, signature: new Uint8Array(64) });
    const bytes = encodeCompactProposal({
      vote,
      headerBytes: block.headerBytes,
      parentCertificate: undefined,
      shortIds: new Uint8Array(0),
    });
    handlers.onProposal(bytes, 'stranger', undefined);
    expect(offers).toBe(0);
  });

  it('cannot have one transaction copied into an answer over and over', async () => {
    const block = blockAt(5, [new Uint8Array(60_000)]);
    const handlers = handlersOf({ bodies: { get: () => ({ block }) } });
    const indexes = new Array<number>(2_000).fill(0);
    const size = await handlers
      .onRequest(METHOD.transactions, encodeTransactionsRequest({ hash: block.hash, indexes }), 'stranger')
      .then(
        ({ length }) => length,
        () => 0,
      );
    expect(size).toBeLessThanOrEqual(MAX_ANSWER_BYTES);
  });
});
