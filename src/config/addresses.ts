/**
 * Addresses in settings: multiaddrs that this node's transport can use, ports for servers, peer ids, and the rules
 * of allow and deny lists. They are checked here, before anything is opened, so that a slip of the pen is an error
 * with the name of the setting and not a peer that is silently never found.
 */
import { isIP, isIPv4, isIPv6 } from 'node:net';
import { base58 } from '@scure/base';
import { type Kind, words } from './kinds.ts';

/** Identity multihash of a protobuf that holds an Ed25519 public key. */
const PEER_ID_PREFIX = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];
const PEER_ID_BYTES = PEER_ID_PREFIX.length + 32;
const PEER_ID_LETTERS = 52;

/** True for the text of the peer id of an Ed25519 key, the only kind that hosts of this network have. */
function isPeerId(text: string): boolean {
  if (text.length !== PEER_ID_LETTERS || !text.startsWith('12D3KooW')) return false;
  try {
    const bytes = base58.decode(text);
    return bytes.length === PEER_ID_BYTES && PEER_ID_PREFIX.every((byte, i) => bytes[i] === byte);
  } catch {
    return false;
  }
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535;
}

const DNS_NAME =
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i;

/** True for `/ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT`; `dns` says whether names will do, `peer` whether `/p2p/ID` must or may follow. */
function isMultiaddr(text: string, dns: boolean, peer: 'must' | 'may' | 'no'): boolean {
  const [empty, protocol, host = '', tcp, port = '', p2p, id = '', ...rest] = text.split('/');
  if (empty !== '' || tcp !== 'tcp' || !isPort(port) || rest.length > 0) return false;
  const hostFits =
    protocol === 'ip4'
      ? isIPv4(host)
      : protocol === 'ip6'
        ? isIPv6(host) && !host.includes('%')
        : dns && /^dns[46]?$/.test(protocol ?? '') && DNS_NAME.test(host);
  if (!hostFits) return false;
  if (p2p === undefined) return peer !== 'must';
  return peer !== 'no' && p2p === 'p2p' && isPeerId(id);
}

function multiaddrKind(range: string, dns: boolean, peer: 'must' | 'may' | 'no'): Kind<string> {
  return words({
    placeholder: '<multiaddr>',
    range,
    parse: (given) => (isMultiaddr(given, dns, peer) ? given : undefined),
    print: (address) => address,
  });
}

export const listenAddress = multiaddrKind(
  'an address of this machine like /ip4/0.0.0.0/tcp/7300 or /ip6/::/tcp/7300; port 0 takes any',
  false,
  'no',
);
export const announcedAddress = multiaddrKind(
  'an address like /ip4/203.0.113.7/tcp/7300 or /dns4/node.example.org/tcp/7300',
  true,
  'may',
);
export const peerAddress = multiaddrKind(
  'an address like /dns4/node.example.org/tcp/7300, with or without /p2p/… and the peer id',
  true,
  'may',
);
function isCidr(text: string): boolean {
  const [address = '', length = '', ...rest] = text.split('/');
  const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  return rest.length === 0 && !address.includes('%') && /^\d{1,3}$/.test(length) && Number(length) <= bits;
}

const RULE = 'a peer id, an IP address or a block like 203.0.113.0/24 or 2001:db8::/32';

function isRule(text: string): boolean {
  return isPeerId(text) || (isIP(text) !== 0 && !text.includes('%')) || isCidr(text);
}

function ruleKind(range: string, fits: (text: string) => boolean): Kind<string> {
  return words({
    placeholder: '<peer>',
    range,
    parse: (given) => (fits(given) ? given : undefined),
    print: (rule) => rule,
  });
}

/** Whom a list means: a peer id, an IP address, or a block of addresses. */
export const peerRule = ruleKind(RULE, isRule);

/** The same, or all validators. */
export const admissionRule = ruleKind(
  `${RULE}, or the word validators`,
  (text) => text === 'validators' || isRule(text),
);

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Where a server listens: `host:port`; an IPv6 address stands in brackets. */
export const hostPort: Kind<HostPort> = words({
  placeholder: '<host:port>',
  range: 'host:port, like 127.0.0.1:7070, 0.0.0.0:7070 or [::1]:7070; port 0 takes any',
  parse: (given) => {
    const [, bracketed, plain, port = ''] = /^(?:\[([^[\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(given) ?? [];
    const fits = bracketed === undefined ? DNS_NAME.test(plain ?? '') : isIPv6(bracketed);
    return fits && isPort(port) ? { host: (bracketed ?? plain)!, port: Number(port) } : undefined;
  },
  print: ({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`),
});
