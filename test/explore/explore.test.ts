import { describe, expect, it } from 'vitest';
import { patch } from '../simulator/mutants/mutant.ts';
import { loadVariant, type Patch } from '../simulator/mutants/variant.ts';
import { Prng } from '../simulator/prng.ts';
import { explore } from './explore.ts';
import { Instance, type InstanceOptions } from './instance.ts';
import { LocalSpace } from './locals.ts';
import { Machine } from './machine.ts';
import { plainSentVectors } from './plain.ts';
import { type Budget, Search } from './search.ts';
import { StateTable } from './table.ts';

const TINY: InstanceOptions = {
  leaders: [3],
  variants: [2, 1, 1],
  poison: true,
  crashes: 1,
  durable: true,
  commits: 'at-once',
  deliveries: 'certificates',
  early: false,
};
const BUDGET: Budget = { states: 1_000_000, time: 600_000 };

/** Interchangeable validators in order. */
function sorted(vectors: Iterable<string>, from: number): Set<string> {
  return new Set(
    [...vectors].map((vector) => {
      const all = vector.split(',');
      return [...all.slice(0, from), ...all.slice(from).sort()].join();
    }),
  );
}

function reduced(options: InstanceOptions, from: number): Set<string> {
  const search = new Search(new Instance(options));
  expect(search.run(BUDGET)).toMatchObject({ complete: true, violations: [] });
  return sorted(search.sentVectors(), from);
}

describe('the exploration of a small instance', () => {
  it.each([
    ['a Byzantine leader', TINY],
    ['an honest leader', { ...TINY, leaders: [0] }],
    ['nothing durable in the application', { ...TINY, durable: false }],
  ])('finds nothing in one view with %s, to the end', (_name, options) => {
    const outcome = explore(options, BUDGET);
    expect(outcome.violations).toEqual([]);
    expect(outcome.complete).toBe(true);
    expect(outcome.frontier).toBe(0);
    expect(outcome.states).toBeGreaterThan(50);
    const { milliseconds: _, ...again } = explore(options, BUDGET);
    expect(again).toEqual({ ...outcome, milliseconds: undefined } as unknown);
  });

  it('says how far it came when it is cut', () => {
    const outcome = explore(TINY, { states: 40, time: 600_000 });
    expect(outcome.complete).toBe(false);
    expect(outcome.frontier).toBeGreaterThan(0);
    expect(outcome.states).toBeGreaterThanOrEqual(40);
  });

  it.each([[[3], 0] as const, [[0], 1] as const])(
    'loses nothing by its reductions, leaders %s',
    (leaders, from) => {
      const options = { ...TINY, leaders, variants: [1], poison: false };
      const vectors = reduced(options, from);
      expect(vectors.size).toBeGreaterThan(20);
      expect(sorted(plainSentVectors(new Instance(options)), from)).toEqual(vectors);
      // Leaders' votes that come before their view; an fsync that is a step of its own.
      expect(reduced({ ...options, early: true, commits: 'apart' }, from)).toEqual(vectors);
    },
  );

  it('takes for equal only what behaves alike', () => {
    const instance = new Instance({ ...TINY, leaders: [3, 0], poison: false });
    const random = new Prng('walks');
    for (const self of [0, 1]) {
      const space = new LocalSpace(instance, self);
      for (let walk = 0; walk < 40; walk++) {
        const machine = new Machine(instance, self);
        for (let at = 0, step = 0; step < 24; step++) {
          const event = random.int(0, instance.events.length - 1);
          machine.apply(instance.events[event]!);
          at = space.step(at, event);
          // The table's machine came here by the first way that was found, this one by its own.
          if (step % 4 === 3) expect(machine.fingerprint()).toBe(space.machine(at).fingerprint());
        }
      }
    }
  });

  it('keeps states apart and finds them again', () => {
    const table = new StateTable();
    const random = new Prng('table');
    const known = new Map<string, number>();
    const wrong: string[] = [];
    const ids = new Int32Array(3);
    for (let i = 0; i < 10_000; i++) {
      const [a, b, c] = [random.int(0, 40), random.int(0, 2 ** 21 - 1) % 50, 2 ** 21 - 1 - random.int(0, 30)];
      const key = `${a},${b},${c}`;
      const state = table.add(a, b, c, 0);
      if (state !== (known.get(key) ?? known.size)) wrong.push(key);
      known.set(key, state);
      table.read(state, ids);
      if (ids.join() !== key) wrong.push(`${key} as ${ids.join()}`);
    }
    expect(wrong).toEqual([]);
    expect(table.size).toBe(known.size);
  });
});

