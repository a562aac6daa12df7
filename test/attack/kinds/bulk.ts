/** Questions: too many, too large, broken, withdrawn, and answers that nobody reads. */

import { decodeCompactProposal } from '../../../src/chain/compact.ts';
import { headerHash } from '../../../src/chain/header.ts';
import type { Bytes } from '../../../src/codec/bytes.ts';
import {
  encodeCertificateRequest,
  encodeRangeRequest,
  encodeTransactionsRequest,
  METHOD,
} from '../../../src/node/requests.ts';
import { frame } from '../../../src/p2p/framing.ts';
import { encodeCancel, encodePartHeader, encodeRequest, PROTOCOL } from '../../../src/p2p/wire.ts';
import { push } from '../hosts.ts';
import { type Hand, type Kind, pause } from '../kind.ts';
import { garbage, mutate } from '../world.ts';

const MIB = 1024 * 1024;

/** A request that an honest node could make. */
function question(hand: Hand): { method: number; payload: Bytes } {
  const { rng, world } = hand;
  const proposal = world.capture.proposals.at(-1);
  const hash =
    proposal === undefined
      ? rng.bytes(32)
      : headerHash(decodeCompactProposal(proposal, world.genesis.parameters.maxBlockBytes).headerBytes);
  switch (rng.int(1, 5)) {
    case METHOD.block:
      return { method: METHOD.block, payload: rng.chance(0.5) ? hash : rng.bytes(32) };
    case METHOD.transactions:
      return {
        method: METHOD.transactions,
        payload: encodeTransactionsRequest({ hash, indexes: [0, 1, 2] }),
      };
    case METHOD.range:
      return {
        method: METHOD.range,
        payload: encodeRangeRequest({ from: rng.int(1, Math.max(1, world.height)), maxBytes: 16 * MIB }),
      };
    case METHOD.certificate:
      return {
        method: METHOD.certificate,
        payload: encodeCertificateRequest({ kind: rng.int(1, 3), view: rng.int(1, world.view + 3) }),
      };
    default:
      return { method: rng.int(5, 65_535), payload: garbage(world, rng, rng.int(0, 1_000)) };
  }
}

async function ask(
  hand: Hand,
  reading: 'all' | 'nothing' | 'slowly',
  make: (id: number) => readonly Bytes[],
): Promise<void> {
  const session = await hand.ready();
  const stream = await session.stream(PROTOCOL.bulk);
  if (reading === 'all') stream.addEventListener('message', () => undefined);
  else stream.pause();
  const drip =
    reading === 'slowly'
      ? setInterval(() => {
          stream.resume();
          stream.pause();
        }, 1_000)
      : undefined;
  try {
    for (let id = 1; hand.on; id++) {
      for (const message of make(id)) await push(stream, message);
      hand.sent++;
      if (id % 32 === 0) await pause(1);
      if (!session.alive) throw new Error('cut off');
    }
  } finally {
    clearInterval(drip);
  }
}

export const BULK: readonly Kind[] = [
  {
    name: 'requests flipped and cut',
    group: 'bulk',
    step: (hand) =>
      ask(hand, 'all', (id) => {
        const { method, payload } = question(hand);
        const message = encodeRequest(id, method, MIB, payload);
        return [
          hand.rng.chance(0.2) ? mutate(hand.rng, message) : frame(mutate(hand.rng, message.subarray(4))),
        ];
      }),
  },
  {
    name: 'requests as fast as they go',
    group: 'bulk',
    hands: 4,
    step: (hand) =>
      ask(hand, 'all', (id) => {
        const { method, payload } = question(hand);
        return [encodeRequest(id, method, 16 * MIB, payload)];
      }),
  },
  {
    name: 'the largest ranges, of which nothing is read',
    group: 'bulk',
    hands: 4,
    step: (hand) =>
      ask(hand, 'nothing', (id) => [
        encodeRequest(id, METHOD.range, 16 * MIB, encodeRangeRequest({ from: 1, maxBytes: 16 * MIB })),
      ]),
  },
  {
    name: 'the largest ranges, read a little a second',
    group: 'bulk',
    hands: 4,
    step: (hand) =>
      ask(hand, 'slowly', (id) => [
        encodeRequest(id, METHOD.range, 16 * MIB, encodeRangeRequest({ from: 1, maxBytes: 16 * MIB })),
      ]),
  },
  {
    name: 'requests that are withdrawn at once',
    group: 'bulk',
    step: (hand) =>
      ask(hand, 'all', (id) => {
        const { method, payload } = question(hand);
        return [encodeRequest(id, method, 16 * MIB, payload), encodeCancel(id)];
      }),
  },
  {
    name: 'one id for two requests',
    group: 'bulk',
    step: (hand) => ask(hand, 'all', () => [encodeRequest(1, METHOD.range, MIB, Uint8Array.of(0x92, 1, 1))]),
  },
  {
    name: 'wrong answers to what nodes ask',
    group: 'bulk',
    host: {
      answer: (id, method) => {
        const part = new Uint8Array(1_000).fill(method);
        return [encodePartHeader(id, true, part.length), part];
      },
    },
    step: async (hand) => {
      const session = await hand.ready();
      while (hand.on && session.alive) await pause(50);
      hand.sent++;
      if (!session.alive) throw new Error('cut off');
    },
  },
];
