/**
 * Each kind of adversary earns its place: with one rule of the production code broken, a calm network (nothing
 * lost, nobody restarts) shows nothing wrong until this adversary is there.
 */
import { describe, expect, it } from 'vitest';
import type { ADVERSARIES } from '../simulator/adversaries/catalogue.ts';
import { type Mutant, patch, type Run } from '../simulator/mutants/mutant.ts';
import { loadVariant } from '../simulator/mutants/variant.ts';
import type { Scenario } from '../simulator/scenario.ts';

type Patches = Mutant['patches'];

const CALM: Partial<Scenario> = {
  ...{ loss: 0, duplication: 0, maxDelay: 30, trouble: 5_000, scheme: 'hash', specialty: undefined },
  ...{ crashes: [], failPoints: [], fullDisks: [], rot: undefined, restartAllAt: undefined },
  ...{ partitions: [], slow: undefined, clocks: [], clockSteps: [] },
};

const LAST_PROPOSAL_STANDS: Patches = [
  patch(
    'signer.ts',
    'const given = state.ownVote(this.index, subject.kind, subjectView(subject));',
    'void state; const given = undefined as Vote | undefined;',
  ),
  patch(
    'engine/votes.ts',
    'else if (!sameProposal(round.proposal, proposal)) noteEquivocation(state, round);',
    "else if (!sameProposal(round.proposal, proposal)) { void noteEquivocation; round.proposal = proposal; round.verifying = 'idle'; round.own[NOTARIZE] = false; }",
  ),
];

const SKIPPED_VIEWS: Patches = [
  patch(
    'engine/tasks.ts',
    'if (gaps.length > 0 || parent === undefined) return;',
    'if (parent === undefined) return;',
  ),
];

const F_AFTER_X: Patches = [
  patch('signer.ts', "refuse('SIGN_FINALIZE_AFTER_NULLIFY')", 'undefined'),
  patch(
    'engine/views.ts',
    'round.view <= state.floor || round.own[NULLIFY] || round.own[FINALIZE]',
    'round.view <= state.floor || round.own[FINALIZE]',
  ),
];

const RANGE = 'return view > state.floor && view <= state.view + 1;';

interface Row {
  readonly adversary: (typeof ADVERSARIES)[number];
  readonly rule: string;
  readonly patches: Patches;
  readonly scenario?: Partial<Scenario>;
}

const ROWS: readonly Row[] = [
  {
    adversary: 'twins',
    rule: 'N is given to one proposal of a view alone',
    patches: LAST_PROPOSAL_STANDS,
  },
  {
    adversary: 'equivocator',
    rule: 'N is given to one proposal of a view alone',
    patches: LAST_PROPOSAL_STANDS,
  },
  {
    adversary: 'conflicter',
    rule: 'the skipped views of a proposal are nullified',
    patches: SKIPPED_VIEWS,
    scenario: { specialty: 'stale-parent' },
  },
  {
    adversary: 'stale-parent',
    rule: 'the skipped views of a proposal are nullified',
    patches: SKIPPED_VIEWS,
  },
  { adversary: 'nuller', rule: 'no F after X', patches: F_AFTER_X },
  { adversary: 'late-sender', rule: 'no F after X', patches: F_AFTER_X },
  {
    adversary: 'nullify-only',
    rule: "only the leader's X is a reason to give up",
    patches: [
      patch(
        'engine/votes.ts',
        'kind === NULLIFY && vote.signer === round.leader && round.view === state.view',
        'kind === NULLIFY && round.view === state.view',
      ),
    ],
  },
  {
    adversary: 'impersonator',
    rule: 'signatures of votes are verified',
    patches: [
      patch(
        'engine/votes.ts',
        "if (!verifyVote(vote, set, genesisHash, verifier)) return offence('VOTE_SIGNATURE');",
        'void verifyVote; void genesisHash; void verifier;',
      ),
    ],
  },
  {
    adversary: 'outdated',
    rule: 'votes below the final view do not count',
    patches: [patch('engine/votes.ts', RANGE, 'return view <= state.view + 1;')],
  },
  {
    adversary: 'wrong-epoch',
    rule: 'votes of another epoch do not count',
    patches: [
      patch('engine/votes.ts', 'subjectEpoch(subject) !== set.epoch || signer === self', 'signer === self'),
      patch(
        'vote.ts',
        'validator === undefined || subjectEpoch(vote.subject) !== set.epoch',
        'validator === undefined',
      ),
    ],
  },
  {
    adversary: 'withholder',
    rule: 'F waits for the body and its execution',
    patches: [
      patch(
        'engine/acceptance.ts',
        '  state.uncertified.add(round.view);\n',
        '  round.verdict = true; round.own[3] = true;\n' +
          "  if (state.options.self !== undefined) state.emit({ type: 'sign', subject: { kind: 3, proposal } });\n" +
          '  enter(state, round.view + 1, certificate);\n',
      ),
    ],
  },
  {
    adversary: 'invalid-block',
    rule: 'a block that fails in execution gets X',
    patches: [patch('engine/tasks.ts', 'round.verdict = ok;', 'ok = true; round.verdict = ok;')],
  },
  {
    adversary: 'forger',
    rule: 'signatures of certificates are verified',
    patches: [
      patch(
        'certificate.ts',
        'if (!verifier.verify(signature, message, set.validators[signer]!.publicKey)) {',
        'if (message.length === 0) {',
      ),
    ],
  },
  {
    adversary: 'forger',
    rule: 'a certificate has a quorum',
    patches: [patch('certificate.ts', 'if (!hasQuorum(stake, set.totalStake)) {', 'if (stake === 0n) {')],
  },
  {
    adversary: 'sync-liar',
    rule: 'votes far ahead do not count',
    patches: [patch('engine/votes.ts', RANGE, 'return view > state.floor;')],
  },
  {
    adversary: 'flooder',
    rule: 'the first vote of a kind and signer alone counts',
    patches: [
      patch(
        'engine/votes.ts',
        'if (held !== undefined && (sameSubject(held.subject, subject) || round.hasReported(signer))) return IGNORED;',
        'if (held !== undefined && round.hasReported(signer) && !sameSubject(held.subject, subject)) return IGNORED;',
      ),
      patch('engine/votes.ts', 'if (held === undefined) count(state', 'count(state'),
      patch('engine/round.ts', 'if (votes.has(vote.signer)) return;', ''),
    ],
  },
];

const SEEDS = 12;

describe('a broken rule shows when the adversary is there that it is against', () => {
  it.each(ROWS)('$adversary: $rule', async ({ adversary, patches, scenario }) => {
    const { run } = await loadVariant<{ run: Run }>('simulator/mutants/trials/simulator.ts', patches);
    const play = (seed: number, kind: Scenario['adversary']): ReturnType<Run> =>
      run(seed, { ...CALM, ...scenario, adversary: kind });
    let caughtIn: number | undefined;
    for (let seed = 0; seed < SEEDS && caughtIn === undefined; seed++) {
      if ((await play(seed, adversary)) !== undefined) caughtIn = seed;
      expect(await play(seed, 'none')).toBeUndefined();
    }
    expect(caughtIn).toBeDefined();
  });
});
