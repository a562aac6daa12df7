/**
 * The state machine by hand: one replica's view of a committee whose other members are played by the test. The bugs
 * that other implementations had are in bugs/.
 */
import { describe, expect, it } from 'vitest';
import type { Judgement } from '../../src/consensus/events.ts';
import {
  type Certificate,
  FINALIZE,
  NOTARIZE,
  NULLIFY,
  type Subject,
  type Vote,
} from '../../src/consensus/types.ts';
import { Bench, BODY, led } from './bench.ts';
import { committee, F, GENESIS, N, proposal, X } from './support.ts';

/** Validator 0, which leads none of the first five views. */
const follower = (): Bench => new Bench(led([1, 2, 3, 1, 2]), 0);
const p1 = proposal(1, 0);
const p2 = proposal(2, 1);

/** Views 1 … `to` notarized and executed, none final. */
function upTo(bench: Bench, to: number): void {
  for (let view = 1; view <= to; view++) {
    bench.certificate(N(proposal(view, view - 1)), [1, 2, 3]);
    bench.certified(proposal(view, view - 1));
  }
}

describe('a view that goes well', () => {
  it('goes from proposal to N, to execution, to F and the next view, to finality', () => {
    const bench = follower();
    expect(bench.propose(p1)).toEqual({ ok: true, useful: true });
    expect(bench.take('verify')).toMatchObject([{ proposal: p1, parent: GENESIS, leader: 1 }]);
    bench.verified(p1, GENESIS);
    expect(bench.kinds(1)).toEqual([NOTARIZE]);
    expect(bench.take('certify')).toEqual([]);
    bench.vote(2, N(p1));
    expect(bench.take('broadcast-certificate')).toHaveLength(1);
    expect(bench.take('certify')).toMatchObject([{ proposal: p1, parent: GENESIS }]);
    expect(bench.engine.view).toBe(1);
    bench.certified(p1);
    expect(bench.engine.view).toBe(2);
    expect(bench.kinds(1)).toEqual([NOTARIZE, FINALIZE]);
    bench.vote(1, F(p1));
    expect(bench.take('finalize')).toEqual([]);
    bench.vote(3, F(p1));
    expect(bench.take('finalize')).toMatchObject([
      { proposals: [p1], gap: false, notarizations: [{}], nullifications: [] },
    ]);
    expect(bench.engine.lastFinal).toEqual(p1);
  });

  it('has the body in the journal before the vote', () => {
    const bench = follower();
    bench.propose(p1);
    bench.out = [];
    bench.verified(p1, GENESIS);
    const order = bench.out.map((effect) => (effect.type === 'journal' ? effect.record.type : effect.type));
    expect(order.indexOf('body')).toBeLessThan(order.indexOf('sign'));
    expect(order).toContain('send-vote');
  });

  it('is led by building on the highest certified block, at the pace', () => {
    const bench = new Bench(led([1, 0]), 0);
    bench.propose(p1);
    bench.now += 50;
    bench.certificate(N(p1), [1, 2, 3]);
    bench.certified(p1);
    expect(bench.take('build')).toEqual([]);
    bench.pass(149);
    expect(bench.take('build')).toEqual([]);
    bench.pass(1);
    const [build] = bench.take('build');
    expect(build).toMatchObject({ view: 2, parent: p1, deadlineMs: bench.now + 100 });
    expect(build!.parentCertificate!.subject).toEqual(N(p1));
    bench.step({ type: 'built', view: 2, parent: p1, block: { payload: p2.payload, body: BODY } });
    expect(bench.has(N(p2))).toBe(true);
    expect(bench.take('send-proposal')).toHaveLength(1);
    expect(bench.take('verify')).toMatchObject([{ proposal: p1 }]);
  });

  it('needs one validator alone when there is only one', () => {
    const bench = new Bench(committee([5]), 0);
    for (let view = 1; view <= 5; view++) {
      while (bench.take('build').length === 0) bench.pass(1);
      const p = proposal(view, view - 1);
      const parent = view === 1 ? GENESIS : proposal(view - 1, view - 2);
      bench.step({ type: 'built', view, parent, block: { payload: p.payload, body: BODY } });
      bench.certified(p);
      expect(bench.engine.lastFinal).toEqual(p);
    }
    expect(bench.engine.roundCount).toBeLessThan(4);
  });

  it('is followed without a key, and without a vote', () => {
    const bench = new Bench(led([1, 2, 3, 1, 2]), undefined);
    upTo(bench, 3);
    bench.pass(10_000);
    bench.certificate(F(proposal(3, 2)), [1, 2, 3]);
    expect(bench.engine.lastFinal.view).toBe(3);
    expect(bench.take('finalize')[0]!.proposals.map(({ view }) => view)).toEqual([1, 2, 3]);
    expect(bench.signed).toEqual([]);
    expect(bench.take('send-vote')).toEqual([]);
  });
});

