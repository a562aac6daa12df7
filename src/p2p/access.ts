/**
 * Allow and deny lists of an operator. An entry is a peer id, an IP address, a range like `10.0.0.0/8`, or, in an allow
 * list, the word `validators`. Deny wins over everything. An allow list that is not empty is the whole truth: nobody
 * else is let in or dialled, but for the persistent and bootstrap peers, which the operator has named elsewhere. What
 * an entry says about an address is decided before the handshake, about a peer id after noise, about `validators` after
 * the hello, which proves the key.
 */
import { BlockList, isIP } from 'node:net';
import { peerIdFromString } from '@libp2p/peer-id';
import { ProtocolError } from '../codec/errors.ts';
import { inBlocks, plainIp } from './addresses.ts';

const VALIDATORS = 'validators';

interface List {
  readonly peers: ReadonlySet<string>;
  readonly addresses: BlockList;
  readonly validators: boolean;
  readonly size: number;
}

export class AccessLists {
  readonly #allow: List;
  readonly #deny: List;

  /** Throws `ALLOW_INVALID` or `DENY_INVALID` for an entry that is none. */
  constructor(allow: readonly string[], deny: readonly string[]) {
    this.#allow = parse(allow, 'ALLOW_INVALID');
    this.#deny = parse(deny, 'DENY_INVALID');
    if (this.#deny.validators) {
      throw new ProtocolError('DENY_INVALID', `"${VALIDATORS}" has a meaning in the allow list only`);
    }
  }

  /** There is an allow list. */
  get restricted(): boolean {
    return this.#allow.size > 0;
  }

  get admitsValidators(): boolean {
    return this.#allow.validators;
  }

  deniesAddress(ip: string): boolean {
    return inBlocks(this.#deny.addresses, ip);
  }

  deniesPeer(peer: string): boolean {
    return this.#deny.peers.has(peer);
  }

  /** The allow list names the peer or its address. */
  lists(peer: string | undefined, ip: string | undefined): boolean {
    return (
      (peer !== undefined && this.#allow.peers.has(peer)) ||
      (ip !== undefined && inBlocks(this.#allow.addresses, ip))
    );
  }

  /** Whether anybody from an address that is not listed could turn out to be listed by id or as a validator. */
  get decidesLater(): boolean {
    return this.#allow.peers.size > 0 || this.#allow.validators;
  }
}

function parse(entries: readonly string[], code: 'ALLOW_INVALID' | 'DENY_INVALID'): List {
  const peers = new Set<string>();
  const addresses = new BlockList();
  let validators = false;
  for (const entry of entries) {
    if (entry === VALIDATORS) validators = true;
    else if (!addRange(addresses, entry)) peers.add(peerId(entry, code));
  }
  return { peers, addresses, validators, size: entries.length };
}

/** False when `entry` does not look like an address at all. */
function addRange(list: BlockList, entry: string): boolean {
  const [net = '', prefix, ...more] = entry.split('/');
  const ip = plainIp(net);
  const family = isIP(ip);
  if (family === 0 || more.length > 0) return false;
  const type = family === 6 ? 'ipv6' : 'ipv4';
  if (prefix === undefined) {
    list.addAddress(ip, type);
    return true;
  }
  const bits = /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
  if (bits < 0 || bits > (family === 6 ? 128 : 32)) return false;
  list.addSubnet(ip, bits, type);
  return true;
}

function peerId(entry: string, code: string): string {
  try {
    return peerIdFromString(entry).toString();
  } catch {
    throw new ProtocolError(
      code,
      `"${entry.slice(0, 200)}" is neither a peer id nor an address nor a range like 10.0.0.0/8`,
    );
  }
}
