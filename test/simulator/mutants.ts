/**
 * Deliberately broken variants of the code under test: each is the production source with a few exact
 * replacements, bundled with the simulator. A simulator that does not catch them proves nothing by finding
 * nothing.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import type { Scenario } from './scenario.ts';
import type { RunResult } from './world.ts';

interface Patch {
  /** Under src/consensus. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Mutant {
  readonly name: string;
  readonly patches: readonly Patch[];
  /** Replaces parts of the seeds' scenarios, to get at what chance rarely finds. */
  readonly scenario?: Partial<Scenario>;
}

const noGuard = (rule: string): Patch => ({
  file: 'signer.ts',
  find: `refuse('${rule}')`,
  replace: 'undefined',
});

/** Somebody is always being restarted, and too little is heard to finalise much. */
const RESTLESS: Partial<Scenario> = {
  loss: 0.3,
  trouble: 9_000,
  crashes: Array.from({ length: 40 }, (_, i) => ({ at: 200 * (i + 5), node: 3 * i, downtime: 50 })),
};

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'a simple majority is a quorum',
    patches: [
      {
        file: 'validator-set.ts',
        find: '3n * stake > 2n * totalStake',
        replace: '2n * stake > totalStake',
      },
    ],
  },
  {
    name: 'F is signed after X',
    patches: [
      noGuard('SIGN_FINALIZE_AFTER_NULLIFY'),
      {
        file: 'engine/views.ts',
        find: 'round.view <= state.floor || round.own[NULLIFY] || round.own[FINALIZE]',
        replace: 'round.view <= state.floor || round.own[FINALIZE]',
      },
    ],
  },
  {
    name: 'the skipped views of a proposal need not be nullified',
    scenario: { adversary: 'conflicter', specialty: 'stale-parent', loss: 0.2, maxDelay: 60 },
    patches: [
      {
        file: 'engine/tasks.ts',
        find: 'if (gaps.length > 0 || parent === undefined) return;',
        replace: 'if (parent === undefined) return;',
      },
    ],
  },
  {
    name: 'F is given before the block is executed',
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
    name: 'votes leave before the fsync',
    scenario: RESTLESS,
    patches: [
      {
        file: 'signer.ts',
        find: 'return this.#journal.commit().then(() => vote);',
        replace: 'this.#journal.commit().catch(() => undefined); return Promise.resolve(vote);',
      },
      { file: 'replica.ts', find: 'await this.#journal?.commit();', replace: '' },
    ],
  },
  {
    name: 'own votes are not journaled',
    patches: [{ file: 'signer.ts', find: "this.#journal.append({ type: 'vote', vote });", replace: '' }],
  },
  {
    name: 'the journal does not sync its batches',
    patches: [
      {
        file: 'journal/journal.ts',
        find: 'await this.#disk.sync(this.#segment);',
        replace: '',
      },
    ],
  },
  {
    name: 'the mark is written before the sync',
    patches: [
      {
        file: 'journal/journal.ts',
        find: 'await this.#disk.sync(this.#segment);',
        replace:
          'await writeMark(this.#disk, { index: this.#index, salt: this.#salt, end: this.#size + BATCH_HEADER_BYTES + length }); await this.#disk.sync(this.#segment);',
      },
    ],
  },
  {
    name: 'the directory is not synced after a rename',
    patches: [
      {
        file: 'journal/journal.ts',
        find: 'await this.#disk.rename(temporary, name);\n    await this.#disk.syncDirectory();',
        replace: 'await this.#disk.rename(temporary, name);',
      },
    ],
  },
  {
    name: 'a checkpoint leaves own votes out',
    scenario: RESTLESS,
    patches: [
      {
        file: 'journal/state.ts',
        find: "for (const vote of this.#votes.get(view) ?? []) yield { type: 'vote', vote };",
        replace: '',
      },
    ],
  },
  {
    name: 'replayed own votes are not counted and not sent',
    scenario: RESTLESS,
    patches: [
      {
        file: 'engine/recovery.ts',
        find: 'round.count(vote, state.options.set);',
        replace: '',
      },
      {
        file: 'engine/recovery.ts',
        find: 'sendOwn(state, round, vote);',
        replace: 'void sendOwn;',
      },
    ],
  },
  {
    name: 'nothing is ever sent again or fetched',
    patches: [
      {
        file: 'engine/standstill.ts',
        find: 'for (let sent = round.view === from.view ? from.sent : 0; sent < items.length; sent++) {',
        replace: 'for (let sent = items.length; sent < items.length; sent++) {',
      },
      {
        file: 'replica.ts',
        find: 'network.requestCertificate(effect.query, effect.preferred);',
        replace: '',
      },
      {
        file: 'engine/views.ts',
        find: "if (vote !== undefined) state.emit({ type: 'send-vote', vote });",
        replace: 'return USEFUL;',
      },
    ],
  },
  {
    name: 'signatures in certificates are not verified',
    patches: [
      {
        file: 'certificate.ts',
        find: 'if (!verifier.verify(signature, message, set.validators[signer]!.publicKey)) {',
        replace: 'if (message.length === 0) {',
      },
    ],
  },
  {
    name: 'a leader proposes again after a restart',
    scenario: RESTLESS,
    patches: [
      noGuard('SIGN_CONFLICT'),
      {
        file: 'engine/recovery.ts',
        find: 'round.own[vote.subject.kind] = true;',
        replace: '',
      },
      {
        file: 'engine/recovery.ts',
        find: 'round.proposal = vote.subject.proposal;',
        replace: 'round.proposal = undefined;',
      },
    ],
  },
];

const here = fileURLToPath(new URL('.', import.meta.url));

/** The simulator around the patched source. Throws if a patch does not fit the source any more. */
export async function loadVariant({
  patches,
  scenario,
}: Omit<Mutant, 'name'>): Promise<(seed: number) => Promise<RunResult>> {
  const pending = new Set(patches);
  const bundle = await build({
    stdin: {
      contents: `import { runScenario } from './world.ts';
        import { scenarioOf } from './scenario.ts';
        export const run = (seed, changes) => runScenario({ ...scenarioOf(seed), ...changes });`,
      resolveDir: here,
    },
    bundle: true,
    platform: 'node',
    format: 'esm',
    write: false,
    logLevel: 'silent',
    plugins: [
      {
        name: 'patch',
        setup: ({ onLoad }) => {
          onLoad({ filter: /[\\/]src[\\/]consensus[\\/].*\.ts$/ }, async ({ path }) => {
            let contents = await readFile(path, 'utf8');
            for (const patch of patches) {
              if (!path.replaceAll('\\', '/').endsWith(`/src/consensus/${patch.file}`)) continue;
              if (!contents.includes(patch.find)) throw new Error(`nothing to patch in ${patch.file}`);
              contents = contents.replace(patch.find, () => patch.replace);
              pending.delete(patch);
            }
            return { contents, loader: 'ts' };
          });
        },
      },
    ],
  });
  if (pending.size > 0) throw new Error(`patches were not applied: ${[...pending].map(({ file }) => file)}`);
  const directory = await mkdtemp(join(tmpdir(), 'kryder-variant-'));
  try {
    const file = join(directory, 'variant.mjs');
    await writeFile(file, bundle.outputFiles[0]!.contents);
    const loaded = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as {
      run: (seed: number, changes: Partial<Scenario>) => Promise<RunResult>;
    };
    return (seed) => loaded.run(seed, scenario ?? {});
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
