import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keyAccess, newProtection, replacementProtection } from '../../src/cli/passphrase.ts';
import { type Terminal, type TerminalInput, terminal } from '../../src/cli/terminal.ts';
import { withoutSettings } from '../../src/config/resolve.ts';

class FakeTerminal extends PassThrough implements TerminalInput {
  readonly isTTY = true;
  raw = false;
  setRawMode(raw: boolean): void {
    this.raw = raw;
  }
}

describe('a question at the terminal', () => {
  let input: FakeTerminal;
  let shown: string;
  let asking: Terminal;
  beforeEach(() => {
    input = new FakeTerminal();
    shown = '';
    asking = terminal(input, { write: (text) => (shown += text) });
  });

  const typed = async (...chunks: (string | Buffer)[]): Promise<string> => {
    const answer = asking.ask('Passphrase: ');
    expect(input.raw).toBe(true);
    for (const chunk of chunks) input.write(chunk);
    return answer;
  };

  it('shows nothing of the answer, and gives the terminal back', async () => {
    expect(await typed('secret', ' words\r')).toBe('secret words');
    expect(shown).toBe('Passphrase: \n');
    expect(input.raw).toBe(false);
    expect(input.listenerCount('data')).toBe(0);
  });

  it.each<[string, (string | Buffer)[], string]>([
    ['backspace', ['abß\u007f\bc\n'], 'ac'],
    ['erase line', ['abc\u0015def\r'], 'def'],
    ['an arrow key', ['ab', '\u001b[A', 'c\r'], 'abc'],
    ['other control characters', ['a\u0001\tb\r'], 'ab'],
    ['a letter in two pieces', [Buffer.from([0xc3]), Buffer.from([0xbc, 0x0d])], 'ü'],
    ['the end of input after text', ['abc\u0004'], 'abc'],
  ])('understands %s', async (_, chunks, answer) => {
    expect(await typed(...chunks)).toBe(answer);
  });

  it('leaves what was typed ahead to the next question', async () => {
    expect(await typed('one\rtwo\r')).toBe('one');
    expect(await asking.ask('Again: ')).toBe('two');
  });

  it.each(['\u0003', '\u0004'])('is called off by %j', async (key) => {
    await expect(typed(`${key}`)).rejects.toMatchObject({ code: 'STOPPED' });
    expect(input.raw).toBe(false);
  });

  it('is called off when the process shall stop, and when the terminal is gone', async () => {
    const controller = new AbortController();
    const answer = asking.ask('Passphrase: ', controller.signal);
    controller.abort(new Error('stopped by SIGTERM'));
    await expect(answer).rejects.toThrow('SIGTERM');
    expect(input.raw).toBe(false);
    await expect(asking.ask('Passphrase: ', controller.signal)).rejects.toThrow('SIGTERM');
    const left = asking.ask('Passphrase: ');
    input.end();
    await expect(left).rejects.toMatchObject({ code: 'STOPPED' });
  });
});