describe('a view that goes wrong', () => {
  const reason = (bench: Bench): unknown =>
    bench.reports('missed').map((effect) => (effect as { report: { reason: string } }).report.reason);

  it('is nullified when no proposal comes, and X is sent again while it lasts', () => {
    const bench = follower();
    bench.pass(299);
    expect(bench.kinds(1)).toEqual([]);
    bench.pass(1);
    expect(bench.kinds(1)).toEqual([NULLIFY]);
    expect(reason(bench)).toEqual(['no-proposal']);
    bench.take('send-vote');
    bench.pass(3_000);
    expect(bench.take('send-vote')).toHaveLength(3);
    expect(bench.kinds(1)).toEqual([NULLIFY]);
    bench.vote(1, X(1));
    bench.vote(2, X(1));
    expect(bench.engine.view).toBe(2);
    bench.pass(299);
    bench.take('send-vote');
    expect(bench.kinds(2)).toEqual([]);
  });

  it('is nullified when no verdict comes, after N', () => {
    const bench = follower();
    bench.propose(p1);
    bench.verified(p1, GENESIS);
    bench.pass(449);
    expect(bench.kinds(1)).toEqual([NOTARIZE]);
    bench.pass(1);
    expect(bench.kinds(1)).toEqual([NOTARIZE, NULLIFY]);
    expect(reason(bench)).toEqual(['no-verdict']);
  });

  it('is nullified at once for an invalid proposal, an impossible parent or a leader that gives up', () => {
    const invalid = follower();
    invalid.propose(p1);
    invalid.verified(p1, GENESIS, false);
    expect(reason(invalid)).toEqual(['invalid-proposal']);
    const impossible = follower();
    impossible.propose(proposal(1, 1));
    expect(reason(impossible)).toEqual(['invalid-parent']);
    const resigned = follower();
    resigned.vote(2, X(1));
    expect(resigned.kinds(1)).toEqual([]);
    resigned.vote(1, X(1));
    expect(reason(resigned)).toEqual(['leader-nullified']);
    const below = follower();
    upTo(below, 2);
    below.certificate(F(p2), [1, 2, 3]);
    below.propose(proposal(3, 1));
    expect(below.kinds(3)).toEqual([NULLIFY]);
  });

  it('is nullified by a leader that cannot build', () => {
    const bench = new Bench(led([0]), 0);
    expect(bench.take('build')).toHaveLength(1);
    bench.step({ type: 'built', view: 1, parent: GENESIS, block: undefined });
    expect(reason(bench)).toEqual(['build-failed']);
    expect(bench.kinds(1)).toEqual([NULLIFY]);
  });

  it('is given up by a leader whose block is not built in time', () => {
    const bench = new Bench(led([0]), 0);
    bench.pass(149);
    expect(bench.kinds(1)).toEqual([]);
    bench.pass(1);
    expect(reason(bench)).toEqual(['build-failed']);
    bench.step({ type: 'built', view: 1, parent: GENESIS, block: { payload: p1.payload, body: BODY } });
    expect(bench.kinds(1)).toEqual([NULLIFY]);
  });

  it('ends with X, not F, when the notarized block turns out invalid', () => {
    const bench = follower();
    bench.certificate(N(p1), [1, 2, 3]);
    bench.certified(p1, false);
    expect(bench.kinds(1)).toEqual([NULLIFY]);
    bench.certificate(X(1), [1, 2, 3]);
    bench.propose(p2);
    expect(reason(bench)).toContain('invalid-parent');
    expect(bench.kinds(2)).toEqual([NULLIFY]);
  });

  it('is executed all the same after X, and never gets F', () => {
    const bench = follower();
    bench.pass(300);
    bench.certificate(N(p1), [1, 2, 3]);
    expect(bench.take('certify')).toHaveLength(1);
    bench.certified(p1);
    expect(bench.engine.view).toBe(2);
    expect(bench.kinds(1)).toEqual([NULLIFY]);
  });

  it('waits longer with every view since the last finalization, and only a finalization ends that', () => {
    const bench = follower();
    const wait = (view: number): number => {
      const before = bench.now;
      while (!bench.has(X(view))) bench.pass(1);
      bench.certificate(X(view), [1, 2, 3]);
      return bench.now - before;
    };
    const waits = Array.from({ length: 16 }, (_, at) => wait(at + 1));
    expect(waits.slice(0, 4)).toEqual([300, 300, 360, 432]);
    expect(waits[15]).toBe(2_400);
    bench.certificate(N(proposal(17, 0)), [1, 2, 3]);
    bench.certified(proposal(17, 0));
    bench.certificate(F(proposal(17, 0)), [1, 2, 3]);
    expect(wait(18)).toBe(300);
    expect(wait(19)).toBe(300);
  });
});

