/** The door against crowds, with made-up connections: who is let in, and who has to go. */
import type { MultiaddrConnection } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { expect, it } from 'vitest';
import { AccessLists } from '../../src/p2p/access.ts';
import { Door } from '../../src/p2p/door.ts';
import { DEFAULT_LIMITS, type NetworkLimits } from '../../src/p2p/limits.ts';
import { PeerScores } from '../../src/p2p/offences.ts';

interface Fixture {
  readonly door: Door;
  readonly scores: PeerScores;
  readonly ready: Set<string>;
  pass(ms: number): void;
  knock(ip: string): FakeConnection;
}

class FakeConnection extends EventTarget {
  readonly remoteAddr;
  open = true;
  entered = false;

  constructor(ip: string) {
    super();
    this.remoteAddr = multiaddr(`/${ip.includes(':') ? 'ip6' : 'ip4'}/${ip}/tcp/4000`);
  }

  abort(): void {
    this.open = false;
    this.dispatchEvent(new Event('close'));
  }

  get asConnection(): MultiaddrConnection {
    return this as unknown as MultiaddrConnection;
  }
}

function fixture(over: Partial<NetworkLimits> = {}): Fixture {
  let time = 1_000_000;
  const now = (): number => time;
  const limits = { ...DEFAULT_LIMITS, ...over };
  const scores = new PeerScores(limits, now);
  const door = new Door({ limits, now, access: new AccessLists([], []), scores, namesAnybody: false });
  const ready = new Set<string>();
  const no = (): boolean => false;
  door.consult({ isNamed: no, isNamedPlace: no, isRecorded: no, isReady: (peer) => ready.has(peer) });
  return {
    door,
    scores,
    ready,
    pass: (ms) => {
      time += ms;
    },
    knock: (ip) => {
      const connection = new FakeConnection(ip);
      connection.entered = door.enter(connection.asConnection);
      return connection;
    },
  };
}

const refused = (door: Door): Record<string, number> => Object.fromEntries(door.refused());
const address = (n: number): string => `${1 + (n >> 8)}.0.${n & 255}.1`;

/** Becomes known as `peer`, and ready. */
function settle({ door, ready }: Fixture, connection: FakeConnection, peer: string): boolean {
  const known = door.enterPeer(peer, connection.asConnection);
  if (known) ready.add(peer);
  else connection.abort();
  return known;
}

it('gives a crowd from one address the places of one address, and frees them when it goes', () => {
  const f = fixture();
  const crowd = Array.from({ length: 1_000 }, () => f.knock('9.9.9.9'));
  const inside = crowd.filter(({ entered }) => entered);
  expect(inside.length).toBe(8);
  expect([f.door.inbound, f.door.handshakes]).toEqual([8, 8]);
  expect(refused(f.door)['address-handshakes']! + refused(f.door)['address-rate']!).toBe(992);
  expect(f.knock('9.9.9.8').entered).toBe(true);
  for (const connection of inside) connection.abort();
  expect([f.door.inbound, f.door.handshakes, f.door.failed]).toEqual([1, 1, 8]);
});

it('counts peers that have shaken hands as places of their address, and a /64 as one address', () => {
  const f = fixture();
  let inside = 0;
  for (let i = 0; i < 40; i++) {
    const connection = f.knock(`2001:db8:1:2::${(i + 1).toString(16)}`);
    if (connection.entered && settle(f, connection, `peer ${i}`)) inside++;
  }
  expect(inside).toBe(DEFAULT_LIMITS.connectionsPerAddress);
  expect(f.knock('2001:db8:1:3::1').entered).toBe(true);
});

it('keeps places for addresses that have proved themselves, whatever crowd of addresses comes', () => {
  const f = fixture({ inboundPerSecond: 10_000 });
  const validator = f.knock('8.8.8.8');
  settle(f, validator, 'validator');
  f.door.prove('validator', validator.remoteAddr);
  validator.abort();
  f.ready.delete('validator');
  for (let i = 0; i < 1_000; i++) settle(f, f.knock(address(i)), `guest ${i}`);
  expect(f.door.inbound).toBe(192);
  expect(refused(f.door).full).toBe(808);
  expect(f.knock('8.8.4.4').entered).toBe(false);
  expect(f.knock('8.8.8.8').entered).toBe(true);
});

