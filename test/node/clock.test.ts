/** A leader chooses his block's time; one far ahead of the others' clocks gets no vote, whatever the number. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { makeBlock, parentCertificateHash } from '../../src/chain/block.ts';
import { leaderOf } from '../../src/consensus/leader.ts';
import { createValidatorSet } from '../../src/consensus/validator-set.ts';
import { transactionRoot } from '../../src/ledger/merkle.ts';
import { NodeApplication, type NodeApplicationOptions } from '../../src/node/application.ts';
import { selectSigningKeys, selectVerifier } from '../../src/node/crypto/select.ts';
import { EXAMPLE_HEADER } from '../chain/examples.ts';
import { named } from '../ledger/support.ts';

const GENESIS = named('genesis');
const key = selectSigningKeys()(named('validator'));
const set = createValidatorSet(0, named('seed'), [{ publicKey: key.publicKey, stake: 1n }]);

/** What the node says, within 100 ms, to a block of this time when its own clock shows 1. */
async function verdictOn(time: number): Promise<string> {
  const block = makeBlock(
    {
      ...EXAMPLE_HEADER,
      parent: GENESIS,
      height: 1,
      view: 1,
      parentView: 0,
      proposer: set.validators[leaderOf(set, 1)]!.publicKey,
      time,
      parentCertificateHash: parentCertificateHash(undefined),
      transactionRoot: transactionRoot([]),
      validatorsHash: named('set'),
    },
    undefined,
    [],
  );
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
    () => 'called off',
  );
  const first = await Promise.race([verdict, delay(100, 'still waiting')]);
  stop.abort();
  await verdict;
  return first;
}

describe('a leader whose clock is far ahead', () => {
  it.each([
    ['40 days', 40 * 86_400_000],
    ['the last safe integer', Number.MAX_SAFE_INTEGER - 1_000],
  ])('gets no vote: %s', async (_, time) => {
    expect(await verdictOn(time)).not.toBe('valid');
  });

  it('is another thing than one whose clock is right', async () => {
    expect(await verdictOn(2)).toBe('valid');
  });
});
