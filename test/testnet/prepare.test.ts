import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex } from '../../src/codec/bytes.ts';
import { loadSettings } from '../../src/config/file.ts';
import { openDataDirectory, readGenesisFile } from '../../src/node/data-directory.ts';
import { PLAIN_ACCESS, readKeyFile } from '../../src/node/keys/key-file.ts';
import { prepareTestnet, readTestnetPlan } from '../../src/testnet/prepare.ts';

const PLAN = fileURLToPath(new URL('../../genesis/testnet.json', import.meta.url));

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kryder testnet ü-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** Every file below `dir` with its contents. */
async function contents(): Promise<Map<string, string>> {
  const out = new Map<string, string>();
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) out.set(path.slice(dir.length + 1), await readFile(path, 'utf8'));
  }
  return out;
}

describe('the files of a testnet', () => {
  it('gives each member what it needs and nothing of the others', async () => {
    const { genesisHash, genesisFile, unchanged } = await prepareTestnet(dir, await readTestnetPlan(PLAN));
    expect(unchanged).toBe(false);
    expect(genesisHash).toMatch(/^[0-9a-f]{64}$/);
    const files = [...(await contents()).keys()].sort();
    const node = ['genesis.json', 'host.key.json', 'node.json'];
    expect(files).toEqual(
      [
        'genesis/genesis.json',
        'owner/account.key.json',
        ...node.map((name) => `follower/${name}`),
        ...[0, 1, 2, 3].flatMap((i) =>
          [...node, 'consensus.key.json', 'signing.json'].map((name) => `validator-${i}/${name}`),
        ),
      ].sort(),
    );
    const genesis = await readGenesisFile(genesisFile);
    const owner = await readKeyFile(join(dir, 'owner/account.key.json'), 'account', PLAIN_ACCESS);
    expect(genesis.accounts).toEqual([{ address: owner.key.publicKey, amount: 1_000_000_000_000n }]);
    for (const [i, { publicKey }] of genesis.validators.entries()) {
      const { consensusKey } = await openDataDirectory(join(dir, `validator-${i}`), PLAIN_ACCESS);
      const { settings } = await loadSettings(join(dir, `validator-${i}`));
      expect(toHex(consensusKey!.key.publicKey)).toBe(toHex(publicKey));
      expect(settings.announce).toEqual([`/dns4/validator-${i}/tcp/7300`]);
      expect(settings.bootstrap).toHaveLength(1);
    }
    expect((await openDataDirectory(join(dir, 'follower'), PLAIN_ACCESS)).consensusKey).toBeUndefined();
  });

  it('keeps everything when it is run again', async () => {
    const plan = await readTestnetPlan(PLAN);
    const first = await prepareTestnet(dir, plan);
    const before = await contents();
    expect(await prepareTestnet(dir, plan)).toEqual({ ...first, unchanged: true });
    expect(await contents()).toEqual(before);
  });

  it('completes what a run that was killed has left, whatever that is', async () => {
    const plan = await readTestnetPlan(PLAN);
    await prepareTestnet(dir, plan);
    const whole = await contents();
    // A run writes keys, then the genesis, then the data directories: cut it off after every file.
    const order = [
      ...[0, 1, 2, 3].map((i) => `validator-${i}/consensus.key.json`),
      'owner/account.key.json',
      'genesis/genesis.json',
      ...[0, 1, 2, 3].flatMap((i) =>
        ['node.json', 'host.key.json', 'signing.json', 'genesis.json'].map(
          (name) => `validator-${i}/${name}`,
        ),
      ),
      ...['node.json', 'host.key.json', 'genesis.json'].map((name) => `follower/${name}`),
    ];
    expect(new Set(order)).toEqual(new Set(whole.keys()));
    for (let kept = 0; kept < order.length; kept++) {
      for (const name of order.slice(kept)) await rm(join(dir, name), { force: true });
      const { unchanged } = await prepareTestnet(dir, plan);
      expect(unchanged, `after ${kept} files`).toBe(false);
      const now = await contents();
      expect(new Set(now.keys())).toEqual(new Set(order));
      for (const name of order.slice(0, kept)) expect(now.get(name), name).toBe(whole.get(name));
      for (const i of [0, 1, 2, 3]) await openDataDirectory(join(dir, `validator-${i}`), PLAIN_ACCESS);
      for (const [name, text] of now) whole.set(name, text);
    }
  });

  it('never makes a second chain beside members of the first', async () => {
    const plan = await readTestnetPlan(PLAN);
    const first = await prepareTestnet(dir, plan);
    await rm(join(dir, 'genesis'), { recursive: true });
    expect(await prepareTestnet(dir, plan)).toEqual({ ...first, unchanged: false });
    const other = join(dir, 'other');
    await prepareTestnet(other, plan);
    await copyFile(join(other, 'follower/genesis.json'), join(dir, 'follower/genesis.json'));
    await expect(prepareTestnet(dir, plan)).rejects.toMatchObject({ code: 'GENESIS_MISMATCH' });
  });

  it('refuses keys that are not those of the genesis, and plans that are none', async () => {
    const plan = await readTestnetPlan(PLAN);
    for (const lost of ['validator-1', 'owner']) {
      const testnet = join(dir, `without ${lost}`);
      await prepareTestnet(testnet, plan);
      await rm(join(testnet, lost), { recursive: true });
      await expect(prepareTestnet(testnet, plan)).rejects.toMatchObject({ code: 'GENESIS_MISMATCH' });
    }
    const bad = join(dir, 'plan.json');
    for (const text of ['', '{', '[]', '{"name":"x"}', `{"a":"${'x'.repeat(70_000)}"}`]) {
      await writeFile(bad, text);
      await expect(readTestnetPlan(bad)).rejects.toMatchObject({ code: 'TESTNET_PLAN' });
    }
    const good = JSON.parse(await readFile(PLAN, 'utf8')) as object;
    await writeFile(bad, JSON.stringify({ ...good, parameters: { blockInterval: '0' } }));
    await expect(
      readTestnetPlan(bad).then((odd) => prepareTestnet(join(dir, 'odd'), odd)),
    ).rejects.toMatchObject({
      code: 'GENESIS_INVALID',
    });
    await expect(readTestnetPlan(join(dir, 'none'))).rejects.toMatchObject({ code: 'TESTNET_PLAN' });
  });
});
