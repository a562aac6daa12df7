import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AccessLists } from '../../src/p2p/access.ts';
import { addressKey, isLocal, parseTcpAddress, plainIp } from '../../src/p2p/addresses.ts';
import { peerIdOfSeed } from '../../src/p2p/host.ts';
import { Resolver } from '../../src/p2p/resolver.ts';
import { hostSeed } from './harness.ts';

const peer = (await peerIdOfSeed(hostSeed(1))).toString();

describe('addresses', () => {
  it.each([
    ['1.2.3.4', '1.2.3.4'],
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002::6', '2001:db8:1:2::/64'],
    ['2001:db8::5', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1:2:3::', '1:2:3:0::/64'],
    ['1::4:5:6:7:8', '1:0:0:4::/64'],
  ])('%s counts as %s', (ip, key) => {
    expect(addressKey(ip)).toBe(key);
  });

  it('gives all addresses of a /64 one key, however they are written', () => {
    const group = fc.integer({ min: 0, max: 0xffff });
    fc.assert(
      fc.property(
        fc.tuple(group, group, group, group),
        fc.array(fc.tuple(group, group, group, group)),
        (net, hosts) => {
          const text = (parts: readonly number[]): string => parts.map((part) => part.toString(16)).join(':');
          const keys = hosts.map((host) => addressKey(`${text(net)}:${text(host)}`));
          expect(new Set([...keys, `${text(net)}::/64`]).size).toBe(1);
        },
      ),
    );
  });

  it('tells local networks from the rest', () => {
    const local = [
      '127.0.0.1',
      '127.8.8.8',
      '::1',
      '10.1.1.1',
      '172.16.0.1',
      '192.168.1.1',
      '100.64.0.1',
      'fd00::1',
    ];
    expect(local.map(isLocal)).toEqual(local.map(() => true));
    const others = ['8.8.8.8', '172.32.0.1', '2001:db8::1', 'no address'];
    expect(others.map(isLocal)).toEqual(others.map(() => false));
    expect(plainIp('fe80::1%lo')).toBe('fe80::1');
  });

  it.each([
    '/ip4/1.2.3.4/tcp/7300',
    '/ip6/::1/tcp/7300',
    '/dns4/validator-0/tcp/7300',
    `/dns/validator-0/tcp/7300/p2p/${peer}`,
  ])('takes %s', (address) => {
    expect(parseTcpAddress(address)?.toString()).toBe(address);
  });

  it.each([
    '',
    'localhost:7300',
    '/ip4/1.2.3.4/udp/7300',
    '/dnsaddr/x',
    '/ip4/1.2.3.4/tcp/7300/ws',
    '/unix/tmp',
    '/ip4/1.2.3.4',
  ])('does not take "%s"', (address) => {
    expect(parseTcpAddress(address)).toBeUndefined();
  });
});

describe('allow and deny lists', () => {
  it('know addresses, ranges and peers', () => {
    const lists = new AccessLists([peer, '10.0.0.0/8'], ['10.1.0.0/16', '2001:db8::/32', '::ffff:9.9.9.9']);
    expect(lists.restricted).toBe(true);
    expect(lists.lists(peer, undefined)).toBe(true);
    expect(lists.lists(undefined, '10.2.3.4')).toBe(true);
    expect(lists.lists(undefined, '11.2.3.4')).toBe(false);
    expect(['10.1.2.3', '2001:db8::1', '9.9.9.9'].map((ip) => lists.deniesAddress(ip))).toEqual([
      true,
      true,
      true,
    ]);
    expect(['10.2.2.3', '2001:db9::1', 'nonsense'].map((ip) => lists.deniesAddress(ip))).toEqual([
      false,
      false,
      false,
    ]);
    expect(new AccessLists([], []).restricted).toBe(false);
  });

  it.each([
    [['10.0.0.0/33'], [], 'ALLOW_INVALID'],
    [['somebody'], [], 'ALLOW_INVALID'],
    [[''], [], 'ALLOW_INVALID'],
    [[], ['2001:db8::/129'], 'DENY_INVALID'],
    [[], ['10.0.0.0/8/8'], 'DENY_INVALID'],
    [[], ['validators'], 'DENY_INVALID'],
  ])('%j and %j are refused', (allow, deny, code) => {
    expect(() => new AccessLists(allow, deny)).toThrowError(expect.objectContaining({ code }));
  });
});

describe('the resolver', () => {
  const ask = (resolver: Resolver, name: string, family = 0): Promise<string> =>
    new Promise((resolve) => {
      resolver.lookup(name, { all: true, family }, (error, found) => {
        const addresses = Array.isArray(found) ? found.map(({ address }) => address).join() : found;
        resolve(error?.code ?? addresses);
      });
    });

  it('leaves out what is denied, and keeps to the family', async () => {
    const found = [
      { address: '10.0.0.1', family: 4 },
      { address: '10.0.0.2', family: 4 },
      { address: '::1', family: 6 },
    ];
    const resolver = new Resolver({ denies: (ip) => ip === '10.0.0.1', resolve: async () => found });
    expect(await ask(resolver, 'host')).toBe('10.0.0.2,::1');
    expect(await ask(resolver, 'host', 4)).toBe('10.0.0.2');
    const nothing = new Resolver({ denies: () => true, resolve: async () => found });
    expect(await ask(nothing, 'host')).toBe('ENOTFOUND');
  });

  it('asks once for one name at a time, and for few names at a time', async () => {
    let asked = 0;
    let answer = (): void => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const resolver = new Resolver({
      denies: () => false,
      resolve: async () => {
        asked++;
        await answered;
        return [{ address: '10.0.0.1', family: 4 }];
      },
    });
    const same = [ask(resolver, 'one'), ask(resolver, 'one')];
    const others = Array.from({ length: 40 }, (_, i) => ask(resolver, `host-${i}`));
    answer();
    expect(await Promise.all(same)).toEqual(['10.0.0.1', '10.0.0.1']);
    expect((await Promise.all(others)).filter((result) => result === 'EBUSY').length).toBe(25);
    expect(asked).toBe(16);
    expect(resolver.refused).toBe(25);
    expect(await ask(resolver, 'one')).toBe('10.0.0.1');
    expect(asked).toBe(17);
  });
});
