/**
 * A validator in the attacker's hands. It votes for everything at once, and in the views that it leads it proposes
 * two blocks to different peers, blocks with a wrong root, of twice the allowed size, with a body that it keeps to
 * itself, or with one broken signature in the body. Its network identity changes as often as it is shut out: the
 * consensus key signs a new record for each.
 */
import type { Stream } from '@libp2p/interface';
import { joinBlock, parentCertificateHash } from '../../../src/chain/block.ts';
import { decodeCompactProposal, encodeCompactProposal, shortIds } from '../../../src/chain/compact.ts';
import { decodeHeader, encodeHeader, headerHash } from '../../../src/chain/header.ts';
import { type Bytes, equal, keyOf } from '../../../src/codec/bytes.ts';
import { sha256 } from '../../../src/codec/hash.ts';
import { decodeCertificate } from '../../../src/consensus/certificate.ts';
import { leaderOf } from '../../../src/consensus/leader.ts';
import { FINALIZE, NOTARIZE, NULLIFY, type Subject } from '../../../src/consensus/types.ts';
import { subjectView } from '../../../src/consensus/vote.ts';
import { transactionRoot } from '../../../src/ledger/merkle.ts';
import { encodeTransactionList, METHOD } from '../../../src/node/requests.ts';
import { peerIdOfSeed } from '../../../src/p2p/host.ts';
import { signRecord } from '../../../src/p2p/record.ts';
import { encodePartHeader, encodeProposal, encodeVote, PROTOCOL } from '../../../src/p2p/wire.ts';
import { decodeTransaction } from '../../../src/tx/decode.ts';
import { transactionId } from '../../../src/tx/encode.ts';
import { push } from '../hosts.ts';
import { type Hand, type Kind, pause } from '../kind.ts';
import { invalidTransaction } from '../transactions.ts';
import type { Insider, World } from '../world.ts';
import { signedVote } from './consensus.ts';

interface Line {
  readonly votes: Stream;
  readonly proposals: Stream;
}

/** What the insider serves to those who pull a body. */
const bodies = new Map<string, { readonly block: Bytes; readonly transactions: readonly Bytes[] }>();
let lastServed: string | undefined;

function bodyAnswer(id: number, method: number): readonly Bytes[] {
  const body = lastServed === undefined ? undefined : bodies.get(lastServed);
  if (body === undefined) return [];
  const answer = method === METHOD.block ? body.block : encodeTransactionList(body.transactions);
  return method === METHOD.block || method === METHOD.transactions
    ? [encodePartHeader(id, true, answer.length), answer]
    : [];
}

interface Tip {
  readonly view: number;
  readonly header: Bytes;
  readonly certificate: Bytes;
}

/** The running view, and the newest proposal with its notarization. */
function look(world: World): { view: number; tip: Tip | undefined } {
  const { certificates, proposals } = world.capture;
  let view = world.view;
  let tip: Tip | undefined;
  for (const bytes of certificates.slice(-24)) {
    const { subject } = decodeCertificate(bytes, world.set);
    view = Math.max(view, subjectView(subject) + 1);
    if (subject.kind !== NOTARIZE || subject.proposal.view < (tip?.view ?? 0)) continue;
    for (const proposal of proposals.slice(-24)) {
      const { headerBytes } = decodeCompactProposal(proposal, world.genesis.parameters.maxBlockBytes);
      if (equal(headerHash(headerBytes), subject.proposal.payload))
        tip = { view: subject.proposal.view, header: headerBytes, certificate: bytes };
    }
  }
  return { view, tip };
}

