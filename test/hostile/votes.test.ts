/**
 * One dishonest validator, and strangers, against the consensus of a node: a hundred thousand votes and
 * certificates through the very handlers that the network calls. What they cost is bounded in signatures that
 * are looked at and in views that are held, and the node goes on.
 */
import { describe, expect, it } from 'vitest';
import type { Bytes } from '../../src/codec/bytes.ts';
import { encodeCertificate } from '../../src/consensus/certificate.ts';
import { Pacing } from '../../src/consensus/engine/pacing.ts';
import { Engine } from '../../src/consensus/engine.ts';
import type { EngineEvent, Judgement } from '../../src/consensus/events.ts';
import { JournalState } from '../../src/consensus/journal/state.ts';
import type { Certificate, Subject, Vote } from '../../src/consensus/types.ts';
import { encodeVote, MAX_VIEW } from '../../src/consensus/vote.ts';
import type { SignatureVerifier } from '../../src/crypto/interfaces.ts';
import { Exchanged } from '../../src/node/exchanged.ts';
import type { LaneParts } from '../../src/node/lane-parts.ts';
import { networkHandlers } from '../../src/node/lanes.ts';
import type { Verdict } from '../../src/p2p/types.ts';
import { committee, F, GENESIS, GENESIS_HASH, N, proposal, X } from '../consensus/support.ts';
import { Prng } from '../simulator/prng.ts';

const { set, scheme, vote, certificate } = committee();
const FLOOR = 50;
const NOW = FLOOR + 1;

/** A node in view 51, above final view 50, whose set has four members of which it is the first. */
function node() {
  let looked = 0;
  const verifier: SignatureVerifier = {
    name: 'counting',
    verify: (signature, message, key) => {
      looked++;
      return scheme.verifier.verify(signature, message, key);
    },
  };
  const { engine } = Engine.start(
    {
      set,
      genesisHash: GENESIS_HASH,
      self: 0,
      verifier,
      pacing: new Pacing({ blockInterval: 200, delta: 50, executionBudget: 100 }, () => 0.5),
    },
    { proposal: GENESIS, finalization: undefined },
    new JournalState(),
    0,
  );
  let effects = 0;
  const step = (event: EngineEvent): Judgement => {
    const done = engine.step(event, 0);
    effects += done.effects.length;
    return done.judgement;
  };
  const replica = {
    onVote: (given: Vote, from: number) => step({ type: 'vote', vote: given, from }),
    onCertificate: (given: Certificate, peer: string) =>
      step({ type: 'certificate', certificate: given, peer }),
  };
  const handlers = networkHandlers(
    () =>
      ({
        replica,
        set,
        genesisHash: GENESIS_HASH,
        verifier,
        exchanged: new Exchanged(),
      }) as unknown as LaneParts,
    () => 0,
  );
  const take = (given: Certificate) => handlers.onCertificate(encodeCertificate(given), 'peer');
  expect(take(certificate(F(proposal(FLOOR, FLOOR - 1)), [1, 2, 3]))).toBe('accept');
  expect(engine.view).toBe(NOW);
  looked = 0;
  effects = 0;
  return { engine, handlers, take, cost: () => ({ looked, effects, rounds: engine.roundCount }) };
}

/** What the handlers said, and how often. */
function tally(verdicts: Iterable<Verdict>): Partial<Record<Verdict, number>> {
  const counts: Partial<Record<Verdict, number>> = {};
  for (const verdict of verdicts) counts[verdict] = (counts[verdict] ?? 0) + 1;
  return counts;
}

const times = function* <T>(count: number, make: (i: number) => T): Generator<T> {
  for (let i = 0; i < count; i++) yield make(i);
};

const fake = (subject: Subject, signer: number): Bytes =>
  encodeVote({ subject, signer, signature: new Uint8Array(64).fill(7) });

