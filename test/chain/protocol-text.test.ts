import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { PARAMETER_RULES } from '../../src/chain/genesis.ts';
import { workedExamples } from './examples.ts';

const specification = await readFile(new URL('../../docs/protocol.md', import.meta.url), 'utf8');

test.each(Object.entries(workedExamples()))(
  'docs/protocol.md quotes the %s as the code makes it',
  (_, text) => {
    expect(specification).toContain(text);
  },
);

test('docs/protocol.md lists every parameter in its place', () => {
  const rows = [...specification.matchAll(/^\| (\d+) \| `(\w+)` \|/gm)].map(([, at, name]) => [
    Number(at),
    name,
  ]);
  for (const [at, { name }] of PARAMETER_RULES.entries()) expect(rows).toContainEqual([at, name]);
});
