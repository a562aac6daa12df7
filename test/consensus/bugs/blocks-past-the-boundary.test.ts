/**
 * ava-labs #545: blocks that an old epoch builds past its end are thrown away later, and the next epoch uses their places
 * again. Two finalizations of one place, each valid for its own set, look like a conflict, and the node halts for ever.
 * What holds today: nothing of another epoch is a block of this chain, and a finalization of another epoch is no
 * conflict and stops nothing. The economy's epochs add the rule by which it cannot come to that: at the boundary height
 * nobody builds further, the same block is proposed again until it is final.
 */
import { expect } from 'vitest';
import type { Certificate } from '../../../src/consensus/types.ts';
import { validatorSetHash } from '../../../src/consensus/validator-set.ts';
import { header, set } from '../../hostile/samples.ts';
import { patch } from '../../simulator/mutants/mutant.ts';
import { F, proposal } from '../support.ts';
import { against } from './against.ts';
import { follower, upTo } from './bench.ts';
import { code as blocksCode } from './blocks-code.ts';
import { code } from './code.ts';

against('a finalization of the same place in another epoch', {
  module: 'code.ts',
  code,
  check: (given) => {
    const bench = follower(given);
    upTo(bench, 3);
    bench.certificate(F(proposal(3, 2)), [1, 2, 3]);
    const { vote } = bench.committee;
    const reused = { ...proposal(4, 2, 'reused'), epoch: 1 };
    const signatures = [0, 1, 2].map((signer) => vote(signer, F(reused)).signature);
    const certificate: Certificate = { subject: F(reused), signers: Uint8Array.of(0b0111), signatures };
    const judgement = bench.step({ type: 'certificate', certificate, peer: 'p' });
    expect(judgement).toEqual({ ok: true, useful: false });
    expect(bench.reports('conflict')).toEqual([]);
    expect(bench.engine.lastFinal.view).toBe(3);
    bench.certificate(F(proposal(4, 3)), [1, 2, 3]);
    expect(bench.engine.lastFinal.view).toBe(4);
  },
  bugs: {
    'it is compared with this epoch’s': [
      patch(
        'engine/acceptance.ts',
        'if (subjectEpoch(subject) !== state.options.set.epoch || view < floor || view === 0) return false;',
        'if (subjectEpoch(subject) < 0 || view < floor || view === 0) return false;',
      ),
      patch(
        'certificate.ts',
        'if (subjectEpoch(subject) !== set.epoch) {',
        'if (subjectEpoch(subject) < 0) {',
      ),
    ],
  },
});

against('a block of an epoch that is not this one', {
  module: 'blocks-code.ts',
  code: blocksCode,
  check: ({ checkHeader }) => {
    const parent = {
      hash: header.parent,
      height: header.height - 1,
      view: header.parentView,
      time: header.time - 1,
    };
    const check = (change: Partial<typeof header>) => (): void =>
      checkHeader({ ...header, ...change }, parent, set, validatorSetHash(set));
    expect(check({})).not.toThrow();
    expect(check({ epoch: 1 })).toThrow();
    // Nor may a block name the set of an epoch to come: there is none yet.
    expect(check({ nextValidatorsHash: new Uint8Array(32).fill(1) })).toThrow();
  },
  bugs: {
    'its epoch is not compared': [
      {
        file: 'chain/rules.ts',
        find: 'if (header.epoch !== set.epoch) refuse(',
        replace: 'if (header.epoch < 0) refuse(',
      },
      {
        file: 'chain/header.ts',
        find: 'if (h.epoch !== 0 || !isZero(h.vrfOutput)',
        replace: 'if (!isZero(h.vrfOutput)',
      },
    ],
    'it may name the set of an epoch to come': [
      { file: 'chain/header.ts', find: ' || !isZero(h.nextValidatorsHash)) {', replace: ') {' },
    ],
  },
});
