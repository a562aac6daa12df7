/** The door by itself, with a clock and connections of the test's making: who has to wait, who gives way. */
import { EventEmitter } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { Door } from '../../src/api/door.ts';
import { type ApiLimits, DEFAULT_API_LIMITS } from '../../src/api/limits.ts';

class FakeSocket extends EventEmitter {
  destroyed = false;
  readonly remoteAddress: string;

  constructor(remoteAddress: string) {
    super();
    this.remoteAddress = remoteAddress;
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

function fixture(limits: Partial<ApiLimits>) {
  const clock = { now: 0 };
  const door = new Door({ ...DEFAULT_API_LIMITS, ...limits }, () => clock.now);
  const server = new EventEmitter();
  door.attach(server as Server);
  const come = (address: string): FakeSocket => {
    const socket = new FakeSocket(address);
    server.emit('connection', socket);
    return socket;
  };
  /** One request and its answer; the code of the refusal, if it is refused. */
  const ask = async (socket: FakeSocket): Promise<string | undefined> => {
    const answer = new EventEmitter();
    try {
      await door.enter({ socket } as unknown as IncomingMessage, answer as ServerResponse);
      return undefined;
    } catch (error) {
      return (error as { code: string }).code;
    } finally {
      answer.emit('close');
    }
  };
  return { clock, door, come, ask };
}

it('an address may always ask a little, however much all others ask', async () => {
  const limits = { calmRequestsPerSecond: 2, sharedRequestsPerSecond: 10, maxWaitMs: 0 };
  const { clock, come, ask } = fixture(limits);
  const seen: (string | undefined)[] = [];
  for (let i = 0; i < 20; i++) {
    const socket = come(`10.0.0.${i}`);
    for (let n = 0; n < 10; n++) seen.push(await ask(socket));
  }
  // 4 of each address at once, and 20 that they share; the last of each may leave a debt behind
  const served = seen.filter((code) => code === undefined).length;
  expect(served).toBeGreaterThanOrEqual(100);
  expect(served).toBeLessThanOrEqual(121 + 20);
  expect(new Set(seen)).toEqual(new Set([undefined, 'API_RATE']));
  expect(await ask(come('10.0.1.1'))).toBeUndefined();
  clock.now += 500;
  expect(await ask(come('10.0.0.1'))).toBeUndefined();
});

it('new connections of one address beyond its rate are closed, and those of others are not', () => {
  const { come } = fixture({ connectionsPerSecondPerAddress: 2 });
  const crowd = Array.from({ length: 20 }, () => come('10.0.0.1'));
  const open = crowd.filter(({ destroyed }) => !destroyed).length;
  expect(open).toBeGreaterThanOrEqual(8);
  expect(open).toBeLessThanOrEqual(9);
  expect(come('10.0.0.2').destroyed).toBe(false);
});

it('where all places are taken, the address with the most idle connections gives way', () => {
  const { come } = fixture({ maxConnections: 6 });
  const lonely = come('10.0.0.1');
  const crowd = Array.from({ length: 5 }, () => come('10.0.0.2'));
  const late = [come('10.0.0.3'), come('10.0.0.4')];
  expect([lonely, ...late].some(({ destroyed }) => destroyed)).toBe(false);
  expect(crowd.map(({ destroyed }) => destroyed)).toEqual([true, true, false, false, false]);
});

it('large bodies wait until what was refused is paid for, and not too many of them', async () => {
  const { clock, door } = fixture({ maxSubmissions: 1, submissionShare: 0.2, submissionBurstMs: 200 });
  door.submissions.charge(210);
  let read = false;
  const first = door.submissions.run(() => {
    read = true;
  });
  await expect(door.submissions.run(() => 1)).rejects.toMatchObject({ code: 'API_BUSY' });
  expect(read).toBe(false);
  clock.now += 50;
  await first;
  expect(read).toBe(true);
});
