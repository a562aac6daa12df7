/** Hosts on loopback with ephemeral ports, whose handlers write down what reaches them. */
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import type { Bytes } from '../../src/codec/bytes.ts';
import type { SignatureVerifier, SigningKey } from '../../src/crypto/interfaces.ts';
import { createNetwork } from '../../src/p2p/network.ts';
import type {
  BatchVerdict,
  Network,
  NetworkHandlers,
  NetworkLog,
  NetworkOptions,
} from '../../src/p2p/types.ts';

export const GENESIS: Bytes = new Uint8Array(32).fill(7);

export const verifier: SignatureVerifier = {
  name: 'node',
  verify(signature, message, publicKey) {
    const x = Buffer.from(publicKey).toString('base64url');
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    return verify(null, message, key, signature);
  },
};

/** The Ed25519 key whose seed is 32 times `n`. */
export function signingKey(n: number): SigningKey {
  const seed = Buffer.alloc(32, n);
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  const jwk = createPublicKey(key).export({ format: 'jwk' });
  return {
    publicKey: Uint8Array.from(Buffer.from(jwk.x ?? '', 'base64url')),
    sign: (message) => Uint8Array.from(sign(null, message, key)),
  };
}

export const hostSeed = (n: number): Bytes => new Uint8Array(32).fill(n + 100);

const silent: NetworkLog = { debug() {}, info() {}, warn() {} };
const spoken: NetworkLog = {
  debug: (fields, message) => console.log('debug', message, fields),
  info: (fields, message) => console.log('info', message, fields),
  warn: (fields, message) => console.log('warn', message, fields),
};

export interface Node {
  readonly network: Network;
  readonly votes: { vote: Bytes; from: number; peer: string }[];
  readonly proposals: { proposal: Bytes; peer: string; from: number | undefined }[];
  readonly certificates: { certificate: Bytes; peer: string }[];
  readonly batches: Bytes[];
  readonly events: string[];
}

export interface NodeOptions extends Partial<Omit<NetworkOptions, 'handlers'>> {
  /** Number of its host key, and of its consensus key if `validator`. */
  readonly n: number;
  readonly validator?: boolean;
  readonly verdict?: (batch: Bytes) => BatchVerdict;
  readonly onRequest?: NetworkHandlers['onRequest'];
}

const running = new Set<Network>();

export async function startNode(options: NodeOptions): Promise<Node> {
  const { n, validator, verdict, onRequest, ...rest } = options;
  const node: Omit<Node, 'network'> = { votes: [], proposals: [], certificates: [], batches: [], events: [] };
  const network = await createNetwork({
    privateKey: hostSeed(n),
    bootstrap: [],
    genesisHash: GENESIS,
    validatorKeys: [1, 2, 3, 4, 5].map((i) => signingKey(i).publicKey),
    verifier,
    log: process.env.P2P_LOG === undefined ? silent : spoken,
    ...(validator === true ? { consensusKey: signingKey(n) } : {}),
    ...rest,
    handlers: {
      onVote(vote, from, peer) {
        node.votes.push({ vote, from, peer });
        return 'accept';
      },
      onProposal(proposal, peer, from) {
        node.proposals.push({ proposal, peer, from });
        return 'accept';
      },
      onCertificate(certificate, peer) {
        node.certificates.push({ certificate, peer });
        return 'accept';
      },
      async onTransactions(batch) {
        node.batches.push(batch);
        return verdict?.(batch) ?? 'accept';
      },
      onRequest: onRequest ?? (async (_method, payload) => payload),
      onPeer(peer, event) {
        node.events.push(`${event} ${peer}`);
      },
    },
  });
  running.add(network);
  return { ...node, network };
}

export async function stopNode(node: Node): Promise<void> {
  running.delete(node.network);
  await node.network.close();
}

export async function stopAll(): Promise<void> {
  const all = [...running];
  running.clear();
  await Promise.all(all.map((network) => network.close()));
}

/** Waits until `condition` holds; fails with `what` after `ms`. */
export async function until(what: string, condition: () => boolean, ms = 30_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`timed out waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export function readyPeers(node: Node): number {
  return node.network.peers().filter((peer) => peer.status === 'ready').length;
}

export const bytes = (...values: number[]): Bytes => Uint8Array.from(values);
