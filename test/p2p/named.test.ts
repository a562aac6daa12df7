/** Names instead of addresses, persistent peers, allow and deny lists: between real hosts. */
import { createServer } from 'node:net';
import { multiaddr } from '@multiformats/multiaddr';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeSignedRecord } from '../../src/p2p/record.ts';
import type { Resolve } from '../../src/p2p/resolver.ts';
import { type Node, readyPeers, startNode, stopAll, stopNode, until } from './harness.ts';
import { greet, rawHost, stopRawHosts } from './raw-host.ts';

afterEach(async () => {
  await Promise.all([stopRawHosts(), stopAll()]);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

const idOf = (node: Node): string => node.network.peerId;
const at = (node: Node): string => node.network.addresses()[0]!;
const withoutId = (node: Node): string => at(node).replace(/\/p2p\/.*/, '');
const metric = (node: Node, name: string): number => node.network.metrics()[name] ?? 0;
const met = (a: Node, b: Node): boolean =>
  [a, b].every((node) =>
    node.network.peers().some((peer) => peer.status === 'ready' && peer.id === idOf(node === a ? b : a)),
  );

describe('names', () => {
  it('are dialled, announced, kept in records, and looked up anew at each dial', async () => {
    const ports = [await freePort(), await freePort()];
    const asked: string[] = [];
    let broken = true;
    const resolve: Resolve = async (name) => {
      asked.push(name);
      if (!/^validator-[12]$/.test(name) || broken) throw new Error('no such name');
      return [{ address: '127.0.0.1', family: 4 }];
    };
    const host = (n: number, more: object = {}): Promise<Node> =>
      startNode({
        n,
        validator: true,
        resolve,
        listen: [`/ip4/127.0.0.1/tcp/${ports[n - 1]}`],
        announce: [`/dns4/validator-${n}/tcp/${ports[n - 1]}`],
        ...more,
      });
    const first = await host(1);
    expect(first.network.addresses()).toEqual([`/dns4/validator-1/tcp/${ports[0]}/p2p/${idOf(first)}`]);
    const second = await host(2, { bootstrap: [`/dns4/validator-1/tcp/${ports[0]}`] });
    await until('a dial has failed', () => metric(second, 'dial.failures') >= 1);
    broken = false;
    await until('they have met', () => met(first, second));
    expect(first.network.validatorPeer(1)).toBe(idOf(second));

    const third = await startNode({
      n: 3,
      validator: true,
      resolve,
      bootstrap: [`/dns4/validator-1/tcp/${ports[0]}`],
    });
    await until('all are meshed', () => met(first, third) && met(second, third));
    const observer = await rawHost(third);
    await greet(observer);
    const told = (): string[] =>
      observer.records
        .flatMap((signed) => decodeSignedRecord(signed).record.addresses)
        .map((a) => multiaddr(a).toString());
    await until('the names are passed on', () => told().includes(`/dns4/validator-2/tcp/${ports[1]}`));

    // only the record leads the others back to it, and its name is looked up again
    const before = asked.filter((name) => name === 'validator-2').length;
    await stopNode(second);
    await until('it is missed', () => readyPeers(first) === 1);
    const again = await host(2);
    await until('it is back', () => met(first, again) && met(third, again));
    expect(asked.filter((name) => name === 'validator-2').length).toBeGreaterThan(before);
  });
});

describe('persistent peers', () => {
  it('stay when there is no room for strangers, and come back', async () => {
    const port = await freePort();
    const listen = [`/ip4/127.0.0.1/tcp/${port}`];
    const friend = await startNode({ n: 11, listen });
    const limits = { maxStrangers: 1 };
    const hub = await startNode({
      n: 1,
      validator: true,
      limits,
      persistent: [`/ip4/127.0.0.1/tcp/${port}`],
    });
    await until('the friend is there', () => met(hub, friend));
    const guest = await rawHost(hub, 50);
    await greet(guest);
    await until('the only guest is there', () => readyPeers(hub) === 2);
    const late = await rawHost(hub, 51);
    await greet(late);
    await until(
      'a second guest was refused',
      () => metric(hub, 'refused.strangers') === 1 && readyPeers(hub) === 2,
    );
    expect(hub.network.peers().find((peer) => peer.id === idOf(friend))?.persistent).toBe(true);

    await stopNode(friend);
    await until('the friend is gone', () => readyPeers(hub) === 1);
    const again = await startNode({ n: 11, listen });
    await until('the friend is back', () => met(hub, again));
  });

  it('are banned for a short time only', async () => {
    const friend = await startNode({ n: 11 });
    const hub = await startNode({
      n: 1,
      persistent: [at(friend)],
      limits: { persistentBanMs: 400, banMs: 600_000 },
    });
    await until('they have met', () => met(hub, friend));
    hub.network.penalise(idOf(friend), 'VOTE_INVALID');
    expect(metric(hub, 'peers.banned')).toBe(1);
    await until('it is gone', () => friend.events.includes(`gone ${idOf(hub)}`));
    await until('it is back', () => met(hub, friend));
    expect(metric(hub, 'peers.banned')).toBe(0);
  });

  it('are refused at the start when they are no addresses', async () => {
    await expect(startNode({ n: 1, persistent: ['validator-0:7300'] })).rejects.toMatchObject({
      code: 'PERSISTENT_INVALID',
    });
    await expect(startNode({ n: 1, bootstrap: ['/ip4/1.2.3.4'] })).rejects.toMatchObject({
      code: 'BOOTSTRAP_INVALID',
    });
  });
});

describe('the deny list', () => {
  it('refuses an address before the handshake, and a peer after it', async () => {
    const guest = await startNode({ n: 12 });
    const byAddress = await startNode({ n: 1, deny: ['127.0.0.0/8'] });
    const byPeer = await startNode({ n: 2, deny: [idOf(guest)] });
    const visitor = await startNode({ n: 13, bootstrap: [at(byAddress)] });
    const denied = await startNode({ n: 12, bootstrap: [withoutId(byPeer)] });
    await until(
      'both are refused',
      () => metric(byAddress, 'refused.denied') > 1 && metric(byPeer, 'refused.denied') > 1,
    );
    expect([byAddress, byPeer].map(({ events }) => events)).toEqual([[], []]);
    expect([visitor, denied].map(readyPeers)).toEqual([0, 0]);
    expect(metric(byAddress, 'inbound.handshakes')).toBe(0);
  });

  it('keeps this host from dialling, by address, peer and name', async () => {
    const guest = await startNode({ n: 12 });
    const port = at(guest).split('/')[4];
    const resolve: Resolve = async () => [{ address: '127.0.0.1', family: 4 }];
    const bootstrap = [at(guest), `/dns4/somewhere/tcp/${port}`, withoutId(guest)];
    const byAddress = await startNode({ n: 1, deny: ['127.0.0.1'], resolve, bootstrap });
    const byPeer = await startNode({ n: 2, deny: [idOf(guest)], resolve, bootstrap });
    const tried = (node: Node): boolean => metric(node, 'dial.failures') > 3;
    await until('they have tried', () => tried(byAddress) && tried(byPeer));
    expect(guest.events.filter((event) => event.startsWith('ready'))).toEqual([]);
    expect([byAddress, byPeer].map((node) => node.events)).toEqual([[], []]);
  });
});

describe('the allow list', () => {
  it('admits nobody else, dials nobody else, and knows persistent peers', async () => {
    const listed = await startNode({ n: 12 });
    const friend = await startNode({ n: 13 });
    const hub = await startNode({ n: 1, allow: [idOf(listed)], persistent: [withoutId(friend)] });
    await until('the friend is dialled', () => met(hub, friend));
    const stranger = await startNode({ n: 14, bootstrap: [at(hub), at(friend)] });
    await stopNode(listed);
    const again = await startNode({ n: 12, bootstrap: [at(hub)] });
    await until('the listed one is in', () => met(hub, again));
    await until('the stranger is not', () => metric(hub, 'refused.unlisted') > 0 && met(friend, stranger));
    expect(hub.events.some((event) => event.includes(idOf(stranger)))).toBe(false);
  });

  it('of addresses only refuses others before the handshake', async () => {
    const hub = await startNode({ n: 1, allow: ['10.0.0.0/8'] });
    await startNode({ n: 14, bootstrap: [at(hub)] });
    await until('it is refused', () => metric(hub, 'refused.unlisted') > 1);
    expect(hub.events).toEqual([]);
  });

  it('with the word validators admits who proves a key, and says goodbye to others after the hello', async () => {
    const hub = await startNode({ n: 1, validator: true, allow: ['validators'] });
    const second = await startNode({ n: 2, validator: true, bootstrap: [at(hub)] });
    const stranger = await startNode({ n: 14, bootstrap: [at(hub)] });
    await until('the validator is in', () => met(hub, second));
    await until('the stranger is not', () => metric(hub, 'refused.unlisted') > 0 && readyPeers(hub) === 1);
    expect(readyPeers(hub)).toBe(1);
    await stopNode(stranger);
  });
});

describe('a peer that hangs up as soon as it is ready', () => {
  it('is dialled with back-off, not in a loop', async () => {
    const full = await startNode({ n: 1, limits: { maxStrangers: 0 } });
    const guest = await startNode({ n: 12, bootstrap: [at(full)] });
    await until('it was shown out some times', () => metric(full, 'refused.strangers') >= 3);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    // with back-off from a quarter of a second there are about five dials in these seconds; in a loop, dozens
    expect(metric(guest, 'dial.attempts')).toBeLessThan(10);
  });

  it('is not dialled at all while it is banned', async () => {
    const friend = await startNode({ n: 12 });
    const hub = await startNode({ n: 1, bootstrap: [withoutId(friend)] });
    await until('they have met', () => met(hub, friend));
    hub.network.penalise(idOf(friend), 'VOTE_INVALID');
    const before = metric(hub, 'dial.attempts');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(metric(hub, 'dial.attempts')).toBe(before);
    expect(hub.network.peers()).toEqual([]);
  });
});
