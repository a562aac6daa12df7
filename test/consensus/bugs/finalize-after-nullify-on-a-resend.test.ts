/**
 * ava-labs #280: the path that sends votes again makes the F votes that it does not find, also in a view in which X was
 * signed. Here neither the state machine asks for it, nor would the signer give it.
 */
import { expect } from 'vitest';
import { NULLIFY } from '../../../src/consensus/types.ts';
import { patch, unguarded } from '../../simulator/mutants/mutant.ts';
import { MemoryDisk } from '../memory-disk.ts';
import { F, GENESIS_HASH, N, X } from '../support.ts';
import { against } from './against.ts';
import { follower, p1 } from './bench.ts';
import { code } from './code.ts';

against('F after X, signed when votes are sent again', {
  module: 'code.ts',
  code,
  check: async (given) => {
    const bench = follower(given);
    bench.pass(300);
    bench.certificate(N(p1), [1, 2, 3]);
    bench.certified(p1);
    bench.pass(20_000);
    const restarted = bench.restart();
    restarted.pass(20_000);
    expect([bench.kinds(1), restarted.kinds(1)]).toEqual([[NULLIFY], []]);
    const { set, scheme } = bench.committee;
    const journal = await given.Journal.open({
      ...{ disk: new MemoryDisk(), set, genesisHash: GENESIS_HASH },
      randomBytes: (length) => new Uint8Array(length).fill(7),
    });
    const signer = new given.Signer({ key: scheme.keys[0]!, set, genesisHash: GENESIS_HASH, journal });
    await signer.sign(X(1));
    expect(() => signer.sign(F(p1))).toThrow('F(1) is not signed');
    await signer.sign(F({ ...p1, view: 2, parentView: 1 }));
    expect(() => signer.sign(X(2))).toThrow('X(2) is not signed');
  },
  bugs: {
    'missing F votes are made when the chain stands still': [
      patch(
        'engine/views.ts',
        '  for (const effect of state.standstill.due(rounds, state.view, self, now)) state.emit(effect);\n',
        '  for (const effect of state.standstill.due(rounds, state.view, self, now)) state.emit(effect);\n' +
          '  for (const past of rounds.between(state.floor + 1, state.view)) {\n' +
          '    const proposal = rounds.notarized(past.view);\n' +
          '    if (proposal !== undefined && !past.own[FINALIZE]) { past.own[FINALIZE] = true; sign(state, { kind: FINALIZE, proposal }); }\n' +
          '  }\n',
      ),
    ],
    'the signer gives F after X': [unguarded('SIGN_FINALIZE_AFTER_NULLIFY')],
    'the signer gives X after F': [unguarded('SIGN_NULLIFY_AFTER_FINALIZE')],
  },
});
