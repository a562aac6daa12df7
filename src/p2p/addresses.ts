/**
 * Hosts in multiaddrs, and what limits by address mean by *one address*: an IPv4 address, or the /64 of an IPv6
 * address, since whoever has one address of a /64 has them all. IPv4 in IPv6 clothes counts as IPv4.
 */
import { BlockList, isIP } from 'node:net';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';

const P2P_CODE = 421;
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** The plain form of an address: without a zone, IPv4 where it is IPv4. */
export function plainIp(ip: string): string {
  const bare = ip.replace(/%.*$/, '');
  return MAPPED.exec(bare)?.[1] ?? bare;
}

/** The IP address or name that a multiaddr begins with. */
export function hostOf(address: Multiaddr): { readonly ip?: string; readonly name?: string } {
  const first = address.getComponents().find((component) => component.name !== 'ip6zone');
  if (first?.value === undefined) return {};
  if (first.name === 'ip4' || first.name === 'ip6') return { ip: plainIp(first.value) };
  return /^dns[46]?$/.test(first.name) ? { name: first.value } : {};
}

/** The peer id at the end of a multiaddr. */
export function peerOf(address: Multiaddr): string | undefined {
  return address.getComponents().findLast((component) => component.code === P2P_CODE)?.value;
}

/** Host and port of a multiaddr as text, whatever the peer. */
export function placeOf(address: Multiaddr): string {
  return address.decapsulateCode(P2P_CODE).toString();
}

/** Reads `/ip4/1.2.3.4/tcp/7300` or `/dns4/host/tcp/7300`, with or without `/p2p/…`; undefined for anything else. */
export function parseTcpAddress(text: string): Multiaddr | undefined {
  try {
    const parsed = multiaddr(text);
    const names = parsed.getComponents().map((component) => component.name);
    return /^(ip4|ip6|dns|dns4|dns6) tcp( p2p)?$/.test(names.join(' ')) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** What limits count by: the IPv4 address, or the first 64 bits of the IPv6 address. */
export function addressKey(ip: string): string {
  const plain = plainIp(ip);
  if (isIP(plain) !== 6) return plain;
  const [head = '', tail] = plain.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    // dotted IPv4 at the end stands for two groups
    const rest = tail === '' ? 0 : tail.split(':').length + (tail.includes('.') ? 1 : 0);
    while (groups.length < 8 - rest) groups.push('0');
    if (groups.length < 4) groups.push(...tail.split(':'));
  }
  const bits = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${bits.join(':')}::/64`;
}

function blocks(...subnets: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [net, prefix] of subnets) list.addSubnet(net, prefix, isIP(net) === 6 ? 'ipv6' : 'ipv4');
  return list;
}

const LOOPBACK = blocks(['127.0.0.0', 8], ['::1', 128]);
const PRIVATE = blocks(
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
  ['100.64.0.0', 10],
  ['fc00::', 7],
  ['fe80::', 10],
);

export function inBlocks(list: BlockList, ip: string): boolean {
  const family = isIP(ip);
  return family !== 0 && list.check(ip, family === 6 ? 'ipv6' : 'ipv4');
}

export function isLoopback(ip: string): boolean {
  return inBlocks(LOOPBACK, ip);
}

/** Loopback, private, link-local and carrier-grade NAT: many hosts may stand behind one such address. */
export function isLocal(ip: string): boolean {
  return isLoopback(ip) || inBlocks(PRIVATE, ip);
}
