import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { EXIT } from '../../src/cli/output.ts';
import { configurationPage } from '../../src/config/markdown.ts';
import { resolveSettings } from '../../src/config/resolve.ts';

it('docs/configuration.md is what the tables say: run `npm run docs`', async () => {
  expect(await readFile('docs/configuration.md', 'utf8')).toBe(configurationPage());
});

it('its example of a settings file is one', async () => {
  const page = await readFile('docs/configuration.md', 'utf8');
  const [example] = /^ {4}\{\n[\s\S]*?\n {4}\}$/m.exec(page) ?? [];
  const content = JSON.parse(example!) as Record<string, unknown>;
  const { origins } = resolveSettings({ file: { path: 'node.json', content } });
  expect(Object.values(origins).filter(({ from }) => from === 'file')).toHaveLength(8);
});

it('the table of exit statuses in the README is that of the code', async () => {
  const readme = await readFile('README.md', 'utf8');
  const [table = ''] = /^\| exit status[\s\S]*?\n\n/m.exec(readme) ?? [];
  const rows = [...table.matchAll(/^\| (\d+) \| (.+) \|$/gm)];
  expect(rows.map(([, status]) => Number(status))).toEqual(Object.values(EXIT));
});