describe('proposals with a history', () => {
  it('wait for the nullifications of the views that they skip', () => {
    const bench = follower();
    upTo(bench, 1);
    bench.certificate(X(3), [1, 2, 3]);
    expect(bench.engine.view).toBe(4);
    bench.take('request-certificate');
    const late = proposal(4, 1);
    bench.propose(late);
    expect(bench.take('verify').map(({ proposal: p }) => p.view)).not.toContain(4);
    expect(bench.take('request-certificate')).toMatchObject([
      { query: { kind: NULLIFY, view: 2 }, preferred: 1 },
    ]);
    bench.certificate(X(2), [1, 2, 3]);
    expect(bench.take('verify')).toMatchObject([{ proposal: late, parent: p1 }]);
  });

  it('wait for their parent, which is fetched from their leader, then from anyone', () => {
    const bench = follower();
    bench.certificate(X(2), [1, 2, 3]);
    const late = proposal(3, 1);
    bench.propose(late);
    const first = bench.take('request-certificate').filter(({ query }) => query.view === 1);
    expect(first).toMatchObject([{ query: { kind: NOTARIZE, view: 1 }, preferred: 3 }]);
    bench.pass(130);
    const again = bench.take('request-certificate').filter(({ query }) => query.kind === NOTARIZE);
    expect(again).toMatchObject([{ query: { kind: NOTARIZE, view: 1 }, preferred: undefined }]);
    bench.certificate(N(p1), [1, 2, 3]);
    expect(bench.take('verify')).toEqual([]);
    bench.certified(p1);
    expect(bench.take('verify')).toMatchObject([{ proposal: late, parent: p1 }]);
  });

  it('are executed after their parents, whatever order the certificates come in', () => {
    const bench = follower();
    bench.certificate(N(proposal(3, 2)), [1, 2, 3]);
    expect(bench.engine.view).toBe(3);
    expect(bench.take('certify')).toEqual([]);
    bench.certificate(N(p2), [1, 2, 3]);
    bench.certificate(N(p1), [1, 2, 3]);
    expect(bench.take('certify').map(({ proposal: p }) => p.view)).toEqual([1]);
    bench.certified(p1);
    expect(bench.take('certify').map(({ proposal: p }) => p.view)).toEqual([2]);
    bench.certified(p2);
    expect(bench.take('certify').map(({ proposal: p }) => p.view)).toEqual([3]);
    bench.certified(proposal(3, 2));
    expect(bench.engine.view).toBe(4);
    expect([1, 2, 3].map((view) => bench.kinds(view))).toEqual([[FINALIZE], [FINALIZE], [FINALIZE]]);
  });
});

