/**
 * The mark: a small file that says up to where the newest segment was synced, overwritten after every fsync and
 * before anything that the fsync covers leaves. A segment that ends or cannot be read before its mark was damaged
 * after it was written: what is missing may hold votes that others have, so it is an error and never a torn tail.
 * The mark itself is not synced. A crash of the process keeps it; a crash of the machine may leave an older one or
 * none, which says less and never anything false.
 *
 *     8 bytes of magic ‖ u32 index of the segment ‖ its 8 bytes of salt ‖ u64 offset ‖ u32 CRC of these
 */
import { type Bytes, concat, equal, readU64, u64, utf8 } from '../../codec/bytes.ts';
import type { Disk } from './disk.ts';
import { corrupt, crcMatches, SALT_BYTES, type SegmentScan, segmentName, withCrc } from './segment.ts';

const MARK_NAME = 'synced';
const MAGIC = utf8('KRYMARK1');
const MARK_BYTES = MAGIC.length + 4 + SALT_BYTES + 8 + 4;

interface Mark {
  readonly index: number;
  readonly salt: Bytes;
  /** Bytes of the segment that were synced. */
  readonly end: number;
}

export function writeMark(disk: Disk, { index, salt, end }: Mark): Promise<void> {
  const numbers = u64(index).subarray(4);
  return disk.overwrite(MARK_NAME, withCrc(concat(MAGIC, numbers, salt, u64(end))));
}

/** For a journal that is begun anew, knowingly, where another was lost. */
export async function removeMark(disk: Disk): Promise<void> {
  if ((await disk.list()).includes(MARK_NAME)) await disk.remove(MARK_NAME);
}

/** The mark, or undefined where there is none that can be read. */
export async function readMark(disk: Disk, names: readonly string[]): Promise<Mark | undefined> {
  if (!names.includes(MARK_NAME)) return undefined;
  const bytes = await disk.read(MARK_NAME, 0, MARK_BYTES);
  if (bytes.length !== MARK_BYTES || !crcMatches(bytes)) return undefined;
  if (!equal(bytes.subarray(0, MAGIC.length), MAGIC)) return undefined;
  const at = MAGIC.length;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    index: view.getUint32(at),
    salt: bytes.slice(at + 4, at + 4 + SALT_BYTES),
    end: Number(readU64(bytes, at + 4 + SALT_BYTES)),
  };
}

/**
 * Throws `JOURNAL_CORRUPT` unless the newest segment (`undefined`: there is none) holds everything that was
 * synced. A mark of an earlier segment is what a crash in the middle of a rotation leaves.
 */
export function checkMark(
  mark: Mark | undefined,
  newest: { readonly index: number; readonly scan: SegmentScan } | undefined,
): void {
  if (mark === undefined || (newest !== undefined && newest.index > mark.index)) return;
  const name = segmentName(mark.index);
  if (newest === undefined || newest.index < mark.index)
    corrupt(name, 0, 'it was written and is not there any more');
  const { salt, end } = newest.scan;
  if (!equal(salt, mark.salt)) corrupt(name, 0, 'it is another file than the one that was written');
  if (end < mark.end) {
    corrupt(name, end, `what stands there cannot be read, and it was whole on the disk up to ${mark.end}`);
  }
}
