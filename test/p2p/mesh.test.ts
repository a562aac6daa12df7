import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeSignedRecord, signRecord } from '../../src/p2p/record.ts';
import {
  bytes,
  GENESIS,
  type Node,
  readyPeers,
  signingKey,
  startNode,
  stopAll,
  stopNode,
  until,
} from './harness.ts';
import { goodHello, greet, rawHost, stopRawHosts } from './raw-host.ts';

afterEach(async () => {
  await Promise.all([stopRawHosts(), stopAll()]);
});

const fullyMeshed = (nodes: readonly Node[]): boolean =>
  nodes.every((node) => readyPeers(node) >= nodes.length - 1);

const validatorsAt = (node: Node): number[] =>
  node.network
    .peers()
    .flatMap((peer) => peer.validator ?? [])
    .sort();

describe('mesh', () => {
  it('lets five validators that know one address find each other, and carries votes and certificates', async () => {
    const first = await startNode({ n: 1, validator: true });
    const bootstrap = first.network.addresses().slice(0, 1);
    const others = await Promise.all([2, 3, 4, 5].map((n) => startNode({ n, validator: true, bootstrap })));
    const nodes = [first, ...others];
    await until('all are meshed', () => fullyMeshed(nodes));
    await until('all know each other', () => nodes.every((node) => validatorsAt(node).length === 4));
    expect(validatorsAt(first)).toEqual([1, 2, 3, 4]);

    const sender = others[2]!;
    sender.network.broadcastVote(bytes(1, 2, 3));
    sender.network.broadcastCertificate(bytes(9));
    sender.network.sendProposal(new Uint8Array(300_000).fill(5));
    const received = (node: Node): boolean =>
      node.votes.length === 1 && node.certificates.length === 1 && node.proposals.length === 1;
    await until('all three are everywhere', () => nodes.every((node) => node === sender || received(node)));
    expect(first.votes[0]).toEqual({ vote: bytes(1, 2, 3), from: 3, peer: sender.network.peerId });
    expect(first.certificates[0]).toEqual({ certificate: bytes(9), peer: sender.network.peerId });
    expect(first.proposals[0]).toEqual({
      proposal: new Uint8Array(300_000).fill(5),
      peer: sender.network.peerId,
      from: 3,
    });
    expect(first.network.validatorPeer(3)).toBe(sender.network.peerId);
    expect(sender.votes).toEqual([]);
  });

  it('lets hosts that are no validators find each other through the DHT', async () => {
    const first = await startNode({ n: 11 });
    // without the peer id, which a person may not know
    const bootstrap = [first.network.addresses()[0]!.replace(/\/p2p\/.*/, '')];
    const others = await Promise.all([12, 13, 14, 15].map((n) => startNode({ n, bootstrap })));
    const nodes = [first, ...others];
    await until('all are meshed', () => fullyMeshed(nodes));
    expect(validatorsAt(first)).toEqual([]);
  });

  it('finds a validator again that restarts with the same key and port, and one that moved', async () => {
    const first = await startNode({ n: 1, validator: true });
    const bootstrap = first.network.addresses();
    const second = await startNode({ n: 2, validator: true, bootstrap });
    const third = await startNode({ n: 3, validator: true, bootstrap });
    await until('all are meshed', () => fullyMeshed([first, second, third]));

    // the restarted host itself knows nobody: the others have to come back to it
    const listen = [second.network.addresses()[0]!.replace(/\/p2p\/.*/, '')];
    await stopNode(second);
    await until('it is missed', () => readyPeers(first) === 1 && readyPeers(third) === 1);
    expect(first.events).toContain(`gone ${second.network.peerId}`);
    const again = await startNode({ n: 2, validator: true, listen });
    await until('it is back', () => fullyMeshed([first, again, third]));

    // a new port, and a clock that was set back: its record wins all the same
    await stopNode(again);
    const moved = await startNode({ n: 2, validator: true, bootstrap, now: () => Date.now() - 3_600_000 });
    await until('it is back', () => fullyMeshed([first, moved, third]));
    const observer = await rawHost(first);
    await greet(observer);
    const told = (): string[] =>
      observer.records
        .flatMap((signed) => decodeSignedRecord(signed).record.addresses)
        .map((address) => `${multiaddr(address)}/p2p/${moved.network.peerId}`);
    await until('the others tell its new address', () => told().includes(moved.network.addresses()[0]!));
    moved.network.broadcastVote(bytes(4));
    await until('its vote counts', () => first.votes.length === 1 && third.votes.length === 1);
  });

  it('goes on dialling a bootstrap address that is not there yet', async () => {
    const early = await startNode({ n: 1, validator: true });
    const address = early.network.addresses()[0]!;
    await stopNode(early);
    const waiting = await startNode({ n: 2, validator: true, bootstrap: [address] });
    await until('some dials have failed', () => waiting.network.metrics()['dial.failures']! >= 2);
    const late = await startNode({ n: 1, validator: true, listen: [address.replace(/\/p2p\/.*/, '')] });
    await until('they met', () => fullyMeshed([late, waiting]));
  });

  it('refuses a host of another genesis, and tells the node nothing of it', async () => {
    const ours = await startNode({ n: 1, validator: true });
    const other = await startNode({
      n: 2,
      validator: true,
      genesisHash: GENESIS.map((byte) => byte + 1),
      bootstrap: ours.network.addresses(),
    });
    await until('both have seen it', () =>
      [ours, other].every((node) => node.network.metrics()['offences.CHAIN_MISMATCH'] === 1),
    );
    await until('they have parted', () => [ours, other].every((node) => node.network.peers().length === 0));
    expect([...ours.events, ...other.events].filter((event) => event.startsWith('ready'))).toEqual([]);
    expect(ours.network.metrics()['peers.banned']).toBe(1);
  });

  it('delivers no vote of a host that is no validator, and bans it when it goes on', async () => {
    const validator = await startNode({ n: 1, validator: true });
    // it has a key of its own, but not one of the set
    const stranger = await startNode({
      n: 9,
      consensusKey: signingKey(9),
      bootstrap: validator.network.addresses(),
    });
    await until('they met', () => fullyMeshed([validator, stranger]));
    stranger.network.broadcastVote(bytes(1));
    stranger.network.sendCertificate(validator.network.peerId, bytes(2));
    await until('the vote was counted against it', () => {
      return validator.network.metrics()['offences.VOTE_FROM_STRANGER'] === 1;
    });
    await until('the certificate arrived', () => validator.certificates.length === 1);
    expect(validator.votes).toEqual([]);
    for (let i = 0; i < 8; i++) stranger.network.sendVote(validator.network.peerId, bytes(i));
    await until('it is banned', () => validator.network.metrics()['peers.banned'] === 1);
    expect(validator.votes).toEqual([]);
    await until('it is gone', () => validator.network.peers().length === 0);
  });

  it('lets no validator take over the host of another with a record that names it', async () => {
    const first = await startNode({ n: 1, validator: true });
    const evil = signingKey(3);
    const peerId = peerIdFromString(first.network.peerId).toMultihash().bytes;
    const addresses = [multiaddr('/ip4/127.0.0.1/tcp/9').bytes];
    const record = signRecord(
      { consensusKey: evil.publicKey, peerId, addresses, sequence: 1 },
      GENESIS,
      evil,
    );
    await greet(await rawHost(first), goodHello({ records: [record] }));
    await until('the record is known', () => first.network.metrics()['records.known'] === 2);
    // the victim itself passes on the record by which another key claims its host
    const second = await startNode({ n: 2, validator: true, bootstrap: first.network.addresses() });
    await until(
      'they met',
      () => second.network.metrics()['records.known'] === 3 && validatorsAt(second).length === 1,
    );
    expect(validatorsAt(second)).toEqual([0]);
    first.network.broadcastVote(bytes(1));
    await until('the vote counts as its own', () => second.votes.length === 1);
    expect(second.votes[0]!.from).toBe(0);
  });

  it('follows a change of the validator set', async () => {
    const first = await startNode({ n: 1, validator: true });
    const second = await startNode({ n: 2, validator: true, bootstrap: first.network.addresses() });
    await until('they met', () => validatorsAt(first).length === 1 && validatorsAt(second).length === 1);
    const keys = [3, 2, 1].map((n) => signingKey(n).publicKey);
    first.network.setValidatorKeys(keys.slice(0, 1));
    expect(validatorsAt(first)).toEqual([]);
    first.network.setValidatorKeys(keys);
    second.network.setValidatorKeys(keys);
    expect(validatorsAt(second)).toEqual([2]);
  });

  it('fails to start when its port is taken or a bootstrap address is none', async () => {
    const first = await startNode({ n: 1 });
    const listen = [first.network.addresses()[0]!.replace(/\/p2p\/.*/, '')];
    await expect(startNode({ n: 2, listen })).rejects.toThrow(/listen|address/i);
    await expect(startNode({ n: 2, bootstrap: ['1.2.3.4:7300'] })).rejects.toMatchObject({
      code: 'BOOTSTRAP_INVALID',
    });
  });

  it('closes within two seconds, whatever is under way', async () => {
    const first = await startNode({ n: 1, validator: true, onRequest: () => new Promise(() => undefined) });
    const second = await startNode({ n: 2, validator: true, bootstrap: first.network.addresses() });
    await until('they met', () => fullyMeshed([first, second]));
    const request = second.network.request(first.network.peerId, 1, bytes(), {
      timeoutMs: 60_000,
      maxResponseBytes: 10,
    });
    const failure = expect(request).rejects.toMatchObject({ code: 'PEER_GONE' });
    await Promise.all([stopNode(first), stopNode(second)]);
    await failure;
    expect(second.network.peers().filter((peer) => peer.status === 'ready')).toEqual([]);
  });
});