describe('what comes from outside', () => {
  it('is judged', () => {
    const bench = follower();
    const good = bench.committee.vote(2, X(1));
    const offence = (code: string): Judgement => ({ ok: false, offence: code }) as Judgement;
    expect(bench.step({ type: 'vote', vote: good, from: 3 })).toEqual(offence('VOTE_SENDER'));
    const forged: Vote = { ...good, signer: 3 };
    expect(bench.step({ type: 'vote', vote: forged, from: 3 })).toEqual(offence('VOTE_SIGNATURE'));
    expect(bench.step({ type: 'proposal', vote: good })).toEqual(offence('PROPOSAL_KIND'));
    const usurped = bench.committee.vote(2, N(p1));
    expect(bench.step({ type: 'proposal', vote: usurped })).toEqual(offence('PROPOSAL_NOT_LEADER'));
    const certificate = bench.committee.certificate(X(1), [0, 1, 2]);
    const [a, b] = certificate.signatures;
    const bad: Certificate = { ...certificate, signatures: [a!, a!, b!] };
    expect(bench.step({ type: 'certificate', certificate: bad, peer: 'p' })).toEqual(
      offence('CERTIFICATE_INVALID'),
    );
    expect(bench.vote(2, X(1))).toEqual({ ok: true, useful: true });
    expect(bench.vote(2, X(1))).toEqual({ ok: true, useful: false });
  });

  it('is dropped before its signature is looked at when it is of no use', () => {
    const bench = follower();
    upTo(bench, 2);
    bench.certificate(F(p1), [1, 2, 3]);
    const rounds = bench.engine.roundCount;
    const unsigned = (subject: Subject): Vote => ({ subject, signer: 2, signature: new Uint8Array(64) });
    for (const subject of [X(1), F(p1), N(p2), X(5), N(proposal(900, 899)), X(2 ** 40), X(3, 7)]) {
      const judgement = bench.step({ type: 'vote', vote: unsigned(subject), from: 2 });
      expect(judgement).toEqual({ ok: true, useful: false });
    }
    for (const subject of [N(p2), X(1), F(p1), X(3, 7), N(proposal(1, 0, 'other'))]) {
      const certificate: Certificate = {
        subject,
        signers: Uint8Array.of(7),
        signatures: [new Uint8Array(64), new Uint8Array(64), new Uint8Array(64)],
      };
      const judgement = bench.step({ type: 'certificate', certificate, peer: 'p' });
      expect(judgement).toEqual({ ok: true, useful: false });
    }
    expect(bench.engine.roundCount).toBe(rounds);
  });

  it('takes no more memory than three votes a validator for two views', () => {
    const bench = follower();
    for (let i = 0; i < 500; i++) {
      bench.vote(2, N(proposal(1, 0, `flood ${i}`)));
      bench.vote(2, F(proposal(2, 0, `flood ${i}`)));
      bench.vote(2, X(3 + i));
    }
    expect(bench.engine.roundCount).toBeLessThanOrEqual(2);
    expect(bench.reports('equivocation')).toHaveLength(2);
  });

  it('gets the certificate that it asks for, or a better one', () => {
    const bench = follower();
    upTo(bench, 3);
    bench.certificate(F(p2), [1, 2, 3]);
    const ask = (kind: 1 | 2 | 3, view: number): Subject | undefined => {
      bench.take('send-certificate');
      bench.step({ type: 'query', query: { kind, view }, peer: 'p' });
      return bench.take('send-certificate')[0]?.certificate.subject;
    };
    expect(ask(NOTARIZE, 3)).toEqual(N(proposal(3, 2)));
    expect(ask(NULLIFY, 3)).toEqual(N(proposal(3, 2)));
    expect(ask(NULLIFY, 1)).toEqual(F(p2));
    expect(ask(NOTARIZE, 2)).toEqual(N(p2));
    expect(ask(NULLIFY, 9)).toBeUndefined();
  });

  it('exposes equivocation, with both votes', () => {
    const bench = follower();
    bench.propose(p1);
    bench.propose(proposal(1, 0, 'other'));
    bench.propose(proposal(1, 0, 'third'));
    expect(bench.reports('equivocation')).toMatchObject([{ report: { view: 1, signer: 1 } }]);
    expect(bench.kinds(1)).toEqual([NULLIFY]);
    const after = follower();
    after.vote(2, X(1));
    after.vote(2, F(p1));
    expect(after.reports('equivocation')).toMatchObject([{ report: { view: 1, signer: 2 } }]);
  });

  it('reports a finalization that contradicts its own, and stands by its own', () => {
    const bench = follower();
    upTo(bench, 3);
    bench.certificate(F(proposal(3, 2)), [1, 2, 3]);
    bench.certificate(F(proposal(4, 2)), [0, 1, 2]);
    expect(bench.reports('conflict')).toHaveLength(1);
    expect(bench.engine.lastFinal.view).toBe(3);
  });
});

describe('the application and the journal', () => {
  it('may be ahead: blocks that were imported are not finalised again', () => {
    const bench = follower();
    const far = proposal(50, 48);
    const certificate = bench.committee.certificate(F(far), [1, 2, 3]);
    expect(bench.step({ type: 'synced', certificate })).toEqual({ ok: true, useful: true });
    expect(bench.take('finalize')).toEqual([]);
    expect([bench.engine.view, bench.engine.lastFinal.view]).toEqual([51, 50]);
    bench.step({ type: 'durable', view: 50 });
    expect(bench.journal.floor).toBe(50);
    expect(bench.restart().engine.view).toBe(51);
  });

  it('are told of a gap when ancestors are unknown', () => {
    const bench = follower();
    bench.certificate(N(proposal(9, 7)), [1, 2, 3]);
    bench.certificate(F(proposal(9, 7)), [1, 2, 3]);
    expect(bench.take('finalize')).toMatchObject([{ proposals: [proposal(9, 7)], gap: true }]);
  });

  it('drop from the journal only what the database holds', () => {
    const bench = follower();
    upTo(bench, 4);
    bench.step({ type: 'durable', view: 3 });
    expect(bench.journal.floor).toBe(0);
    bench.certificate(F(p2), [1, 2, 3]);
    expect(bench.journal.floor).toBe(2);
    bench.certificate(F(proposal(4, 3)), [1, 2, 3]);
    expect(bench.journal.floor).toBe(3);
    bench.step({ type: 'durable', view: 4 });
    expect(bench.journal.floor).toBe(4);
  });

  it('a leader that restarts does not build a second block for its view', () => {
    const bench = new Bench(led([0]), 0);
    bench.step({ type: 'built', view: 1, parent: GENESIS, block: { payload: p1.payload, body: BODY } });
    const restarted = bench.restart();
    expect(restarted.take('build')).toEqual([]);
    expect(restarted.take('send-proposal').map(({ vote }) => vote.subject)).toEqual([N(p1)]);
  });
});
