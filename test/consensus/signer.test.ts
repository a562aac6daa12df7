import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/codec/bytes.ts';
import type { Disk } from '../../src/consensus/journal/disk.ts';
import { Journal } from '../../src/consensus/journal/journal.ts';
import { Signer } from '../../src/consensus/signer.ts';
import type { Subject } from '../../src/consensus/types.ts';
import { subjectView, verifyVote } from '../../src/consensus/vote.ts';
import { SimDisk } from '../simulator/disk.ts';
import { Prng } from '../simulator/prng.ts';
import { Scheduler } from '../simulator/scheduler.ts';
import { committee, F, GENESIS_HASH, N, proposal, X } from './support.ts';

const { set, scheme } = committee();
const key = scheme.keys[2]!;
const code = (value: string): unknown => expect.objectContaining({ code: value });

interface Stage {
  readonly scheduler: Scheduler;
  readonly disk: SimDisk;
  /** Runs virtual time until the promise settles. */
  wait<T>(promise: Promise<T>): Promise<T>;
  open(disk?: Disk): Promise<{ journal: Journal; signer: Signer }>;
}

function stage(seed = 'signer'): Stage {
  const scheduler = new Scheduler();
  const disk = new SimDisk(scheduler, new Prng(seed));
  const wait = async <T>(promise: Promise<T>): Promise<T> => {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    promise.then(mark, mark);
    await scheduler.run(scheduler.now() + 60_000, () => settled);
    if (!settled) throw new Error('it never settles');
    return promise;
  };
  const open = async (): Promise<{ journal: Journal; signer: Signer }> => {
    const randomBytes = new Prng(`${seed} salts`).bytes;
    const journal = await wait(
      Journal.open({ disk: disk.open(), set, genesisHash: GENESIS_HASH, randomBytes, segmentBytes: 1_500 }),
    );
    return { journal, signer: new Signer({ key, set, genesisHash: GENESIS_HASH, journal }) };
  };
  return { scheduler, disk, wait, open };
}