describe('a hundred thousand votes', () => {
  it('of old and of far views, and the same again, cost no signature, no memory and no effect', () => {
    const { handlers, cost } = node();
    const first = encodeVote(vote(1, X(NOW)));
    expect(handlers.onVote(first, 1, 'peer')).toBe('accept');
    const before = cost();
    const random = new Prng('old and far');
    const votes = [
      ...times(3_000, (i) => {
        const far = NOW + 2 + random.int(0, 10 ** random.int(1, 15));
        const view = i % 2 === 0 ? random.int(1, FLOOR) : Math.min(far, MAX_VIEW);
        return fake(random.pick([N(proposal(view, 0)), X(view), F(proposal(view, 0))]), 1);
      }),
      first,
    ];
    const verdicts = times(100_000, (i) => handlers.onVote(votes[i % votes.length]!, 1, 'peer'));
    expect(tally(verdicts)).toEqual({ ignore: 100_000 });
    expect(cost()).toEqual(before);
  });

  it('that contradict each other cost two signatures a kind and view, and are told of once', () => {
    const { handlers, cost } = node();
    const votes = [
      ...times(3_000, (i) => {
        const block = proposal(NOW + (i & 1), FLOOR, `fork ${i}`);
        return encodeVote(vote(1, [N(block), F(block), X(block.view)][i % 3]!));
      }),
    ];
    const verdicts = times(100_000, (i) => handlers.onVote(votes[i % votes.length]!, 1, 'peer'));
    expect(tally(verdicts).reject).toBeUndefined();
    const { looked, rounds, effects } = cost();
    expect(looked).toBeLessThanOrEqual(12);
    expect(rounds).toBeLessThanOrEqual(4);
    expect(effects).toBeLessThan(40);
  });

  it('under another name, or of a signer that the set does not have, are refused unseen', () => {
    const { handlers, cost } = node();
    const before = cost();
    const votes = [
      ...times(1_000, (i) => encodeVote({ ...vote(2, X(NOW)), signer: i % 2 === 0 ? 2 : 4 + i })),
    ];
    const verdicts = times(100_000, (i) => handlers.onVote(votes[i % votes.length]!, 1, 'peer'));
    expect(tally(verdicts)).toEqual({ reject: 100_000 });
    expect(cost()).toEqual(before);
  });

  it('leave the view open to honest ones', () => {
    const { engine, handlers } = node();
    for (let i = 0; i < 1_000; i++)
      handlers.onVote(encodeVote(vote(1, N(proposal(NOW, FLOOR, `${i}`)))), 1, 'peer');
    for (const signer of [1, 2, 3]) handlers.onVote(encodeVote(vote(signer, X(NOW))), signer, 'peer');
    expect(engine.view).toBe(NOW + 1);
  });
});

describe('certificates', () => {
  it('with one wrong signature are refused, of whatever view, and nothing of them is kept', () => {
    const { engine, handlers, cost } = node();
    const before = cost().rounds;
    for (let i = 0; i < 2_000; i++) {
      const view = NOW + 1 + i * 10_000_019;
      const good = certificate(i % 2 === 0 ? X(view) : N(proposal(view, FLOOR)), [1, 2, 3]);
      const signatures = [...good.signatures.slice(0, 2), new Uint8Array(64).fill(9)];
      expect(handlers.onCertificate(encodeCertificate({ ...good, signatures }), 'peer')).toBe('reject');
    }
    expect(cost().rounds).toBe(before);
    expect(engine.view).toBe(NOW);
  });

  it('with other bitmaps, doubled signers or too little stake are refused before any signature', () => {
    const { handlers, cost } = node();
    const { looked } = cost();
    const good = certificate(X(NOW), [1, 2, 3]);
    const [a, b, c] = good.signatures as [Bytes, Bytes, Bytes];
    const variants: Partial<Certificate>[] = [
      { signers: Uint8Array.of(0b1110, 0) },
      { signers: new Uint8Array(0) },
      { signers: Uint8Array.of(0b1_1110), signatures: [a, b, c, c] },
      { signers: Uint8Array.of(0b0110) },
      { signers: Uint8Array.of(0b1111) },
      { signers: Uint8Array.of(0b0010), signatures: [a, a, a] },
      { signers: Uint8Array.of(0b0110), signatures: [a, b] },
      { signers: Uint8Array.of(0), signatures: [] },
      { signatures: [a, b, c, c] },
      { subject: X(NOW, 1) },
      { subject: N(proposal(NOW, NOW)) },
    ];
    for (const variant of variants) {
      expect(handlers.onCertificate(encodeCertificate({ ...good, ...variant }), 'peer')).toBe('reject');
    }
    const skewed = committee([1, 1, 1, 97]);
    const light = encodeCertificate({
      ...good,
      signatures: [0, 1, 2].map((i) => skewed.vote(i, X(NOW)).signature),
      signers: Uint8Array.of(0b0111),
    });
    const replica = { onCertificate: () => ({ ok: true, useful: true }) };
    const theirs = networkHandlers(() => ({ set: skewed.set, replica }) as unknown as LaneParts);
    expect(theirs.onCertificate(light, 'peer')).toBe('reject');
    expect(cost().looked).toBe(looked);
  });
});
