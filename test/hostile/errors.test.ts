/** docs/errors.md has every code that the source can refuse with, and no other. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

/** Words in capitals that are no codes of ours, and what they are. */
const NO_CODES: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'of Node',
  HPE_HEADER_OVERFLOW: 'of Node',
};
/** Beginnings of names that are no codes. */
const OTHERS = [/^KRYDER_/, /^SIG/, /^ECONN|^E[A-Z]+$/];

const sources = readdirSync('src', { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));

function codesInSource(): Set<string> {
  const codes = new Set<string>();
  for (const source of sources) {
    const code = source.replace(/^\s*(\*|\/\/).*$/gm, '');
    for (const [, word] of code.matchAll(/'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)'/g)) codes.add(word!);
    for (const [, word] of code.matchAll(/(?:Protocol|Command)Error(?:<\w+>)?\(\s*'([A-Z_0-9]+)'/g)) {
      codes.add(word!);
    }
  }
  for (const word of codes) {
    if (word in NO_CODES || (OTHERS.some((form) => form.test(word)) && !word.startsWith('SIGN')))
      codes.delete(word);
  }
  return codes;
}

const page = readFileSync('docs/errors.md', 'utf8');
const documented = new Set([...page.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map(([, word]) => word!));

describe('docs/errors.md', () => {
  it('has every code', () => {
    expect([...codesInSource()].filter((code) => !documented.has(code)).sort()).toEqual([]);
  });

  it('has no code that nothing refuses with', () => {
    const text = sources.join('\n');
    expect([...documented].filter((code) => !new RegExp(`\\b${code}\\b`).test(text)).sort()).toEqual([]);
  });
});
