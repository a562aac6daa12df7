/**
 * The outbox over damaged files: everything before the first damaged byte of each file is still there, nothing comes
 * out that was never put in, and it goes on to take and keep what is new.
 */
import { type Bytes, equal, keyOf } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { Outbox, type OutboxEntry } from '../../src/storage/outbox.ts';
import { MemoryDisk } from '../consensus/memory-disk.ts';
import { payment } from '../hostile/samples.ts';
import { damage, type Files } from './damage.ts';
import { must, type Target } from './target.ts';

const LIMITS = { maxTransactions: 1_000, maxBytes: 1 << 20, fileBytes: 1_200 };
const entry = (bytes: Bytes): OutboxEntry => ({ bytes, key: keyOf(sha256(bytes)) });
const entries = Array.from({ length: 24 }, (_, i) => entry(payment(i, 20_000n + BigInt(i)).bytes));
const NEW = entry(payment(99).bytes);

/** A record on disk: where it ends, and what it holds. */
interface Written {
  readonly file: string;
  readonly end: number;
  readonly keys: readonly string[];
}

async function write(): Promise<{ albums: Files[]; records: Written[] }> {
  const disk = new MemoryDisk();
  const outbox = await Outbox.open(disk, LIMITS);
  const records: Written[] = [];
  const albums: Files[] = [];
  for (let at = 0, count = 1; at < entries.length; at += count, count = 1 + (count % 4)) {
    const part = entries.slice(at, at + count);
    await outbox.add(part);
    const file = [...disk.files.keys()].sort().at(-1)!;
    records.push({ file, end: disk.files.get(file)!.length, keys: part.map(({ key }) => key) });
    albums.push(disk.copy().files);
  }
  await outbox.close();
  return { albums, records };
}

const { albums, records } = await write();
const whole = albums.at(-1)!;
const everything = new Map(entries.map(({ key, bytes }) => [key, bytes]));

/** Length of what two files begin with in common. */
function common(a: Bytes, b: Bytes): number {
  let at = 0;
  while (at < a.length && at < b.length && a[at] === b[at]) at++;
  return at;
}

async function run(bytes: Bytes): Promise<string> {
  const harmed = damage(whole, albums, bytes);
  const disk = new MemoryDisk();
  for (const [name, content] of harmed) disk.files.set(name, content.slice());
  const outbox = await Outbox.open(disk, LIMITS);
  const found = new Map(outbox.transactions().map((one) => [one.key, one.bytes]));
  for (const [key, content] of found) {
    const real = everything.get(key);
    must(real !== undefined && equal(real, content), 'it holds what was never put in');
  }
  for (const { file, end, keys } of records) {
    const now = harmed.get(file);
    if (now === undefined || common(now, whole.get(file)!) < end) continue;
    for (const key of keys)
      must(found.has(key), `${file}: a record before the damage, up to ${end}, is lost`);
  }
  await outbox.add([NEW]);
  await outbox.close();
  const again = await Outbox.open(disk, LIMITS);
  const now = new Set(again.transactions().map(({ key }) => key));
  must(now.has(NEW.key), 'what was added after the damage is lost');
  for (const key of found.keys())
    must(now.has(key), 'what had survived the damage is lost at the next start');
  return found.size === entries.length ? 'whole' : 'taken';
}

export function outboxTargets(): Target[] {
  return [
    { name: 'outbox', form: 'program', dear: true, covers: ['Outbox.open'], seeds: [new Uint8Array(0)], run },
  ];
}