it('lets newcomers take the places of those who say nothing, of the worst address first', () => {
  const f = fixture({ maxConnections: 16, connectionsPerAddress: 16 });
  const guests = Array.from({ length: 6 }, (_, i) => f.knock(address(i)));
  guests.forEach((guest, i) => {
    settle(f, guest, `guest ${i}`);
  });
  const silent = Array.from({ length: 6 }, (_, i) => f.knock(i < 4 ? '9.9.9.9' : `9.9.8.${i}`));
  expect(f.door.inbound).toBe(12);
  expect(f.knock('7.7.7.7').entered).toBe(false);
  f.pass(1_500);
  const late = [f.knock('7.7.7.7'), f.knock('7.7.7.8'), f.knock('7.7.7.9')];
  expect(late.map(({ entered }) => entered)).toEqual([true, true, true]);
  expect(silent.map(({ open }) => open)).toEqual([false, false, false, true, true, true]);
  expect(guests.every(({ open }) => open)).toBe(true);
  expect(f.door.evicted).toBe(3);
});

it('lets newcomers take the places of handshakes that do not end', () => {
  const f = fixture();
  const slow: FakeConnection[] = [];
  for (let n = 0; f.door.handshakes < 0.75 * DEFAULT_LIMITS.inboundPending; n++)
    slow.push(f.knock(address(n >> 3)));
  expect(f.knock('7.7.7.7').entered).toBe(false);
  expect(refused(f.door).handshakes).toBe(1);
  f.pass(1_500);
  const late = [f.knock('7.7.7.7'), f.knock('7.7.7.8')];
  expect(late.map(({ entered }) => entered)).toEqual([true, true]);
  expect(slow.filter(({ open }) => !open)).toHaveLength(2);
  expect(late.every(({ open }) => open)).toBe(true);
});

it('slows down the handshakes of all strangers together', () => {
  const f = fixture();
  let inside = 0;
  for (let i = 0; i < 1_000; i++) {
    const connection = f.knock(address(i));
    if (connection.entered) inside++;
    connection.abort();
  }
  expect(inside).toBe(2 * DEFAULT_LIMITS.inboundPerSecond);
  f.pass(1_000);
  expect(f.knock(address(2_000)).entered).toBe(true);
});

it('bans an address after repeated bans of its peers, longer each time, and forgets', () => {
  const f = fixture();
  const misbehave = (peer: string, ip = '9.9.9.9'): string[] => {
    const connection = f.knock(ip);
    expect(connection.entered).toBe(true);
    settle(f, connection, peer);
    expect(f.scores.add(peer, 'FRAME_INVALID')).toBe(true);
    const banned = f.door.onBan(peer);
    connection.abort();
    return banned;
  };
  expect(misbehave('a')).toEqual([]);
  expect(misbehave('b')).toEqual([]);
  const bystander = f.knock('9.9.9.9');
  expect(misbehave('c')).toEqual(['9.9.9.9']);
  expect(bystander.open).toBe(false);
  expect(f.knock('9.9.9.9').entered).toBe(false);
  expect(f.knock('9.9.9.8').entered).toBe(true);
  expect(f.door.bannedAddresses).toBe(1);
  f.pass(DEFAULT_LIMITS.addressBanMs);
  expect(misbehave('d')).toEqual(['9.9.9.9']);
  f.pass(DEFAULT_LIMITS.addressBanMs);
  expect(f.knock('9.9.9.9').entered).toBe(false);
  f.pass(DEFAULT_LIMITS.addressBanMs);
  expect(f.knock('9.9.9.9').entered).toBe(true);
  f.pass(DEFAULT_LIMITS.strikeMemoryMs);
  expect(misbehave('e')).toEqual([]);
  expect(refused(f.door)['address-banned']).toBe(2);
});

it('never bans an address where somebody has proved himself, until he is banned himself, nor a local one', () => {
  const f = fixture();
  const validator = f.knock('9.9.9.9');
  settle(f, validator, 'validator');
  f.door.prove('validator', validator.remoteAddr);
  const misbehave = (peer: string, ip: string): string[] => {
    const connection = f.knock(ip);
    settle(f, connection, peer);
    const banned = f.door.onBan(peer);
    connection.abort();
    return banned;
  };
  for (let i = 0; i < 9; i++) expect(misbehave(`peer ${i}`, '9.9.9.9')).toEqual([]);
  for (let i = 0; i < 9; i++) expect(misbehave(`local ${i}`, '192.168.0.1')).toEqual([]);
  expect(validator.open).toBe(true);
  f.door.onBan('validator');
  expect([misbehave('x', '9.9.9.9'), misbehave('y', '9.9.9.9')]).toContainEqual(['9.9.9.9']);
});

it('bounds the connections of one peer and what it knows of addresses', () => {
  const f = fixture({ connectionsPerPeer: 3, maxAddresses: 50, inboundPerSecond: 10_000 });
  const same = Array.from({ length: 5 }, (_, i) => settle(f, f.knock(address(i)), 'one'));
  expect(same).toEqual([true, true, true, false, false]);
  for (let i = 0; i < 500; i++) f.knock(address(i)).abort();
  expect(f.door.inbound).toBe(3);
  expect(f.door.knownAddresses).toBeLessThanOrEqual(53);
});
