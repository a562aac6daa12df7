/**
 * The journal on a disk that crashes, fails and rots: whatever was committed is there afterwards, or the journal does
 * not open and names the file; what was not committed may be there or not; nothing that was never written ever is.
 */
import { toHex } from '../../../../src/codec/bytes.ts';
import type { Disk } from '../../../../src/consensus/journal/disk.ts';
import { Journal } from '../../../../src/consensus/journal/journal.ts';
import type { JournalRecord } from '../../../../src/consensus/journal/records.ts';
import { SimDisk } from '../../disk.ts';
import { Prng } from '../../prng.ts';
import { Scheduler } from '../../scheduler.ts';
import type { Finding } from '../mutant.ts';
import { GENESIS_HASH, OTHERS, Plan, proposal, SELF } from './machine/plan.ts';

/** What the trial itself remembers of a record: a key, and what stands under it. */
type Entry = readonly [key: string, value: string];

function entryOf(record: JournalRecord): Entry {
  switch (record.type) {
    case 'vote': {
      const { subject } = record.vote;
      const view = 'proposal' in subject ? subject.proposal.view : subject.view;
      return [`vote ${subject.kind} ${view}`, toHex(record.vote.signature)];
    }
    case 'certificate': {
      const { subject } = record.certificate;
      const view = 'proposal' in subject ? subject.proposal.view : subject.view;
      return [`certificate ${subject.kind} ${view}`, toHex(record.certificate.signers)];
    }
    case 'verdict':
      return [`verdict ${record.view}`, `${record.ok}`];
    case 'body':
      return [`body ${record.view}`, toHex(record.body)];
    default:
      return ['floor', ''];
  }
}

class Loss extends Error {
  readonly finding: Finding;

  constructor(invariant: string, detail: string) {
    super(detail);
    this.finding = { invariant, detail };
  }
}

class Trial {
  readonly #random: Prng;
  readonly #plan: Plan;
  readonly #scheduler = new Scheduler();
  readonly #disk: SimDisk;
  /** Everything whose commit was promised, above the floor. */
  readonly #promised = new Map<string, string>();
  readonly #appended = new Map<string, string>();
  #floor = 0;
  #view = 0;
  #salts = 0;

  constructor(seed: number) {
    this.#random = new Prng(`journal ${seed}`);
    this.#plan = new Plan(this.#random.fork('plan'), 1);
    this.#disk = new SimDisk(this.#scheduler, this.#random.fork('disk'));
  }