describe('where passphrases come from', () => {
  let dir: string;
  const path = (name: string): string => join(dir, name);
  /** Answers in order, and keeps the questions. */
  const somebody = (...answers: string[]): Terminal & { readonly questions: string[] } => {
    const questions: string[] = [];
    const ask = async (question: string): Promise<string> => {
      questions.push(question);
      return answers.shift() ?? 'no more answers';
    };
    return { interactive: true, ask, questions };
  };
  const nobody: Terminal = { interactive: false, ask: () => Promise.reject(new Error('nobody is there')) };

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kryder asking ü-'));
    for (const name of ['PASSPHRASE', 'PASSPHRASE_FILE', 'NEW_PASSPHRASE', 'PLAIN_KEYS']) {
      vi.stubEnv(`KRYDER_${name}`, undefined);
    }
    await writeFile(path('p'), 'from the file\n', { mode: 0o600 });
    await writeFile(path('q'), 'from another file\n', { mode: 0o600 });
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(dir, { recursive: true, force: true });
  });

  it('a named file goes first, then the environment, then whoever is there', async () => {
    const asked = somebody('typed', 'again');
    const ask = (options: object) => keyAccess(options, undefined, asked).passphrase('k.json');
    vi.stubEnv('KRYDER_PASSPHRASE', 'from the environment');
    vi.stubEnv('KRYDER_PASSPHRASE_FILE', path('q'));
    expect(await ask({ passphraseFile: path('p') })).toBe('from the file');
    expect(process.env.KRYDER_PASSPHRASE).toBeUndefined();
    vi.stubEnv('KRYDER_PASSPHRASE', 'from the environment');
    expect(await ask({})).toBe('from another file');
    vi.stubEnv('KRYDER_PASSPHRASE_FILE', '');
    vi.stubEnv('KRYDER_PASSPHRASE', 'from the environment');
    expect(await ask({})).toBe('from the environment');
    expect(asked.questions).toEqual([]);
    expect(await ask({})).toBe('typed');
    expect(asked.questions).toEqual(['Passphrase of k.json: ']);
  });

  it('the environment is read once for all keys of a command, and is empty afterwards', async () => {
    vi.stubEnv('KRYDER_PASSPHRASE', 'from the environment');
    const access = keyAccess({}, undefined, nobody);
    expect(await access.passphrase('a')).toBe('from the environment');
    expect(process.env.KRYDER_PASSPHRASE).toBeUndefined();
    expect(await access.passphrase('b')).toBe('from the environment');
  });

  it('a child process gets neither passphrases nor the settings of its parent', () => {
    const environment = {
      PATH: '/bin',
      KRYDER_PASSPHRASE: 'x',
      KRYDER_NEW_PASSPHRASE: 'y',
      KRYDER_PLAIN_KEYS: '1',
    };
    expect(withoutSettings(environment)).toEqual({ PATH: '/bin' });
  });

  it('with nobody there, the error says what to give', async () => {
    await expect(keyAccess({}, undefined, nobody).passphrase('k.json')).rejects.toMatchObject({
      code: 'PASSPHRASE_MISSING',
      exit: 2,
      advice: expect.stringContaining('--passphrase-file'),
    });
    await expect(newProtection({}, nobody)).rejects.toMatchObject({ code: 'PASSPHRASE_MISSING' });
  });

  it('a new one is typed twice, and must be long enough', async () => {
    const phrase = 'seven ships at anchor';
    expect(await newProtection({}, somebody(phrase, phrase))).toEqual({ passphrase: phrase });
    await expect(newProtection({}, somebody(phrase, 'seven ships at sea'))).rejects.toMatchObject({
      code: 'PASSPHRASE_INVALID',
      message: expect.stringContaining('differ'),
    });
    const asked = somebody('short', 'short');
    await expect(newProtection({}, asked)).rejects.toMatchObject({ code: 'PASSPHRASE_INVALID' });
    expect(asked.questions).toHaveLength(1);
    vi.stubEnv('KRYDER_NEW_PASSPHRASE', 'short');
    await expect(replacementProtection(undefined, nobody)).rejects.toMatchObject({
      code: 'PASSPHRASE_INVALID',
    });
    expect(await replacementProtection(path('q'), nobody)).toEqual({ passphrase: 'from another file' });
  });

  it('a plain file has none', async () => {
    expect(await newProtection({ plain: true }, nobody)).toBe('plain');
    await expect(newProtection({ plain: true, passphraseFile: path('p') }, nobody)).rejects.toMatchObject({
      code: 'USAGE',
    });
  });

  it('plain keys are agreed to by flag or environment, and by nothing else', () => {
    expect(keyAccess({}, undefined, nobody).plain).toBe(false);
    expect(keyAccess({ plainKeys: true }, undefined, nobody).plain).toBe(true);
    vi.stubEnv('KRYDER_PLAIN_KEYS', '1');
    expect(keyAccess({}, undefined, nobody).plain).toBe(true);
    expect(keyAccess({ plainKeys: false }, undefined, nobody).plain).toBe(false);
    vi.stubEnv('KRYDER_PLAIN_KEYS', 'yes');
    expect(() => keyAccess({}, undefined, nobody)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});
