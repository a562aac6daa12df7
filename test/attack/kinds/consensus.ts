/** Votes, certificates and proposals of somebody who has no stake. */
import { decodeCompactProposal, encodeCompactProposal } from '../../../src/chain/compact.ts';
import { decodeHeader, encodeHeader, type Header, headerHash } from '../../../src/chain/header.ts';
import type { Bytes } from '../../../src/codec/bytes.ts';
import {
  encodeCertificate as certificateBytes,
  decodeCertificate,
} from '../../../src/consensus/certificate.ts';
import { NOTARIZE, NULLIFY, type Subject } from '../../../src/consensus/types.ts';
import { decodeVote, encodeVote, voteMessage } from '../../../src/consensus/vote.ts';
import type { SigningKey } from '../../../src/crypto/interfaces.ts';
import {
  encodeCertificate,
  encodeProposal,
  encodeVote as frameVote,
  PROTOCOL,
} from '../../../src/p2p/wire.ts';
import { push } from '../hosts.ts';
import { type Hand, type Kind, pause } from '../kind.ts';
import { mutate, type World } from '../world.ts';

export function signedVote(world: World, subject: Subject, signer: number, key: SigningKey): Bytes {
  const signature = key.sign(voteMessage(world.genesisHash, subject));
  return encodeVote({ subject, signer, signature });
}

/** Messages on one lane for as long as the node takes them; `make` may have none at the moment. */
async function pour(hand: Hand, lane: string, make: () => Bytes | undefined, restMs = 0): Promise<void> {
  const session = await hand.ready();
  const stream = await session.stream(lane);
  while (hand.on) {
    const message = make();
    if (message !== undefined) {
      await push(stream, message);
      hand.sent++;
    }
    if (restMs > 0 || message === undefined || hand.sent % 64 === 0) await pause(restMs);
    if (!session.alive) throw new Error('cut off');
  }
}

const any = <T>(hand: Hand, list: readonly T[]): T | undefined =>
  list.length === 0 ? undefined : hand.rng.pick(list);

/** A captured proposal with another header, and a vote for it of whoever has `key`. */
function reheaded(
  world: World,
  proposal: Bytes,
  change: (header: Header) => Header,
  key: SigningKey,
  shortIds?: Bytes,
): Bytes {
  const captured = decodeCompactProposal(proposal, world.genesis.parameters.maxBlockBytes);
  const vote = decodeVote(captured.vote, world.set.validators.length);
  const headerBytes = encodeHeader(change(decodeHeader(captured.headerBytes)));
  const header = decodeHeader(headerBytes);
  const subject: Subject = {
    kind: NOTARIZE,
    proposal: {
      epoch: 0,
      view: header.view,
      parentView: header.parentView,
      payload: headerHash(headerBytes),
    },
  };
  return encodeCompactProposal({
    ...captured,
    vote: signedVote(world, subject, vote.signer, key),
    headerBytes,
    shortIds: shortIds ?? captured.shortIds,
  });
}

export const CONSENSUS: readonly Kind[] = [
  {
    name: 'votes and certificates flipped and cut',
    group: 'consensus',
    step: (hand) =>
      pour(hand, PROTOCOL.votes, () => {
        const { votes, certificates } = hand.world.capture;
        const body = any(hand, hand.rng.chance(0.3) ? votes : certificates);
        return body && encodeCertificate(mutate(hand.rng, body));
      }),
  },
  {
    name: 'votes of a stranger, for old, running and far views',
    group: 'consensus',
    step: (hand) =>
      pour(hand, PROTOCOL.votes, () => {
        const { world, rng } = hand;
        const view = rng.pick([1, world.view, world.view + 1, world.view + rng.int(2, 1e6), 2 ** 52]);
        const subject: Subject = { kind: NULLIFY, epoch: 0, view };
        return frameVote(
          signedVote(world, subject, rng.int(0, world.set.validators.length - 1), rng.pick(world.accounts)),
        );
      }),
  },
  {
    name: 'true certificates of old views, without end',
    group: 'consensus',
    hands: 4,
    step: (hand) =>
      pour(hand, PROTOCOL.votes, () => {
        const body = any(hand, hand.world.capture.certificates.slice(0, 64));
        return body && encodeCertificate(body);
      }),
  },
  {
    name: 'certificates with broken bitmaps and signatures',
    group: 'consensus',
    step: (hand) =>
      pour(hand, PROTOCOL.votes, () => {
        const { rng, world } = hand;
        const body = any(hand, world.capture.certificates);
        if (body === undefined) return undefined;
        const certificate = decodeCertificate(body, world.set);
        const { subject } = certificate;
        const view = world.view + rng.int(0, 3);
        const ahead: Subject =
          subject.kind === NULLIFY
            ? { ...subject, view }
            : { ...subject, proposal: { ...subject.proposal, view } };
        const signers = rng.chance(0.3) ? Uint8Array.of(255) : certificate.signers;
        return encodeCertificate(certificateBytes({ ...certificate, subject: ahead, signers }));
      }),
  },
  {
    name: 'true proposals, old and new, without end',
    group: 'consensus',
    step: (hand) =>
      pour(
        hand,
        PROTOCOL.proposals,
        () => {
          const body = any(hand, hand.world.capture.proposals);
          return body && encodeProposal(body);
        },
        1,
      ),
  },
  {
    name: 'proposals flipped and cut',
    group: 'consensus',
    step: (hand) =>
      pour(hand, PROTOCOL.proposals, () => {
        const body = hand.world.capture.proposals.at(-1);
        return body && encodeProposal(mutate(hand.rng, body));
      }),
  },
  {
    name: 'proposals with wrong leader, parent, root, time or size',
    group: 'consensus',
    step: (hand) =>
      pour(hand, PROTOCOL.proposals, () => {
        const { world, rng } = hand;
        const body = world.capture.proposals.at(-1);
        if (body === undefined) return undefined;
        const change = rng.pick<(header: Header) => Header>([
          (h) => ({ ...h, parent: rng.bytes(32) }),
          (h) => ({ ...h, stateRoot: rng.bytes(32) }),
          (h) => ({ ...h, proposer: rng.bytes(32) }),
          (h) => ({ ...h, time: h.time + 86_400_000 }),
          (h) => ({ ...h, view: world.view + 1, height: h.height + 1 }),
        ]);
        const shortIds = rng.chance(0.3) ? world.noise.slice(0, 640_000) : undefined;
        return encodeProposal(reheaded(world, body, change, rng.pick(world.accounts), shortIds));
      }),
  },
];
