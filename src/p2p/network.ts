/**
 * The network layer: puts host, sessions, records, dialer, gossip and scores together behind the `Network`
 * interface. It knows bytes and peers, not consensus. It promises that nothing a peer does throws out of this room,
 * that every queue is bounded, that votes reach the node only from a peer that has proved the consensus key, and
 * that a node given one address finds all the others. Lanes, limits and penalties: docs/network.md.
 */
import { AccessLists } from './access.ts';
import { Door } from './door.ts';
import { transactionTopic } from './gossip.ts';
import { createHost, peerIdOfSeed } from './host.ts';
import { LibP2PNetwork } from './hub.ts';
import { DEFAULT_LIMITS, type NetworkLimits } from './limits.ts';
import type { GuardOptions } from './mux-guard.ts';
import { PeerScores } from './offences.ts';
import { pacedLog } from './paced-log.ts';
import { Resolver } from './resolver.ts';
import type { Network, NetworkOptions } from './types.ts';

const DEFAULT_LISTEN = ['/ip4/127.0.0.1/tcp/0'];

/**
 * Starts a host and returns when it listens. Throws `BOOTSTRAP_INVALID`, `PERSISTENT_INVALID`, `ALLOW_INVALID` or
 * `DENY_INVALID`, or what listening fails with.
 */
export async function createNetwork(given: NetworkOptions): Promise<Network> {
  const now = given.now ?? Date.now;
  const options: NetworkOptions = { ...given, log: pacedLog(given.log, now) };
  const limits: NetworkLimits = { ...DEFAULT_LIMITS, ...options.limits };
  const access = new AccessLists(options.allow ?? [], options.deny ?? []);
  const self = await peerIdOfSeed(options.privateKey);
  const topic = transactionTopic(options.genesisHash);
  const scores = new PeerScores(limits, now);
  const door = new Door({
    limits,
    now,
    access,
    scores,
    namesAnybody: options.bootstrap.length + (options.persistent?.length ?? 0) > 0,
  });
  const resolver = new Resolver({ denies: (ip) => access.deniesAddress(ip), resolve: options.resolve });
  let onAbuse: GuardOptions['offend'] = () => {};
  const host = await createHost({
    seed: options.privateKey,
    listen: options.listen ?? DEFAULT_LISTEN,
    announce: options.announce,
    topic,
    limits,
    gater: door.gater(),
    lookup: resolver.lookup,
    guard: { now, offend: (...abuse) => onAbuse(...abuse) },
  });
  const network = new LibP2PNetwork({
    options,
    limits,
    self,
    topic,
    now,
    access,
    scores,
    door,
    resolver,
    host,
  });
  onAbuse = (...abuse) => network.onAbuse(...abuse);
  try {
    await network.start();
  } catch (error) {
    await network.close();
    throw error;
  }
  return network;
}
