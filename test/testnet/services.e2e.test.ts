/** Owner and steward as services against real nodes on loopback, killed and started again. */
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEVNET_PARAMETERS } from '../../src/chain/genesis.ts';
import { Child } from '../../src/story/child.ts';
import {
  createDevnet,
  type Devnet,
  faucetFileOf,
  genesisFileOf,
  startDevnet,
} from '../../src/story/devnet.ts';
import { freePorts } from '../../src/story/ports.ts';

const WAIT_MS = 40_000;

let dir: string;
let devnet: Devnet;
let door: number;
const people: Child[] = [];

async function person(role: 'owner' | 'steward', args: readonly string[]): Promise<Child> {
  const folder = join(dir, role);
  await mkdir(folder, { recursive: true });
  const child = await Child.start({
    name: `the ${role}`,
    args: ['testnet', role, '--dir', folder, '--genesis', genesisFileOf(join(dir, 'net')), ...args],
    log: join(dir, `${role}.log`),
  });
  people.push(child);
  return child;
}

const owner = (): Promise<Child> =>
  person('owner', [
    ...['--api', devnet.nodes[0]!.api, '--check', devnet.nodes[1]!.api, '--blob', join(dir, 'blob')],
    ...['--door', `127.0.0.1:${door}`, '--every', '1'],
  ]);
const steward = (): Promise<Child> => person('steward', ['--api', devnet.nodes[1]!.api]);

async function kill(child: Child): Promise<void> {
  process.kill(child.pid, 'SIGKILL');
  await child.exited;
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kryder services ü-'));
  await writeFile(join(dir, 'blob'), 'what the owner wants kept');
  const net = join(dir, 'net');
  const parameters = { ...DEVNET_PARAMETERS, blockInterval: 200, txLifetime: 20, leastClaimWindow: 20 };
  await createDevnet(net, { validators: 2, followers: 0, parameters });
  devnet = await startDevnet(net, {
    logLevel: 'info',
    signal: AbortSignal.timeout(80_000),
    report: () => {},
  });
  [door] = (await freePorts(1)) as [number];
  await mkdir(join(dir, 'owner'));
  await copyFile(faucetFileOf(net), join(dir, 'owner', 'account.key.json'));
}, 120_000);

afterAll(async () => {
  await Promise.all(people.map((child) => child.stop()));
  await devnet.stop();
  await rm(dir, { recursive: true, force: true });
});

describe('owner and steward as services', () => {
  it('settle one bounty after the other', async () => {
    const [first, second] = await Promise.all([owner(), steward()]);
    await first.waitFor('advert', WAIT_MS);
    await Promise.all([second.waitFor('stored', WAIT_MS), first.waitFor('served', WAIT_MS)]);
    for (let i = 0; i < 2; i++) {
      const { claimed, tx } = await second.waitFor('claimed', WAIT_MS);
      const { bounty } = await first.waitFor('bounty', WAIT_MS);
      expect((bounty as { id: string }).id).toBe(claimed);
      expect((await first.waitFor('verified', WAIT_MS)).verified).toBe(tx);
    }
  });

  it('go on after a SIGKILL with the steward and the copy that they had', async () => {
    for (const child of people.splice(0)) await kill(child);
    const [first, second] = await Promise.all([owner(), steward()]);
    const { tx } = await second.waitFor('claimed', WAIT_MS);
    expect((await first.waitFor('verified', WAIT_MS)).verified).toBe(tx);
    expect(first.leftover('advert')).toBeUndefined();
    expect(second.leftover('stored')).toBeUndefined();
  });

  it('wait for a node that is away, and work again when it is back', async () => {
    const [first, second] = people as [Child, Child];
    const { dir: folder, child } = devnet.nodes[1]!;
    await kill(child);
    const back = await Child.start({
      name: 'node 1',
      args: ['node', '--dir', folder, '--supervised', '--json'],
      log: join(folder, 'node.log'),
    });
    people.push(back);
    await back.waitFor('ready', WAIT_MS);
    const bounty = await first.waitFor('bounty', WAIT_MS);
    expect(bounty.height).toBeGreaterThan(0);
    await second.waitFor('claimed', WAIT_MS);
    await first.waitFor('verified', WAIT_MS);
  });

  it('does not use a copy that has gone bad, and takes the blob again when it is offered', async () => {
    const second = people[1]!;
    await kill(second);
    people.splice(1, 1);
    const [name] = (await readdir(join(dir, 'steward'))).filter((file) => /^[0-9a-f]{64}$/.test(file));
    await writeFile(join(dir, 'steward', name!), 'what the owner wants kopt');
    const again = await steward();
    // The bounties on the damaged copy expire; the owner then looks for a steward, and finds the same one.
    await again.waitFor('stored', WAIT_MS);
    await again.waitFor('claimed', WAIT_MS);
    expect(await readFile(join(dir, 'steward.log'), 'utf8')).toContain('damaged');
  });

  it('end in order when they are told to', async () => {
    for (const child of people) expect((await child.stop()).code).toBe(0);
  });
});
