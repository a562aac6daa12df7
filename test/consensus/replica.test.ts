import { describe, expect, it } from 'vitest';
import { type Bytes, toHex, utf8 } from '../../src/codec/bytes.ts';
import type { Finalization, Report } from '../../src/consensus/events.ts';
import type { Application, Floor, RecoveredBody, VerifyResult } from '../../src/consensus/host.ts';
import { leaderOf } from '../../src/consensus/leader.ts';
import { Replica } from '../../src/consensus/replica.ts';
import { type Certificate, NOTARIZE, type Vote } from '../../src/consensus/types.ts';
import { subjectView } from '../../src/consensus/vote.ts';
import { SimDisk } from '../simulator/disk.ts';
import { Prng } from '../simulator/prng.ts';
import { Scheduler } from '../simulator/scheduler.ts';
import { type Committee, committee, F, GENESIS, GENESIS_HASH, N, proposal, X } from './support.ts';

const GENESIS_FLOOR: Floor = { proposal: GENESIS, finalization: undefined };

/** One replica on a simulated disk, with an application that says yes to everything. */
class Bench {
  readonly scheduler = new Scheduler();
  readonly disk = new SimDisk(this.scheduler, new Prng('replica'));
  readonly members: Committee;
  readonly votes: Vote[] = [];
  readonly proposals: { vote: Vote; body: Bytes | undefined }[] = [];
  readonly certificates: Certificate[] = [];
  readonly finalizations: Finalization[] = [];
  readonly reports: Report[] = [];
  readonly fatal: unknown[] = [];
  recovered: readonly RecoveredBody[] = [];
  application: Application;
  onReport: (report: Report) => void = () => undefined;

  constructor(members: Committee) {
    this.members = members;
    this.application = {
      recover: async (bodies) => {
        this.recovered = bodies;
      },
      build: async ({ view, parent }) => ({
        payload: proposal(view, parent.view).payload,
        body: utf8(`body of ${view}`),
      }),
      verify: async ({ proposal: { view } }) => ({ outcome: 'valid', body: utf8(`body of ${view}`) }),
      certify: async ({ proposal: { view } }) => ({ ok: true, body: utf8(`body of ${view}`) }),
      finalize: (finalization) => this.finalizations.push(finalization),
    };
  }

  replica(self: number | undefined): Replica {
    return new Replica({
      set: this.members.set,
      genesisHash: GENESIS_HASH,
      key: self === undefined ? undefined : this.members.scheme.keys[self],
      verifier: this.members.scheme.verifier,
      timing: { blockInterval: 100, delta: 50, executionBudget: 100 },
      clock: this.scheduler,
      random: new Prng('jitter').float,
      randomBytes: new Prng('salts').bytes,
      disk: this.disk.open(),
      application: this.application,
      network: {
        broadcastVote: (vote) => this.votes.push(vote),
        sendProposal: (vote, body) => this.proposals.push({ vote, body }),
        broadcastCertificate: (certificate) => this.certificates.push(certificate),
        sendCertificate: () => undefined,
        requestCertificate: () => undefined,
      },
      host: {
        fatal: (error) => this.fatal.push(error),
        report: (report) => {
          this.reports.push(report);
          this.onReport(report);
        },
      },
    });
  }

  run(ms: number): Promise<void> {
    return this.scheduler.run(this.scheduler.now() + ms, () => false);
  }

  async started(self: number | undefined, floor = GENESIS_FLOOR): Promise<Replica> {
    const replica = this.replica(self);
    void replica.start({ floor });
    await this.run(30);
    return replica;
  }
}

/** A committee of four in which validator 0 leads view 1, or does not. */
function members(leads: boolean): Committee {
  for (let attempt = 0; ; attempt++) {
    const one = committee([1, 1, 1, 1], `replica ${attempt}`);
    if ((leaderOf(one.set, 1) === 0) === leads && leaderOf(one.set, 2) !== 0) return one;
  }
}

