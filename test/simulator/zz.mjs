// test/simulator/mutants.ts
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
var noGuard = (rule) => ({
  file: "signer.ts",
  find: `refuse('${rule}')`,
  replace: "undefined"
});
var MUTANTS = [
  {
    name: "a simple majority is a quorum",
    patches: [
      {
        file: "validator-set.ts",
        find: "3n * stake > 2n * totalStake",
        replace: "2n * stake > totalStake"
      }
    ]
  },
  {
    name: "F is signed after X",
    patches: [
      noGuard("SIGN_FINALIZE_AFTER_NULLIFY"),
      {
        file: "engine/views.ts",
        find: "round.view <= state.floor || round.own[NULLIFY] || round.own[FINALIZE]",
        replace: "round.view <= state.floor || round.own[FINALIZE]"
      }
    ]
  },
  {
    name: "the skipped views of a proposal need not be nullified",
    scenario: { adversary: "conflicter", specialty: "stale-parent", loss: 0.2, maxDelay: 60 },
    patches: [
      {
        file: "engine/tasks.ts",
        find: "if (gaps.length > 0 || parent === undefined) return;",
        replace: "if (parent === undefined) return;"
      }
    ]
  },
  {
    name: "F is given before the block is executed",
    patches: [
      {
        file: "engine/acceptance.ts",
        find: "  state.uncertified.add(round.view);\n",
        replace: "  round.verdict = true; round.own[3] = true;\n  if (state.options.self !== undefined) state.emit({ type: 'sign', subject: { kind: 3, proposal } });\n  enter(state, round.view + 1, certificate);\n"
      }
    ]
  },
  {
    name: "votes leave before the fsync",
    patches: [
      {
        file: "signer.ts",
        find: "return this.#journal.commit().then(() => vote);",
        replace: "this.#journal.commit().catch(() => undefined); return Promise.resolve(vote);"
      },
      { file: "replica.ts", find: "await this.#journal?.commit();", replace: "" }
    ]
  },
  {
    name: "own votes are not journaled",
    patches: [{ file: "signer.ts", find: "this.#journal.append({ type: 'vote', vote });", replace: "" }]
  },
  {
    name: "the journal does not sync its batches",
    patches: [
      {
        file: "journal/journal.ts",
        find: "await this.#disk.sync(this.#segment);",
        replace: ""
      }
    ]
  },
  {
    name: "the directory is not synced after a rename",
    patches: [
      {
        file: "journal/journal.ts",
        find: "await this.#disk.rename(temporary, name);\n    await this.#disk.syncDirectory();",
        replace: "await this.#disk.rename(temporary, name);"
      }
    ]
  },
  {
    name: "a checkpoint leaves own votes out",
    patches: [
      {
        file: "journal/state.ts",
        find: "for (const vote of this.#votes.get(view) ?? []) yield { type: 'vote', vote };",
        replace: ""
      }
    ]
  },
  {
    name: "replayed own votes are not counted and not sent",
    patches: [
      {
        file: "engine/recovery.ts",
        find: "round.count(vote, state.options.set);",
        replace: ""
      },
      {
        file: "engine/recovery.ts",
        find: "sendOwn(state, round, vote);",
        replace: "void sendOwn;"
      }
    ]
  },
  {
    name: "nothing is ever sent again or fetched",
    patches: [
      {
        file: "engine/standstill.ts",
        find: "for (let sent = round.view === from.view ? from.sent : 0; sent < items.length; sent++) {",
        replace: "for (let sent = items.length; sent < items.length; sent++) {"
      },
      {
        file: "replica.ts",
        find: "network.requestCertificate(effect.query, effect.preferred);",
        replace: ""
      },
      {
        file: "engine/views.ts",
        find: "if (vote !== undefined) state.emit({ type: 'send-vote', vote });",
        replace: "return USEFUL;"
      }
    ]
  },
  {
    name: "signatures in certificates are not verified",
    patches: [
      {
        file: "certificate.ts",
        find: "if (!verifier.verify(signature, message, set.validators[signer]!.publicKey)) {",
        replace: "if (message.length === 0) {"
      }
    ]
  },
  {
    name: "a leader proposes again after a restart",
    patches: [
      noGuard("SIGN_CONFLICT"),
      {
        file: "engine/recovery.ts",
        find: "round.own[vote.subject.kind] = true;",
        replace: ""
      },
      {
        file: "engine/recovery.ts",
        find: "round.proposal = vote.subject.proposal;",
        replace: "round.proposal = undefined;"
      }
    ]
  }
];
var here = fileURLToPath(new URL(".", import.meta.url));
async function loadVariant({
  patches,
  scenario
}) {
  const pending = new Set(patches);
  const bundle = await build({
    stdin: {
      contents: `import { runScenario } from './world.ts';
        import { scenarioOf } from './scenario.ts';
        export const run = (seed, changes) => runScenario({ ...scenarioOf(seed), ...changes });`,
      resolveDir: here
    },
    bundle: true,
    platform: "node",
    format: "esm",
    write: false,
    logLevel: "silent",
    plugins: [
      {
        name: "patch",
        setup: ({ onLoad }) => {
          onLoad({ filter: /[\\/]src[\\/]consensus[\\/].*\.ts$/ }, async ({ path }) => {
            let contents = await readFile(path, "utf8");
            for (const patch of patches) {
              if (!path.replaceAll("\\", "/").endsWith(`/src/consensus/${patch.file}`)) continue;
              if (!contents.includes(patch.find)) throw new Error(`nothing to patch in ${patch.file}`);
              contents = contents.replace(patch.find, () => patch.replace);
              pending.delete(patch);
            }
            return { contents, loader: "ts" };
          });
        }
      }
    ]
  });
  if (pending.size > 0) throw new Error(`patches were not applied: ${[...pending].map(({ file }) => file)}`);
  const directory = await mkdtemp(join(tmpdir(), "kryder-variant-"));
  try {
    const file = join(directory, "variant.mjs");
    await writeFile(file, bundle.outputFiles[0].contents);
    const loaded = await import(
      /* @vite-ignore */
      pathToFileURL(file).href
    );
    return (seed) => loaded.run(seed, scenario ?? {});
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

// test/simulator/zz.ts
var only = process.argv[2];
var from = Number(process.argv[3] ?? 0);
var to = Number(process.argv[4] ?? 10);
for (const m of MUTANTS) {
  if (!m.name.includes(only)) continue;
  const run = await loadVariant(m);
  let t = Date.now(), hits = 0, first = -1, what = "";
  for (let s = from; s < to; s++) {
    const r = await run(s);
    if (r.violations.length || r.stuck) {
      hits++;
      if (first < 0) {
        first = s;
        what = r.violations[0] ?? "stuck " + r.stuck;
      }
    }
  }
  console.log(`${m.name}: first ${first}, ${hits}, ${Date.now() - t} ms: ${what}`);
}
