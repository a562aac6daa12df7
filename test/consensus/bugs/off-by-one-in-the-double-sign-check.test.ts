/**
 * CometBFT #5668: a check for double signatures that begins one step too far looks at nothing when it is asked to look
 * one step back. Here: the last view that a key may have signed elsewhere is refused, and the first one above it is not;
 * the first view above the floor and the history is compared with what others show, and the ones up to it are not.
 */
import { expect } from 'vitest';
import { patch } from '../../simulator/mutants/mutant.ts';
import { MemoryDisk } from '../memory-disk.ts';
import { committee, F, GENESIS_HASH, proposal, X } from '../support.ts';
import { against } from './against.ts';
import { code } from './code.ts';

const { set, scheme, certificate } = committee();

against('a double-sign check that is off by one', {
  module: 'code.ts',
  code,
  check: async ({ Journal, Signer }) => {
    const open = async (view: number, floor: number) => {
      const randomBytes = (length: number) => new Uint8Array(length).fill(7);
      const journal = await Journal.open({
        disk: new MemoryDisk(),
        set,
        genesisHash: GENESIS_HASH,
        randomBytes,
      });
      const { publicKey } = scheme.keys[2]!;
      journal.append({ type: 'history', publicKey, serial: 1, view, retired: false });
      journal.append({ type: 'floor', view: floor });
      return new Signer({ key: scheme.keys[2]!, set, genesisHash: GENESIS_HASH, journal });
    };
    const moved = await open(20, 5);
    expect(() => moved.sign(X(20))).toThrow('X(20) is not signed');
    await expect(moved.sign(X(21))).resolves.toBeDefined();
    const first = await open(1, 0);
    expect(() => first.sign(X(1))).toThrow('X(1) is not signed');
    const above = await open(1, 20);
    expect(() => above.sign(F(proposal(20, 19)))).toThrow('F(20) is not signed');
    await expect(above.sign(X(21))).resolves.toBeDefined();
    const shown = (signer: typeof above, view: number) =>
      signer.signedElsewhere(certificate(X(view), [0, 1, 2]));
    expect([19, 20, 22].map((view) => shown(above, view))).toEqual([false, false, true]);
    const fresh = await open(20, 5);
    expect([19, 20, 21].map((view) => shown(fresh, view))).toEqual([false, false, true]);
  },
  bugs: {
    'the last view of the history is signed again': [
      patch(
        'signer.ts',
        "if (view <= this.#history) refuse('SIGN_BELOW_HISTORY');",
        "if (view < this.#history) refuse('SIGN_BELOW_HISTORY');",
      ),
    ],
    'the view of the floor is signed again': [
      patch(
        'signer.ts',
        'if (view <= Math.max(this.#floor, this.#journal.state.floor)) refuse(',
        'if (view < Math.max(this.#floor, this.#journal.state.floor)) refuse(',
      ),
    ],
    'the first view above is not compared': [
      patch(
        'signer.ts',
        'if (view <= Math.max(state.floor, this.#history)) return false;',
        'if (view <= 1 + Math.max(state.floor, this.#history)) return false;',
      ),
    ],
    'the view of the floor is compared': [
      patch(
        'signer.ts',
        'if (view <= Math.max(state.floor, this.#history)) return false;',
        'if (view < Math.max(state.floor, this.#history)) return false;',
      ),
    ],
  },
});