describe('the replica', () => {
  it('runs a chain of its own when it is the only validator', async () => {
    const bench = new Bench(committee([7]));
    const replica = await bench.started(0);
    await bench.run(2_000);
    expect(bench.finalizations.length).toBeGreaterThan(12);
    expect(bench.finalizations.map(({ proposals }) => proposals.length)).toEqual(
      bench.finalizations.map(() => 1),
    );
    expect(replica.metrics().rounds).toBeLessThanOrEqual(3);
    await bench.run(10);
    const stopping = replica.stop();
    await bench.run(50);
    await stopping;
    const count = bench.finalizations.length;
    await bench.run(2_000);
    expect(bench.finalizations.length).toBe(count);
    expect(bench.fatal).toEqual([]);
  });

  it('sends nothing, and ends, when an fsync fails', async () => {
    const bench = new Bench(members(false));
    const replica = await bench.started(0);
    bench.disk.failPoint = { countdown: 1, when: 'error' };
    await bench.run(5_000);
    expect(String(bench.fatal)).toContain('EIO');
    expect(bench.fatal).toHaveLength(1);
    expect(bench.votes).toEqual([]);
    const { vote } = bench.members;
    expect(replica.onVote(vote(1, X(1)), 1)).toEqual({ ok: true, useful: false });
    await bench.run(5_000);
    expect(bench.votes).toEqual([]);
  });

  it('tells of a vote of its key that it did not give, before it gives another', async () => {
    const bench = new Bench(members(false));
    const replica = await bench.started(0);
    const { certificate } = bench.members;
    const elsewhere = () => bench.reports.filter(({ type }) => type === 'elsewhere');
    replica.onCertificate(certificate(X(1), [1, 2, 3]), 'peer');
    await bench.run(5_000);
    expect(elsewhere()).toEqual([]);
    expect(bench.votes.map(({ subject }) => subjectView(subject))).toContain(2);
    bench.onReport = ({ type }) => {
      if (type === 'elsewhere') void replica.stop();
    };
    replica.onCertificate(certificate(F(proposal(9, 0)), [0, 1, 2]), 'peer');
    await bench.run(5_000);
    expect(elsewhere()).toEqual([{ type: 'elsewhere', view: 9 }]);
    expect(bench.votes.map(({ subject }) => subjectView(subject)).filter((view) => view > 2)).toEqual([]);
  });

  it('gives the bodies back after a restart, and proposes the same block again', async () => {
    const bench = new Bench(members(true));
    await bench.started(0);
    await bench.run(50);
    expect(bench.proposals.map(({ vote }) => vote.subject)).toEqual([N(proposal(1, 0))]);
    bench.disk.crash();
    const restarted = new Bench(bench.members);
    Object.assign(restarted, { disk: bench.disk, scheduler: bench.scheduler });
    await restarted.started(0);
    const { payload } = proposal(1, 0);
    expect(restarted.recovered.map(({ view, body }) => [view, toHex(body)])).toEqual([
      [1, toHex(utf8('body of 1'))],
    ]);
    expect(restarted.proposals.map(({ vote, body }) => [vote.subject.kind, body && toHex(body)])).toEqual([
      [NOTARIZE, toHex(utf8('body of 1'))],
    ]);
    expect(restarted.proposals[0]!.vote.subject).toMatchObject({ proposal: { payload } });
  });

  it('does not give bodies back that the application holds already', async () => {
    const bench = new Bench(members(true));
    await bench.started(0);
    await bench.run(50);
    bench.disk.crash();
    const ahead = new Bench(bench.members);
    Object.assign(ahead, { disk: bench.disk, scheduler: bench.scheduler });
    const floor = proposal(1, 0);
    const finalization = bench.members.certificate(F(floor), [0, 1, 2]);
    const replica = await ahead.started(0, { proposal: floor, finalization });
    expect(ahead.recovered).toEqual([]);
    expect([replica.view, replica.lastFinal?.view]).toEqual([2, 1]);
  });

  it('writes many events with few fsyncs', async () => {
    const bench = new Bench(members(false));
    const replica = await bench.started(0);
    const before = replica.metrics().fsyncs;
    for (let view = 1; view <= 100; view++)
      replica.onCertificate(bench.members.certificate(X(view), [1, 2, 3]), 'p');
    expect(replica.view).toBe(101);
    expect(bench.certificates).toEqual([]);
    await bench.run(20);
    expect(bench.certificates).toHaveLength(100);
    expect(replica.metrics().fsyncs - before).toBeLessThanOrEqual(2);
  });

  it('tells of an application that throws, and goes on', async () => {
    const bench = new Bench(members(false));
    const fail = (): Promise<never> => Promise.reject(new Error('no'));
    bench.application = { ...bench.application, verify: fail, certify: fail };
    const replica = await bench.started(0);
    const { vote, certificate, set } = bench.members;
    replica.onProposal(vote(leaderOf(set, 1), N(proposal(1, 0))));
    replica.onCertificate(certificate(N(proposal(1, 0)), [1, 2, 3]), 'p');
    await bench.run(20);
    const during = bench.reports.flatMap((report) =>
      report.type === 'application-failed' ? [report.during] : [],
    );
    expect(during).toEqual(['verify', 'certify']);
    replica.onCertificate(certificate(F(proposal(1, 0)), [1, 2, 3]), 'p');
    await bench.run(20);
    expect(bench.finalizations).toHaveLength(1);
    expect(bench.fatal).toEqual([]);
  });

  it('calls off what is no longer wanted, and does not use its outcome', async () => {
    const bench = new Bench(members(false));
    const signals: AbortSignal[] = [];
    let resolve: (result: VerifyResult) => void = () => undefined;
    bench.application = {
      ...bench.application,
      verify: ({ signal }) => {
        signals.push(signal);
        return new Promise((done) => {
          resolve = done;
        });
      },
    };
    const replica = await bench.started(0);
    const { vote, certificate, set } = bench.members;
    replica.onProposal(vote(leaderOf(set, 1), N(proposal(1, 0))));
    await bench.run(20);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    replica.onCertificate(certificate(X(1), [1, 2, 3]), 'p');
    await bench.run(20);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    resolve({ outcome: 'valid', body: utf8('late') });
    await bench.run(20);
    expect(bench.votes).toEqual([]);
  });

  it('follows when its key is not in the set', async () => {
    const bench = new Bench(members(false));
    const replica = bench.replica(undefined);
    void replica.start({ floor: GENESIS_FLOOR });
    await bench.run(3_000);
    expect(replica.index).toBeUndefined();
    expect(bench.votes).toEqual([]);
    expect(bench.reports.some(({ type }) => type === 'missed')).toBe(true);
  });
});
