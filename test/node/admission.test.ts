/** The way into the mempool: what is verified, how often, who pays for it, and what is told of the rest. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { keyOf } from '../../src/codec/bytes.ts';
import { freshSalt, pay } from '../ledger/support.ts';
import { AdmissionWorld, forged, payment } from './admission-support.ts';

describe('admission', () => {
  it('verifies a transaction once, however often it comes: waiting, refused, dropped or final', async () => {
    const w = new AdmissionWorld();
    const tx = payment(50_000n);
    expect(await w.statuses([tx])).toEqual(['admitted']);
    expect(await w.statuses([tx], 'peer')).toEqual(['known']);
    w.block(tx);
    expect(await w.statuses([tx], 'peer')).toEqual(['final']);
    const dust = payment(1n, { outputs: [pay('without an account', 1n)] });
    for (let i = 0; i < 3; i++) expect(await w.statuses([dust], 'peer')).toEqual(['TX_DUST']);
    const salt = freshSalt();
    const old = payment(50_000n, { salt });
    const fee = old.fee * 2n;
    expect(await w.statuses([old])).toEqual(['admitted']);
    expect(await w.statuses([payment(50_000n, { salt, fee })])).toEqual(['admitted']);
    expect(await w.statuses([old], 'peer')).toEqual(['TX_CONFLICT']);
    expect(w.verified).toBe(4);
  });

  it('verifies what comes from ten peers at once a single time', async () => {
    const w = new AdmissionWorld();
    let open = (): void => {};
    w.gate = new Promise((resolve) => {
      open = resolve;
    });
    const batch = Array.from({ length: 20 }, () => payment(50_000n));
    const answers = Array.from({ length: 10 }, (_, i) => w.statuses([...batch, batch[0]!], `peer ${i}`));
    open();
    const all = await Promise.all(answers);
    expect(w.verified).toBe(20);
    expect(all.flat().filter((status) => status === 'admitted').length).toBe(20);
    expect(all.flat().filter((status) => status === 'known').length).toBe(190);
  });

  it('lets no own user wait for the verification of a stranger’s batch', async () => {
    const w = new AdmissionWorld();
    let open = (): void => {};
    w.gate = new Promise((resolve) => {
      open = resolve;
    });
    const tx = payment(50_000n);
    const slow = w.statuses([tx], 'stranger');
    await delay(5);
    w.gate = undefined;
    expect(await w.statuses([tx])).toEqual(['admitted']);
    open();
    expect(await slow).toEqual(['known']);
    expect(w.lanes).toEqual(['stranger', 'own']);
  });

  it('tells the executor’s reason for what could never be in a block, and remembers it', async () => {
    const w = new AdmissionWorld();
    const dust = payment(1n);
    expect(await w.statuses([dust])).toEqual(['TX_DUST']);
    expect(w.admissions.fate(dust.id)?.code).toBe('TX_DUST');
    expect(w.admissions.mempool.size).toBe(0);
  });

  it('judges nothing while a final block is on its way to the disk, when the mempool still holds what is in it', async () => {
    const w = new AdmissionWorld();
    const [first, second] = [payment(6_000_000n), payment(3_000_000n)];
    expect(await w.statuses([first])).toEqual(['admitted']);
    let written = (): void => {};
    w.writing = new Promise((resolve) => {
      written = resolve;
    });
    w.chain.block(first);
    const answer = w.statuses([second]);
    await delay(5);
    w.admissions.finalised([first]);
    written();
    expect(await answer).toEqual(['admitted']);
  });

  it('judges what was refused anew when it comes again', async () => {
    const w = new AdmissionWorld();
    const early = payment(50_000n, { validUntil: 11 });
    const far = payment(50_000n, { validUntil: 12 });
    expect(await w.statuses([early, far])).toEqual(['admitted', 'TX_TOO_FAR']);
    w.block();
    w.block();
    expect(await w.statuses([far])).toEqual(['admitted']);
    expect(w.verified).toBe(2);
  });

  it('answers for each of a batch, in its order', async () => {
    const w = new AdmissionWorld();
    const good = payment(50_000n);
    const list = [Uint8Array.of(1), good.bytes, payment(1n).bytes, good.bytes];
    const results = await w.admissions.admit(list, 'own');
    expect(results.map(({ status }) => status)).toEqual(['refused', 'admitted', 'refused', 'known']);
    expect(results[0]).toMatchObject({ stateless: true });
    expect(keyOf(w.admissions.mempool.transactions()[0]!.id)).toBe(keyOf(good.id));
  });
});

describe('budgets of peers', () => {
  const flood = (count: number) => Array.from({ length: count }, () => payment(50_000n));

  it('end a peer’s verifications for a while, not those of others, and refill', async () => {
    const w = new AdmissionWorld({ maxTransactions: 1_000 });
    expect((await w.statuses(flood(100), 'loud')).length).toBe(100);
    await expect(w.statuses(flood(1), 'loud')).rejects.toMatchObject({ code: 'PEER_BUDGET' });
    expect(w.verified).toBe(100);
    expect(await w.statuses(flood(1), 'quiet')).toEqual(['admitted']);
    expect(await w.statuses(flood(1))).toEqual(['admitted']);
    w.now += 100;
    expect(await w.statuses(flood(1), 'loud')).toEqual(['admitted']);
  });

  it('are not spent on what is known', async () => {
    const w = new AdmissionWorld();
    const batch = flood(50);
    for (let i = 0; i < 20; i++) await w.statuses(batch, 'peer');
    expect(await w.statuses(flood(1), 'peer')).toEqual(['admitted']);
  });

  it('are charged twice for what the state refuses, also when it comes again', async () => {
    const w = new AdmissionWorld();
    const dust = Array.from({ length: 30 }, () => payment(1n));
    await w.statuses(dust, 'peer');
    await w.statuses(dust, 'peer');
    expect(w.admissions.figures.charged).toBe(60);
    await w.statuses(dust.slice(0, 10), 'peer');
    await expect(w.statuses(dust, 'peer')).rejects.toMatchObject({ code: 'PEER_BUDGET' });
    expect(w.verified).toBe(30);
  });

  it('are charged again for what was taken in and lost to a conflict later', async () => {
    const w = new AdmissionWorld();
    const salts = Array.from({ length: 40 }, freshSalt);
    const low = salts.map((salt) => payment(50_000n, { salt }));
    const high = salts.map((salt, i) => payment(50_000n, { salt, fee: low[i]!.fee * 2n }));
    await w.statuses(low, 'loser');
    await w.statuses(high, 'winner');
    expect(w.admissions.figures.charged).toBe(40);
    // 100 at first, less 40 for verifying and 40 for losing.
    await w.statuses(flood(20), 'loser');
    await expect(w.statuses(flood(1), 'loser')).rejects.toMatchObject({ code: 'PEER_BUDGET' });
    expect(await w.statuses(flood(1), 'winner')).toEqual(['admitted']);
  });

  it('forgive within seconds, whatever was owed: an honest relay is not cut off', async () => {
    const w = new AdmissionWorld({ maxTransactions: 5_000 });
    const conflicts = await w.statuses(flood(1_000), 'peer');
    expect(conflicts.filter((status) => status === 'TX_OVERSPENT').length).toBeGreaterThan(500);
    w.now += 2_100;
    expect(await w.statuses(flood(1), 'peer')).toEqual(['TX_OVERSPENT']);
  });

  it('survive a new name only by a second’s worth', async () => {
    const w = new AdmissionWorld({ maxTransactions: 5_000 });
    for (let i = 0; i < 3; i++) {
      await w.statuses(flood(100), `name ${i}`);
      await expect(w.statuses(flood(1), `name ${i}`)).rejects.toMatchObject({ code: 'PEER_BUDGET' });
    }
  });
});

it('counts what came of everything', async () => {
  const w = new AdmissionWorld();
  await w.statuses([payment(50_000n), payment(1n), forged(payment(50_000n))], 'peer');
  await w.statuses([payment(50_000n)]);
  expect(w.admissions.figures).toMatchObject({
    fresh: 4,
    known: 0,
    charged: 1,
    ignoredBatches: 0,
    peersWithBudget: 1,
    admitted: 2,
    refused: new Map([
      ['TX_SIGNATURE', 1],
      ['TX_DUST', 1],
    ]),
  });
});