/** A block on the tip whose header is well formed and whose roots are made up. */
function badBlock(
  hand: Hand,
  insider: Insider,
  view: number,
  tip: Tip,
  form: 'root' | 'oversize' | 'withheld' | 'signature',
): Bytes {
  const { world, rng } = hand;
  const parent = decodeHeader(tip.header);
  const transactions = form === 'signature' ? [invalidTransaction(world, rng)] : [];
  const leaves = transactions.flatMap((bytes) => {
    try {
      return [{ id: transactionId(decodeTransaction(bytes).bodyBytes), wireHash: sha256(bytes) }];
    } catch {
      return [];
    }
  });
  const headerBytes = encodeHeader({
    ...parent,
    parent: headerHash(tip.header),
    height: parent.height + 1,
    view,
    parentView: tip.view,
    proposer: insider.key.publicKey,
    time: Math.max(parent.time + 1, Date.now()),
    transactionRoot: transactionRoot(leaves),
    parentCertificateHash: parentCertificateHash(tip.certificate),
    stateRoot: rng.bytes(32),
  });
  const hash = headerHash(headerBytes);
  if (form !== 'withheld') {
    lastServed = keyOf(hash);
    bodies.set(lastServed, {
      block: joinBlock(headerBytes, tip.certificate, transactions).bytes,
      transactions,
    });
    if (bodies.size > 64) bodies.delete(bodies.keys().next().value ?? '');
  }
  const ids =
    form === 'oversize'
      ? world.noise.slice(0, 8 * 83_000)
      : form === 'withheld'
        ? rng.bytes(80)
        : shortIds(
            hash,
            transactions.map((tx) => sha256(tx)),
          );
  const subject: Subject = {
    kind: NOTARIZE,
    proposal: { epoch: 0, view, parentView: tip.view, payload: hash },
  };
  return encodeCompactProposal({
    vote: signedVote(world, subject, insider.index, insider.key),
    headerBytes,
    parentCertificate: tip.certificate,
    shortIds: ids,
  });
}

async function lead(
  hand: Hand,
  insider: Insider,
  view: number,
  tip: Tip,
  lines: readonly Line[],
): Promise<void> {
  const form = hand.rng.pick(['root', 'root', 'oversize', 'withheld', 'signature'] as const);
  const first = badBlock(hand, insider, view, tip, form);
  const second = hand.rng.chance(0.5) ? badBlock(hand, insider, view, tip, 'root') : first;
  for (const [i, { proposals }] of lines.entries()) {
    await push(proposals, encodeProposal(i % 2 === 0 ? first : second));
    hand.sent++;
  }
}

/** Every vote that there is for the running view, and some for views that are far. */
function* ballots(hand: Hand, insider: Insider, view: number): Generator<Bytes> {
  const { world, rng } = hand;
  const sign = (subject: Subject): Bytes =>
    encodeVote(signedVote(world, subject, insider.index, insider.key));
  for (const at of [view, view + 1, view + rng.int(2, 1e6), 2 ** 51]) {
    yield sign({ kind: NULLIFY, epoch: 0, view: at });
    for (const kind of [NOTARIZE, FINALIZE] as const) {
      for (let n = 0; n < 3; n++)
        yield sign({ kind, proposal: { epoch: 0, view: at, parentView: at - 1, payload: rng.bytes(32) } });
    }
  }
  const proposal = world.capture.proposals.at(-1);
  if (proposal === undefined) return;
  const { headerBytes } = decodeCompactProposal(proposal, world.genesis.parameters.maxBlockBytes);
  const { view: seen, parentView } = decodeHeader(headerBytes);
  const real = { epoch: 0, view: seen, parentView, payload: headerHash(headerBytes) };
  for (const kind of [NOTARIZE, FINALIZE] as const) yield sign({ kind, proposal: real });
}

async function betray(hand: Hand): Promise<void> {
  const { world, insider } = hand;
  if (insider === undefined) throw new Error('there is no insider');
  const own = signRecord(
    {
      consensusKey: insider.key.publicKey,
      peerId: (await peerIdOfSeed(hand.identity)).toMultihash().bytes,
      addresses: [],
      sequence: Date.now(),
    },
    world.genesisHash,
    insider.key,
  );
  const tried = await Promise.allSettled(
    world.targets.map(async (target): Promise<Line> => {
      const session = await hand.session(target);
      await session.greet(world, { own });
      return {
        votes: await session.stream(PROTOCOL.votes),
        proposals: await session.stream(PROTOCOL.proposals),
      };
    }),
  );
  // the node whose key this is does not run any more
  const lines = tried.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  if (lines.length < 2) throw new Error('shut out');
  let led = 0;
  while (hand.on) {
    const { view, tip } = look(world);
    world.view = Math.max(world.view, view);
    if (tip !== undefined && view > led && leaderOf(world.set, view) === insider.index) {
      led = view;
      await lead(hand, insider, view, tip, lines);
    }
    for (const ballot of ballots(hand, insider, view)) {
      for (const { votes } of lines) await push(votes, ballot);
      hand.sent += lines.length;
    }
    await pause(20);
  }
}

export const INSIDER: readonly Kind[] = [
  {
    name: 'a validator that votes for everything and proposes bad blocks',
    group: 'insider',
    hands: 1,
    host: { answer: bodyAnswer },
    step: betray,
  },
];