interface Variant {
  readonly name: string;
  readonly options: Partial<InstanceOptions>;
  readonly patches: readonly Patch[];
  readonly finds: RegExp;
}

const VARIANTS: readonly Variant[] = [
  {
    name: 'F is signed after X',
    options: {},
    patches: [
      patch('signer.ts', "refuse('SIGN_FINALIZE_AFTER_NULLIFY')", 'undefined'),
      patch(
        'engine/views.ts',
        'round.view <= state.floor || round.own[NULLIFY] || round.own[FINALIZE]',
        'round.view <= state.floor || round.own[FINALIZE]',
      ),
    ],
    finds: /signed X and F/,
  },
  {
    name: 'F is asked for after X, and the signer refuses',
    options: {},
    patches: [
      patch(
        'engine/views.ts',
        'round.view <= state.floor || round.own[NULLIFY] || round.own[FINALIZE]',
        'round.view <= state.floor || round.own[FINALIZE]',
      ),
    ],
    finds: /signer refused/,
  },
  {
    name: 'F is given without a verdict',
    options: {},
    patches: [
      patch('engine/views.ts', 'round.verdict !== true || ', ''),
      patch(
        'engine/acceptance.ts',
        '  enter(state, round.view, certificate);\n}',
        '  enter(state, round.view, certificate);\n  maybeFinalize(state, round);\n}',
      ),
      patch(
        'engine/acceptance.ts',
        "import { cancelVerify, enter, noteEquivocation } from './views.ts';",
        "import { cancelVerify, enter, maybeFinalize, noteEquivocation } from './views.ts';",
      ),
    ],
    finds: /invalid block/,
  },
  {
    name: 'half of the stake is a quorum',
    options: {},
    patches: [patch('validator-set.ts', '3n * stake > 2n * totalStake', '2n * stake >= totalStake')],
    finds: /without quorum/,
  },
  {
    name: 'a leader proposes again after a restart',
    options: { leaders: [0] },
    patches: [
      patch('signer.ts', "refuse('SIGN_CONFLICT')", 'undefined'),
      patch('engine/recovery.ts', 'round.own[vote.subject.kind] = true;', ''),
      patch('engine/recovery.ts', 'round.proposal = vote.subject.proposal;', 'round.proposal = undefined;'),
    ],
    finds: /signed two N|signer refused N/,
  },
  {
    name: 'a checkpoint leaves own votes out',
    options: {},
    patches: [
      patch(
        'journal/state.ts',
        "for (const vote of this.#votes.get(view) ?? []) yield { type: 'vote', vote };",
        '',
      ),
    ],
    finds: /signed two N|signed X and F|does not know of/,
  },
  {
    name: 'the skipped views of a proposal need not be nullified',
    options: { leaders: [0, 3], crashes: 0, poison: false },
    patches: [
      patch(
        'engine/tasks.ts',
        'if (gaps.length > 0 || parent === undefined) return;',
        'if (parent === undefined) return;',
      ),
    ],
    finds: /beside final block|skips view 1|both final/,
  },
];

describe('the exploration catches broken rules', () => {
  it.each(VARIANTS)('$name', async ({ options, patches, finds }) => {
    const broken = await loadVariant<{ explore: typeof explore }>('explore/explore.ts', patches);
    const { violations } = broken.explore({ ...TINY, ...options }, BUDGET);
    expect(violations.flatMap(({ what }) => what).join('; ')).toMatch(finds);
    expect(violations[0]!.trace.length).toBeGreaterThan(0);
  });
});
