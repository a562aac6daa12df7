/**
 * ava-labs #543: votes that came with a sync are counted under a validator set that is not theirs. There is one set and
 * one epoch today; what holds already: what is of another epoch is neither counted, nor verified, nor kept, whoever
 * signed it. The economy's epochs add: each epoch has a machine, a set and tallies of its own, and an answer that
 * spans a boundary is judged block by block under the set that the chain itself commits to (`nextValidatorsHash`).
 */
import { expect } from 'vitest';
import { patch } from '../../simulator/mutants/mutant.ts';
import { F, GENESIS_HASH, proposal, X } from '../support.ts';
import { against } from './against.ts';
import { follower } from './bench.ts';
import { code } from './code.ts';

against('votes that are counted under an old validator set', {
  module: 'code.ts',
  code,
  check: (given) => {
    const bench = follower(given);
    expect(() => {
      for (const signer of [1, 2, 3]) bench.vote(signer, X(1, 1));
    }).not.toThrow();
    expect(bench.engine.view).toBe(1);
    const { set, scheme, vote } = bench.committee;
    // Signed by everybody, of the epoch after.
    const later = { ...proposal(5, 4), epoch: 1 };
    const signatures = [0, 1, 2].map((signer) => vote(signer, F(later)).signature);
    const certificate = { subject: F(later), signers: Uint8Array.of(0b0111), signatures };
    const verify = (): void => given.verifyCertificate(certificate, set, GENESIS_HASH, scheme.verifier);
    expect(verify).toThrow('epoch 1 where 0 was expected');
    bench.step({ type: 'certificate', certificate, peer: 'p' });
    bench.step({ type: 'synced', certificate });
    expect([bench.engine.view, bench.engine.lastFinal.view]).toEqual([1, 0]);
    expect(bench.certificate(X(1), [1, 2, 3])).toEqual({ ok: true, useful: true });
  },
  bugs: {
    'votes of any epoch are counted': [
      patch(
        'engine/votes.ts',
        'if (subjectEpoch(subject) !== set.epoch || signer === self || !inRange(state, view)) return IGNORED;',
        'if (signer === self || !inRange(state, view)) return IGNORED;',
      ),
      patch(
        'vote.ts',
        'if (validator === undefined || subjectEpoch(vote.subject) !== set.epoch) return false;',
        'if (validator === undefined) return false;',
      ),
      patch(
        'certificate.ts',
        'if (subjectEpoch(subject) !== set.epoch) {',
        'if (subjectEpoch(subject) < 0) {',
      ),
    ],
    'certificates of any epoch are verified under this set': [
      patch(
        'certificate.ts',
        'if (subjectEpoch(subject) !== set.epoch) {',
        'if (subjectEpoch(subject) < 0) {',
      ),
    ],
  },
});
