/** Finalizations that come faster than the node gets to them. */
import { expect, it } from 'vitest';
import type { Finalization } from '../../src/consensus/events.ts';
import { FINALIZE } from '../../src/consensus/types.ts';
import { NodeApplication, type NodeApplicationOptions } from '../../src/node/application.ts';
import { named } from '../ledger/support.ts';

const HASH = named('block');

function finalization(view: number): Finalization {
  const proposal = { epoch: 0, view, parentView: view - 1, payload: HASH };
  return {
    proposals: [proposal],
    gap: false,
    certificate: { subject: { kind: FINALIZE, proposal }, signers: new Uint8Array(), signatures: [] },
    notarizations: [],
    nullifications: [],
  };
}

it('keeps a bounded number of them while the node catches up, and comes to the newest', async () => {
  const tip = { hash: named('tip'), height: 0, view: 0, time: 0 };
  const reached: number[] = [];
  let release = (): void => {};
  const gate = new Promise<void>((done) => {
    release = done;
  });
  const application = new NodeApplication({
    chain: { tip, executed: () => undefined },
    bodies: {
      get: () => undefined,
      want: async () => ({ block: { header: { height: 1_000_000, parent: named('parent') } } }),
    },
    sync: {
      reach: async (view: number) => {
        await gate;
        reached.push(view);
        tip.view = view;
      },
    },
    onDurable: () => {},
    onFatal: (error: unknown) => {
      throw error;
    },
  } as unknown as NodeApplicationOptions);
  for (let view = 1; view <= 5_000; view++) application.finalize(finalization(view));
  await new Promise(setImmediate);
  expect(application.finalisationsQueued).toBeGreaterThan(1);
  expect(application.finalisationsQueued).toBeLessThan(50);
  release();
  await expect.poll(() => application.finalisationsQueued).toBe(0);
  expect(reached.at(-1)).toBe(5_000);
  expect(reached).toEqual([...reached].sort((a, b) => a - b));
});