  async #wait<T>(promise: Promise<T>): Promise<T | 'never'> {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    promise.then(mark, mark);
    await this.#scheduler.run(this.#scheduler.now() + 2_000, () => settled);
    return settled ? promise : 'never';
  }

  async #open(disk: Disk): Promise<Journal> {
    const opened = await this.#wait(
      Journal.open({
        disk,
        set: this.#plan.set,
        genesisHash: GENESIS_HASH,
        randomBytes: (length) => new Prng(`salt ${this.#salts++}`).bytes(length),
        segmentBytes: 3_000,
      }),
    );
    if (opened === 'never') throw new Loss('a journal opens', 'it never does');
    return opened;
  }

  /** What a view leaves behind, in its order. */
  #records(): JournalRecord[] {
    const view = ++this.#view;
    const block = proposal(view, view - 1, 'block');
    const n = { kind: 1, proposal: block } as const;
    const other = this.#random.chance(0.5)
      ? ({ kind: 2, epoch: 0, view } as const)
      : ({ kind: 3, proposal: block } as const);
    const records: JournalRecord[] = [
      { type: 'body', view, payload: block.payload, body: this.#random.bytes(this.#random.int(20, 200)) },
      { type: 'vote', vote: this.#plan.vote(SELF, n) },
      { type: 'certificate', certificate: this.#plan.certificate(n, OTHERS) },
      { type: 'verdict', view, payload: block.payload, ok: this.#random.chance(0.8) },
      { type: 'vote', vote: this.#plan.vote(SELF, other) },
      { type: 'certificate', certificate: this.#plan.certificate(other, OTHERS) },
    ];
    if (view > 4 && this.#random.chance(0.5))
      records.push({ type: 'floor', view: view - this.#random.int(2, 6) });
    return records;
  }

  #drop(floor: number): void {
    this.#floor = Math.max(this.#floor, floor);
    for (const key of [...this.#promised.keys()]) {
      const view = Number(key.split(' ').at(-1));
      if (view <= this.#floor && !(key.startsWith('certificate') && view === this.#floor))
        this.#promised.delete(key);
    }
  }

  async #read(journal: Journal): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    const { state } = journal;
    for (const view of state.views()) {
      for (const kind of [1, 2, 3] as const) {
        const vote = state.ownVote(SELF, kind, view);
        if (vote !== undefined) found.set(`vote ${kind} ${view}`, toHex(vote.signature));
        const certificate = state.certificatesOf(view)[kind];
        if (certificate !== undefined) found.set(`certificate ${kind} ${view}`, toHex(certificate.signers));
      }
      const verdict = state.verdictOf(view);
      if (verdict !== undefined) found.set(`verdict ${view}`, `${verdict.ok}`);
    }
    for (const { view, payload } of state.bodies()) {
      const body = await this.#wait(journal.readBody(payload));
      if (body === 'never' || body === undefined)
        throw new Loss('what was committed is there after a crash', `the body of ${view}`);
      found.set(`body ${view}`, toHex(body));
    }
    return found;
  }

  async #compare(journal: Journal): Promise<void> {
    const found = await this.#read(journal);
    if (journal.state.floor < this.#floor)
      throw new Loss('the floor never moves back', `${journal.state.floor} instead of ${this.#floor}`);
    // What was on its way when the crash came may have got through, the floor too.
    this.#drop(journal.state.floor);
    for (const [key, value] of this.#promised) {
      if (found.get(key) !== value)
        throw new Loss('what was committed is there after a crash', `${key}: ${found.get(key)}`);
    }
    for (const [key, value] of found) {
      if (this.#appended.get(key) !== value) throw new Loss('nothing is there that was never written', key);
    }
    for (const [key, value] of found) this.#promised.set(key, value);
    this.#drop(this.#floor);
  }

  /** A life of the process, from opening to its end. */
  async #live(): Promise<void> {
    const random = this.#random;
    const journal = await this.#open(this.#disk.open());
    await this.#compare(journal);
    const strike = random.chance(0.6) ? random.int(0, 60) : undefined;
    let ended = false;
    this.#disk.onCrash = () => {
      ended = true;
    };
    const when = random.pick(['before', 'after', 'error', 'error'] as const);
    if (strike !== undefined) this.#disk.failPoint = { countdown: strike, when };
    for (let turn = random.int(4, 30); turn > 0 && !ended; turn--) {
      const batch: JournalRecord[] = this.#records();
      if (random.chance(0.1))
        batch.push({ type: 'floor', view: Math.max(0, journal.state.floor - random.int(1, 3)) });
      let floor = this.#floor;
      try {
        for (const record of batch) {
          journal.append(record);
          if (record.type === 'floor') floor = Math.max(floor, record.view);
          else this.#appended.set(...entryOf(record));
        }
        if (journal.state.floor < floor)
          throw new Loss('the floor never moves back', `${journal.state.floor} after ${floor}`);
        const outcome = await this.#wait(journal.commit().then(() => 'done' as const));
        if (outcome === 'never') break;
      } catch (error) {
        if (error instanceof Loss) throw error;
        if (!String(error).includes('EIO'))
          throw new Loss('a journal fails only with its disk', String(error));
        const again = await this.#wait(
          journal.commit().then(
            () => 'done' as const,
            () => 'refused' as const,
          ),
        );
        if (again !== 'refused') throw new Loss('after a failed write nothing is promised', again);
        ended = true;
        break;
      }
      if (strike !== undefined && when === 'error' && this.#disk.failPoint === undefined)
        throw new Loss('after a failed write nothing is promised', 'a write failed and its commit resolved');
      for (const record of batch) if (record.type !== 'floor') this.#promised.set(...entryOf(record));
      this.#drop(floor);
    }
    this.#disk.failPoint = undefined;
  }

  /** One byte of what was synced turns over, with the process down and its files closed. */
  async #rot(): Promise<void> {
    const disk = this.#disk.open();
    const names = await this.#wait(disk.list());
    if (names === 'never') return;
    const name = names
      .filter((one) => /^journal-\d{10}$/.test(one))
      .sort()
      .at(-1)!;
    const size = await this.#wait(disk.size(name));
    if (size === 'never') return;
    const at = this.#random.int(52, size - 1);
    const rotten: Disk = {
      ...disk,
      read: async (file, offset, length) => {
        const read = (await disk.read(file, offset, length)).slice();
        if (file === name && at >= offset && at < offset + read.length) read[at - offset]! ^= 0x10;
        return read;
      },
      truncate: () => Promise.reject(new Loss('rot is never cut off', `byte ${at} of ${size} in ${name}`)),
    };
    try {
      await this.#open(rotten);
    } catch (error) {
      if (error instanceof Loss) throw error;
      const { code, details } = error as { code?: string; details?: { segment?: string } };
      if (code === 'JOURNAL_CORRUPT' && details?.segment === name) return;
      throw new Loss('rot is an error that names the file', String(error));
    }
    throw new Loss('rot is never passed over', `byte ${at} of ${size} in ${name}`);
  }

  async play(): Promise<void> {
    for (let life = 0; life < 5; life++) {
      await this.#live();
      // A process that was killed leaves what it wrote to the next one, synced or not.
      if (this.#random.chance(0.4)) this.#disk.kill();
      else this.#disk.crash();
    }
    const last = await this.#open(this.#disk.open());
    await this.#compare(last);
    for (const record of this.#records()) {
      last.append(record);
      if (record.type !== 'floor') this.#appended.set(...entryOf(record));
    }
    await this.#wait(last.commit());
    await this.#rot();
  }
}

export async function run(seed: number): Promise<Finding | undefined> {
  try {
    await new Trial(seed).play();
    return undefined;
  } catch (error) {
    if (error instanceof Loss) return error.finding;
    const { code } = error as { code?: string };
    const invariant = code === 'JOURNAL_CORRUPT' ? 'a journal opens after every crash' : 'no step throws';
    return { invariant, detail: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
