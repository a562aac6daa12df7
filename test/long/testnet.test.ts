/**
 * docker-compose.yml as a user runs it: from nothing to a settled bounty, one validator killed and back, everything
 * taken down and started again on its volumes. Needs a container engine (`docker info` answers) and either
 * `docker compose` or `docker-compose`; where there is none it says so and does not run.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toHex } from '../../src/codec/bytes.ts';
import { tagOfFile } from '../../src/node/challenge-file.ts';
import { freePorts } from '../../src/story/ports.ts';
import { until } from '../until.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const UP_MS = 15 * 60_000;

async function answers(command: string, ...args: string[]): Promise<boolean> {
  return run(command, args, { timeout: 20_000 }).then(
    () => true,
    () => false,
  );
}

/** The words that compose is called with, or undefined without an engine. */
async function composeCommand(): Promise<readonly string[] | undefined> {
  if (!(await answers('docker', 'info'))) return undefined;
  if (await answers('docker', 'compose', 'version')) return ['docker', 'compose'];
  return (await answers('docker-compose', 'version')) ? ['docker-compose'] : undefined;
}

const compose = await composeCommand();
if (compose === undefined) {
  process.stderr.write('The testnet in containers was NOT tested: no container engine answers here.\n');
}

interface BountyJson {
  readonly id: string;
  readonly status: string;
  readonly transaction?: string;
}

describe.skipIf(compose === undefined)('the testnet in containers', () => {
  const project = `kryder-test-${toHex(new Uint8Array(randomBytes(4)))}`;
  const image = `${project}:local`;
  let api = '';
  let tag = '';
  let environment: NodeJS.ProcessEnv = {};

  async function call(...args: string[]): Promise<string> {
    const [command, ...first] = [...compose!, '-p', project, ...args];
    const options = { cwd: ROOT, env: environment, timeout: UP_MS, maxBuffer: 64 * 1024 ** 2 };
    return (await run(command!, first, options)).stdout;
  }

  async function get<T>(path: string): Promise<T> {
    const response = await fetch(`${api}${path}`, { signal: AbortSignal.timeout(10_000) });
    expect(response.status, path).toBe(200);
    return (await response.json()) as T;
  }

  const height = async (): Promise<number> => (await get<{ height: number }>('/v1/status')).height;

  async function claimed(): Promise<BountyJson[]> {
    const { bounties } = await get<{ bounties: BountyJson[] }>(`/v1/tags/${tag}/bounties`);
    return bounties.filter(({ status }) => status === 'claimed');
  }

  /** What a validator itself says: its API is reachable only inside the network. */
  async function statusOf(service: string): Promise<{ height: number; peers: unknown[] }> {
    return JSON.parse(await call('exec', '-T', service, 'kryder', 'status', '--json')) as {
      height: number;
      peers: unknown[];
    };
  }

  beforeAll(async () => {
    const [port] = await freePorts(1);
    api = `http://127.0.0.1:${port}`;
    environment = {
      ...process.env,
      KRYDER_API_PORT: String(port),
      KRYDER_IMAGE: image,
      KRYDER_BOUNTY_EVERY: '5',
    };
    tag = toHex((await tagOfFile(fileURLToPath(new URL('../../LICENSE', import.meta.url)))).tag);
    await call('up', '-d', '--build');
  }, UP_MS);

  afterAll(async () => {
    await call('down', '-v', '--remove-orphans');
    await run('docker', ['image', 'rm', image]).catch(() => undefined);
  }, 300_000);

  it('comes from nothing to a settled bounty, with secrets only where they belong', async () => {
    await until('a bounty is claimed', async () => (await claimed()).length > 0, 180_000);
    expect(await get('/v1/supply')).toMatchObject({ balanced: true });
    const files = await call('exec', '-T', 'follower', 'ls', '/data');
    expect(files).toContain('host.key.json');
    expect(files).not.toContain('consensus.key.json');
    expect(await call('exec', '-T', 'validator-0', 'id', '-u')).not.toBe('0\n');
    expect(await call('exec', '-T', 'steward', 'ls', '/genesis')).toBe('genesis.json\n');
  });

  it('goes on while a validator is dead, which is level again when it is back', async () => {
    const before = await height();
    await call('kill', 'validator-2');
    await until('blocks without it', async () => (await height()) >= before + 5, 120_000);
    await call('start', 'validator-2');
    await until(
      'it is level',
      async () => (await statusOf('validator-2')).height >= (await height()) - 1,
      120_000,
    );
  });

  it('is stopped and started again on its volumes, with nothing lost', async () => {
    const settled = await claimed();
    const first = await get<{ hash: string }>('/v1/blocks/1?transactions=0');
    const last = await height();
    await call('down');
    await call('up', '-d');
    await until('the chain goes on', async () => (await height()) > last + 2, 180_000);
    expect(await get('/v1/blocks/1?transactions=0')).toEqual(first);
    const again = await claimed();
    for (const bounty of settled) expect(again).toContainEqual(bounty);
    await until(
      'another bounty is claimed',
      async () => (await claimed()).some(({ id }) => !settled.some((old) => old.id === id)),
      180_000,
    );
    expect(await get('/v1/supply')).toMatchObject({ balanced: true });
  });

  it('stops in order within its grace period', async () => {
    await call('stop');
    const ids = (await call('ps', '-a', '-q')).trim().split('\n');
    const { stdout } = await run('docker', [
      'inspect',
      '--format',
      '{{index .Config.Labels "com.docker.compose.service"}} {{.State.ExitCode}} {{.State.OOMKilled}}',
      ...ids,
    ]);
    for (const line of stdout.trim().split('\n')) expect(line).toMatch(/^[\w-]+ 0 false$/);
  });
});
