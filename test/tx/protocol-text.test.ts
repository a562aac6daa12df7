import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { DOMAIN } from '../../src/codec/domains.ts';
import { goldenClaims, goldenTransfer } from './golden.ts';
import { listClaims, listTransfer, workedExamples } from './worked-examples.ts';

const specification = () => readFile(new URL('../../docs/protocol.md', import.meta.url), 'utf8');

describe('docs/protocol.md', () => {
  test('its listings are whole: their pieces join to the transactions', () => {
    expect(listTransfer().bytes()).toEqual(goldenTransfer().bytes);
    expect(listClaims().bytes()).toEqual(goldenClaims().bytes);
  });

  test.each(Object.entries(workedExamples()))(
    'quotes the worked example "%s" as the code makes it',
    async (_, text) => {
      expect(await specification()).toContain(text);
    },
  );

  test('lists every domain tag', async () => {
    const text = await specification();
    for (const tag of Object.values(DOMAIN)) expect(text).toContain(`\`${String.fromCharCode(...tag)}\``);
  });
});
