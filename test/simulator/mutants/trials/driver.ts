/**
 * The driver between state machine, journal and world: one replica on a simulated disk hears the votes and certificates
 * of its committee. Whenever something leaves, be it to the network or to the application, what it stands on has to be
 * among the bytes that a crash at that moment would leave.
 */
import type { Bytes } from '../../../../src/codec/bytes.ts';
import { encodeCertificate } from '../../../../src/consensus/certificate.ts';
import type { Disk } from '../../../../src/consensus/journal/disk.ts';
import { Replica } from '../../../../src/consensus/replica.ts';
import type { Certificate, Proposal, Subject, Vote } from '../../../../src/consensus/types.ts';
import { encodeVote } from '../../../../src/consensus/vote.ts';
import { SimDisk } from '../../disk.ts';
import { Prng } from '../../prng.ts';
import { Scheduler } from '../../scheduler.ts';
import { keyedHashScheme } from '../../scheme.ts';
import type { Finding } from '../mutant.ts';
import { GENESIS_HASH, OTHERS, Plan, SELF } from './machine/plan.ts';

const VIEWS = 16;

/** A disk that remembers what it has promised to keep. */
class Witness {
  readonly #written = new Map<string, Bytes[]>();
  readonly #synced = new Map<string, number>();

  over(disk: Disk): Disk {
    return {
      list: () => disk.list(),
      size: (name) => disk.size(name),
      read: (name, offset, length) => disk.read(name, offset, length),
      overwrite: (name, bytes) => disk.overwrite(name, bytes),
      truncate: (name, length) => disk.truncate(name, length),
      syncDirectory: () => disk.syncDirectory(),
      append: async (name, bytes) => {
        await disk.append(name, bytes);
        this.#written.set(name, [...(this.#written.get(name) ?? []), bytes]);
      },
      sync: async (name) => {
        const count = this.#written.get(name)?.length ?? 0;
        await disk.sync(name);
        this.#synced.set(name, count);
      },
      rename: async (from, to) => {
        await disk.rename(from, to);
        this.#written.set(to, this.#written.get(from) ?? []);
        this.#synced.set(to, this.#synced.get(from) ?? 0);
      },
      remove: (name) => disk.remove(name),
    };
  }

  holds(bytes: Bytes): boolean {
    for (const [name, parts] of this.#written) {
      const synced = parts.slice(0, this.#synced.get(name) ?? 0);
      if (synced.some((part) => Buffer.from(part).includes(Buffer.from(bytes)))) return true;
    }
    return false;
  }
}

export async function run(seed: number): Promise<Finding | undefined> {
  const random = new Prng(`driver ${seed}`);
  const plan = new Plan(random.fork('plan'), VIEWS);
  const scheduler = new Scheduler();
  const witness = new Witness();
  let finding: Finding | undefined;
  const must = (bytes: Bytes, invariant: string, detail: string): void => {
    if (!witness.holds(bytes)) finding ??= { invariant, detail };
  };
  const left = (certificate: Certificate): void =>
    must(
      encodeCertificate(certificate),
      'a certificate leaves after its fsync',
      `kind ${certificate.subject.kind}`,
    );
  const body = random.bytes(40);
  const timing = { blockInterval: 60, delta: 30, executionBudget: 60, resendInterval: 150, standstill: 700 };
  const { set, verifier } = plan;
  const replica = new Replica({
    ...{ set, genesisHash: GENESIS_HASH, verifier, timing, segmentBytes: 1_000_000 },
    key: keyedHashScheme(set.validators.length, 'trial').keys[SELF],
    clock: scheduler,
    random: random.fork('jitter').float,
    randomBytes: random.fork('salt').bytes,
    disk: witness.over(new SimDisk(scheduler, random.fork('disk')).open()),
    application: {
      recover: () => Promise.resolve(),
      build: () => Promise.resolve(undefined),
      verify: async () => ({ outcome: 'valid', body }),
      certify: async ({ proposal }) => {
        await scheduler.sleep(random.int(1, 30));
        return { ok: plan.at(proposal.view)?.valid ?? true, body };
      },
      finalize: ({ certificate }) => {
        must(encodeCertificate(certificate), 'the application hears of finality after the fsync', 'F');
      },
    },
    network: {
      broadcastVote: (vote: Vote) =>
        must(encodeVote(vote), 'a vote leaves after its fsync', `kind ${vote.subject.kind}`),
      sendProposal: (vote: Vote) => must(encodeVote(vote), 'a vote leaves after its fsync', 'a proposal'),
      broadcastCertificate: left,
      sendCertificate: (_peer, certificate) => left(certificate),
      requestCertificate: () => undefined,
    },
    host: {
      fatal: (error) => {
        finding ??= { invariant: 'no replica ends', detail: String(error) };
      },
      report: () => undefined,
    },
  });
  void replica.start({ floor: { proposal: plan.genesis, finalization: undefined } });
  const subjectsOf = (view: number): Subject[] => {
    const { block, nullified, finalized } = plan.at(view)!;
    const of = (kind: 1 | 3, proposal: Proposal): Subject => ({ kind, proposal });
    const subjects: Subject[] = block === undefined ? [] : [of(1, block)];
    if (nullified) subjects.push({ kind: 2, epoch: 0, view });
    if (finalized && block !== undefined) subjects.push(of(3, block));
    return subjects;
  };
  for (let view = 1; view <= VIEWS; view++) {
    for (const subject of subjectsOf(view)) {
      const at = 50 + view * 90;
      if (random.chance(0.5)) {
        for (const signer of OTHERS) {
          scheduler.after(at + random.int(0, 120), () => replica.onVote(plan.vote(signer, subject), signer));
        }
      }
      const certificate = plan.certificate(subject);
      scheduler.after(at + random.int(60, 300), () => replica.onCertificate(certificate, 'p'));
    }
    const query = { kind: random.pick([1, 2, 3] as const), view };
    scheduler.after(50 + view * 90 + random.int(60, 400), () => replica.onCertificateRequest(query, 'p'));
  }
  await scheduler.run(50 + VIEWS * 90 + 2_000, () => finding !== undefined);
  return finding;
}