describe('the signer', () => {
  it('signs, and gives the same vote again', async () => {
    const { open, wait } = stage();
    const { signer } = await open();
    expect(signer.index).toBe(2);
    const vote = await wait(signer.sign(N(proposal(3, 2))));
    expect(verifyVote(vote, set, GENESIS_HASH, scheme.verifier)).toBe(true);
    const again = await wait(signer.sign(N(proposal(3, 2))));
    expect(toHex(again.signature)).toBe(toHex(vote.signature));
    await wait(signer.sign(F(proposal(3, 2))));
    await wait(signer.sign(X(4)));
  });

  it('refuses what an honest key never signs', async () => {
    const { open, wait } = stage();
    const { signer } = await open();
    await wait(signer.sign(N(proposal(3, 2))));
    expect(() => signer.sign(N(proposal(3, 2, 'other')))).toThrow(code('SIGN_CONFLICT'));
    expect(() => signer.sign(N(proposal(3, 1)))).toThrow(code('SIGN_CONFLICT'));
    await wait(signer.sign(X(3)));
    expect(() => signer.sign(F(proposal(3, 2)))).toThrow(code('SIGN_FINALIZE_AFTER_NULLIFY'));
    await wait(signer.sign(F(proposal(4, 3))));
    expect(() => signer.sign(F(proposal(4, 3, 'other')))).toThrow(code('SIGN_CONFLICT'));
    expect(() => signer.sign(X(4))).toThrow(code('SIGN_NULLIFY_AFTER_FINALIZE'));
    await wait(signer.sign(X(5)));
    expect(() => signer.sign(N(proposal(5, 4)))).toThrow(code('SIGN_NOTARIZE_AFTER_NULLIFY'));
    signer.noteEquivocation(6);
    expect(() => signer.sign(F(proposal(6, 5)))).toThrow(code('SIGN_EQUIVOCATED'));
    expect(() => signer.sign(X(7, 1))).toThrow(code('SIGN_EPOCH'));
    signer.raiseFloor(9);
    signer.raiseFloor(8);
    expect(() => signer.sign(X(9))).toThrow(code('SIGN_BELOW_FLOOR'));
    await wait(signer.sign(X(10)));
  });

  it('signs nothing at or below what the key may have signed elsewhere, and nothing at all once retired', async () => {
    const { open, wait, disk } = stage();
    const before = await open();
    const history = { type: 'history', publicKey: key.publicKey, view: 20 } as const;
    before.journal.append({ ...history, serial: 1, retired: false });
    // Neither an older record nor one that goes back changes anything.
    before.journal.append({ ...history, serial: 1, view: 5, retired: true });
    before.journal.append({ ...history, serial: 2, view: 19, retired: true });
    before.journal.append({ ...history, serial: 9, retired: true, publicKey: scheme.keys[1]!.publicKey });
    await wait(before.journal.commit());
    disk.crash();
    const { journal, signer } = await open();
    for (const subject of [X(20), N(proposal(20, 19)), F(proposal(3, 2))]) {
      expect(() => signer.sign(subject)).toThrow(code('SIGN_BELOW_HISTORY'));
    }
    await wait(signer.sign(X(21)));
    expect(journal.state.signedUpTo(2, key.publicKey)).toBe(21);
    journal.append({ ...history, serial: 2, view: 21, retired: true });
    // A checkpoint keeps it.
    for (let view = 1; view <= 60; view++) journal.append({ type: 'floor', view });
    await wait(journal.commit());
    disk.crash();
    await expect(open()).rejects.toThrow(code('KEY_RETIRED'));
  });

  it('knows a vote of its key that the journal does not know, and no other', async () => {
    const { open, wait, disk } = stage();
    const { certificate } = committee();
    const before = await open();
    before.journal.append({ type: 'floor', view: 5 });
    before.journal.append({ type: 'history', publicKey: key.publicKey, serial: 1, view: 9, retired: false });
    await wait(before.journal.commit());
    disk.crash();
    const { signer } = await open();
    await wait(signer.sign(N(proposal(12, 11))));
    await wait(signer.sign(X(13)));
    const elsewhere = (subject: Subject, ...signers: number[]): boolean =>
      signer.signedElsewhere(certificate(subject, signers));
    // Own votes, others' votes, and what lies below floor or history.
    expect(elsewhere(N(proposal(12, 11)), 0, 1, 2)).toBe(false);
    expect(elsewhere(X(13), 1, 2, 3)).toBe(false);
    expect(elsewhere(F(proposal(12, 11)), 0, 1, 3)).toBe(false);
    for (const view of [4, 5, 9]) expect(elsewhere(F(proposal(view, view - 1)), 0, 1, 2)).toBe(false);
    // Another kind, another view, another block.
    expect(elsewhere(F(proposal(12, 11)), 0, 1, 2)).toBe(true);
    expect(elsewhere(X(10), 0, 1, 2)).toBe(true);
    expect(elsewhere(N(proposal(12, 11, 'twin')), 0, 1, 2)).toBe(true);
  });

  it('refuses a key that is not in the set', async () => {
    const { open } = stage();
    const { journal } = await open();
    const stranger = committee([1, 1, 1, 1, 1]).scheme.keys[4]!;
    expect(() => new Signer({ key: stranger, set, genesisHash: GENESIS_HASH, journal })).toThrow(
      code('SIGN_NOT_A_VALIDATOR'),
    );
  });

  it('lets nothing out that is not durable, and nothing at all after a failed fsync', async () => {
    const { open, wait, disk, scheduler } = stage();
    const { signer } = await open();
    await wait(signer.sign(X(1)));
    disk.failPoint = { countdown: 1, when: 'error' };
    await expect(wait(signer.sign(X(2)))).rejects.toThrow('EIO');
    expect(() => signer.sign(X(3))).toThrow('EIO');
    let out = false;
    disk.crash();
    const restarted = await open();
    const pending = restarted.signer.sign(X(4));
    void pending.then(() => {
      out = true;
    });
    disk.failPoint = { countdown: 1, when: 'before' };
    disk.onCrash = () => disk.crash();
    await scheduler.run(scheduler.now() + 10_000, () => out);
    expect(out).toBe(false);
  });

  it('never contradicts itself, whatever it is asked and wherever it crashes', async () => {
    const subject: fc.Arbitrary<Subject> = fc
      .tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom('a', 'b'), fc.integer({ min: 0, max: 2 }))
      .map(([view, name, kind]) =>
        kind === 0
          ? N(proposal(view, view - 1, name))
          : kind === 1
            ? F(proposal(view, view - 1, name))
            : X(view),
      );
    const step = fc.oneof(
      { weight: 5, arbitrary: subject },
      { weight: 1, arbitrary: fc.constant('crash' as const) },
      { weight: 1, arbitrary: fc.constant('strike' as const) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.nat(), async (steps, seed) => {
        const { open, disk, scheduler } = stage(`crashes ${seed}`);
        const given = new Map<string, string>();
        let { signer } = await open();
        for (const [at, one] of steps.entries()) {
          if (one === 'crash') {
            disk.crash();
            ({ signer } = await open());
            continue;
          }
          if (one === 'strike') {
            disk.failPoint = { countdown: at % 5, when: at % 2 === 0 ? 'before' : 'after' };
            let struck = false;
            disk.onCrash = () => {
              struck = true;
              disk.crash();
            };
            await scheduler.run(scheduler.now() + 50, () => struck);
            continue;
          }
          let out: string | undefined;
          try {
            void signer.sign(one).then((vote) => {
              out = toHex(vote.signature);
            });
          } catch (error) {
            expect((error as { code?: string }).code).toMatch(/^SIGN_/);
            continue;
          }
          let crashed = false;
          disk.onCrash = () => {
            crashed = true;
            disk.crash();
          };
          await scheduler.run(scheduler.now() + 200, () => out !== undefined || crashed);
          if (crashed) ({ signer } = await open());
          if (out === undefined) continue;
          const slot = `${subjectView(one)}/${one.kind}`;
          expect(given.get(slot) ?? out).toBe(out);
          given.set(slot, out);
          expect(given.has(`${subjectView(one)}/2`) && given.has(`${subjectView(one)}/3`)).toBe(false);
        }
      }),
      { numRuns: 150 },
    );
  });
});
