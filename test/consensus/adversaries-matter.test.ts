/**
 * Each kind of adversary earns its place: with one rule of the production code broken, a calm network (nothing
 * lost, nobody restarts) shows nothing wrong until this adversary is there.
 */
import { describe, expect, it } from 'vitest';
import type { ADVERSARIES } from '../simulator/adversaries/catalogue.ts';
import { loadVariant, type Mutant } from '../simulator/mutants.ts';
import type { Scenario } from '../simulator/scenario.ts';
import type { RunResult } from '../simulator/world.ts';

type Patches = Mutant['patches'];

const CALM: Partial<Scenario> = {
  ...{ loss: 0, duplication: 0, maxDelay: 30, trouble: 5_000, scheme: 'hash', specialty: undefined },
  ...{ crashes: [], failPoints: [], partitions: [], restartAllAt: undefined },
};

const LAST_PROPOSAL_STANDS: Patches = [
  {
    file: 'signer.ts',
    find: 'const given = state.ownVote(this.index, subject.kind, subjectView(subject));',
    replace: 'void state; const given = undefined as Vote | undefined;',
  },
  {
    file: 'engine/votes.ts',
    find: 'else if (!sameProposal(round.proposal, proposal)) noteEquivocation(state, round);',
    replace:
      "else if (!sameProposal(round.proposal, proposal)) { void noteEquivocation; round.proposal = proposal; round.verifying = 'idle'; round.own[NOTARIZE] = false; }",
  },
];

const SKIPPED_VIEWS: Patches = [
  {
    file: 'engine/tasks.ts',
    find: 'if (gaps.length > 0 || parent === undefined) return;',
    replace: 'if (parent === undefined) return;',
  },
];

const F_AFTER_X: Patches = [
  { file: 'signer.ts', find: "refuse('SIGN_FINALIZE_AFTER_NULLIFY')", replace: 'undefined' },
  {
    file: 'engine/views.ts',
    find: 'round.view <= state.floor || round.own[NULLIFY] || round.own[FINALIZE]',
    replace: 'round.view <= state.floor || round.own[FINALIZE]',
  },
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
      {
        file: 'engine/votes.ts',
        find: 'kind === NULLIFY && vote.signer === round.leader && round.view === state.view',
        replace: 'kind === NULLIFY && round.view === state.view',
      },
    ],
  },
  {
    adversary: 'impersonator',
    rule: 'signatures of votes are verified',
    patches: [
      {
        file: 'engine/votes.ts',
        find: "if (!verifyVote(vote, set, genesisHash, verifier)) return offence('VOTE_SIGNATURE');",
        replace: 'void verifyVote; void genesisHash; void verifier;',
      },
    ],
  },
  {
    adversary: 'outdated',
    rule: 'votes below the final view do not count',
    patches: [{ file: 'engine/votes.ts', find: RANGE, replace: 'return view <= state.view + 1;' }],
  },
  {
    adversary: 'wrong-epoch',
    rule: 'votes of another epoch do not count',
    patches: [
      {
        file: 'engine/votes.ts',
        find: 'subjectEpoch(subject) !== set.epoch || signer === self',
        replace: 'signer === self',
      },
      {
        file: 'vote.ts',
        find: 'validator === undefined || subjectEpoch(vote.subject) !== set.epoch',
        replace: 'validator === undefined',
      },
    ],
  },
  {
    adversary: 'withholder',
    rule: 'F waits for the body and its execution',
    patches: [
      {
        file: 'engine/acceptance.ts',
        find: '  state.uncertified.add(round.view);\n',
        replace:
          '  round.verdict = true; round.own[3] = true;\n' +
          "  if (state.options.self !== undefined) state.emit({ type: 'sign', subject: { kind: 3, proposal } });\n" +
          '  enter(state, round.view + 1, certificate);\n',
      },
    ],
  },
  {
    adversary: 'invalid-block',
    rule: 'a block that fails in execution gets X',
    patches: [
      { file: 'engine/tasks.ts', find: 'round.verdict = ok;', replace: 'ok = true; round.verdict = ok;' },
    ],
  },
  {
    adversary: 'forger',
    rule: 'signatures of certificates are verified',
    patches: [
      {
        file: 'certificate.ts',
        find: 'if (!verifier.verify(signature, message, set.validators[signer]!.publicKey)) {',
        replace: 'if (message.length === 0) {',
      },
    ],
  },
  {
    adversary: 'forger',
    rule: 'a certificate has a quorum',
    patches: [
      {
        file: 'certificate.ts',
        find: 'if (!hasQuorum(stake, set.totalStake)) {',
        replace: 'if (stake === 0n) {',
      },
    ],
  },
  {
    adversary: 'sync-liar',
    rule: 'votes far ahead do not count',
    patches: [{ file: 'engine/votes.ts', find: RANGE, replace: 'return view > state.floor;' }],
  },
  {
    adversary: 'flooder',
    rule: 'the first vote of a kind and signer alone counts',
    patches: [
      {
        file: 'engine/votes.ts',
        find: 'if (held !== undefined && (sameSubject(held.subject, subject) || round.hasReported(signer))) return IGNORED;',
        replace:
          'if (held !== undefined && round.hasReported(signer) && !sameSubject(held.subject, subject)) return IGNORED;',
      },
      { file: 'engine/votes.ts', find: 'if (held === undefined) count(state', replace: 'count(state' },
      { file: 'engine/round.ts', find: 'if (votes.has(vote.signer)) return;', replace: '' },
    ],
  },
];

const SEEDS = 12;

describe('a broken rule shows when the adversary is there that it is against', () => {
  it.each(ROWS)('$adversary: $rule', async ({ adversary, patches, scenario }) => {
    const load = (kind: Scenario['adversary']): ReturnType<typeof loadVariant> =>
      loadVariant({ patches, scenario: { ...CALM, ...scenario, adversary: kind } });
    const [hostile, peaceful] = [await load(adversary), await load('none')];
    const finding = ({ violations, stuck }: RunResult): string | undefined => violations[0] ?? stuck;
    let caughtIn: number | undefined;
    for (let seed = 0; seed < SEEDS && caughtIn === undefined; seed++) {
      if (finding(await hostile(seed)) !== undefined) caughtIn = seed;
      expect(finding(await peaceful(seed))).toBeUndefined();
    }
    expect(caughtIn).toBeDefined();
  });
});
