/** A seed of the simulator, with a scenario that may be sharpened. */
import { type Scenario, scenarioOf } from '../../scenario.ts';
import { runScenario } from '../../world.ts';
import type { Finding } from '../mutant.ts';

/** What the oracle says, by what it says it of. */
const INVARIANTS: readonly (readonly [RegExp, string])[] = [
  [/signed two [NF] in view/, 'an honest key signs one N and one F a view'],
  [/signed X and F in view/, 'an honest key never signs X and F in one view'],
  [/two (notarizations|finalizations) in view/, 'one notarization and one finalization a view'],
  [/X and F certificates in view/, 'X and F certificates of one view never coexist'],
  [/notarized and finalised differently/, 'one notarization and one finalization a view'],
  [/is signed by .* of/, 'a certificate has more than two thirds of the stake'],
  [/carries a wrong signature/, 'a certificate has right signatures'],
  [/another block or state at height/, 'agreement'],
  [/finalised an invalid block/, 'an invalid block is never final'],
  [/where .* was due/, 'heights follow one another'],
  [/stands on view|nobody nullified/, 'a final block skips only nullified views'],
  [/accuses|holds evidence against/, 'only the guilty are accused'],
  [/did not start/, 'a replica starts again after every crash'],
  [/ended/, 'no replica ends'],
  [/"type":"refused"/, 'the signer never has to refuse'],
  [/"type":"conflict"/, 'agreement'],
  [/"type":"elsewhere"/, 'the journal knows every vote of its key'],
  [/"type":"application-failed"/, 'the application is asked for what is possible'],
  [/holds .* views/, 'memory is bounded'],
  [/effects waiting/, 'memory is bounded'],
  [/bytes of journal/, 'the journal is bounded'],
  [/bytes again/, 're-sends keep to their bound of bytes'],
];

function invariantOf(violation: string): string {
  const known = INVARIANTS.find(([pattern]) => pattern.test(violation));
  return known?.[1] ?? violation.replaceAll(/\d+/g, '#').slice(0, 80);
}

/** Of another committee than the seed's, what the seed says of the adversary's other validators does not hold. */
const ALONE = { accomplices: [], excess: false };

export async function run(seed: number, changes: Partial<Scenario>): Promise<Finding | undefined> {
  const { adversary, stakes } = changes;
  // An adversary that is asked for is there, in place of a machine that is lost for good.
  const drawn =
    adversary === undefined ? scenarioOf(seed) : { ...scenarioOf(seed, { adversary }), rot: undefined };
  const { violations, stuck } = await runScenario({
    ...drawn,
    ...(stakes === undefined ? {} : ALONE),
    ...changes,
  });
  const first = violations[0];
  if (first !== undefined) return { invariant: invariantOf(first), detail: first };
  if (stuck !== undefined) {
    return { invariant: 'ten finalizations within a bounded number of views after healing', detail: stuck };
  }
  return undefined;
}
