/**
 * Damage to a directory of files, as a program of six bytes a step: bits and bytes change, ranges become zero, ends
 * are cut off or grow, parts or all of a file are those of another time, files are gone. Nothing is renamed: that
 * needs a hand, not a bad disk.
 */
import { type Bytes, concat } from '../../src/codec/bytes.ts';

export type Files = ReadonlyMap<string, Bytes>;

const STEP = 6;
const MOST_STEPS = 6;

type Deed = (bytes: Bytes, at: number, by: number, length: number, other: Bytes) => Bytes | undefined;

const zeroed = (bytes: Bytes, at: number, length: number, by = 0): Bytes => {
  const out = bytes.slice();
  out.fill(by, at, at + length);
  return out;
};

const DEEDS: readonly Deed[] = [
  (bytes, at, by) => zeroed(bytes, at, 1, (bytes[at] ?? 0) ^ (1 << (by % 8))),
  (bytes, at, by) => zeroed(bytes, at, 1, by),
  (bytes, at, _by, length) => zeroed(bytes, at, length),
  (bytes, at) => bytes.slice(0, at),
  (bytes, _at, by, length) => concat(bytes, new Uint8Array(length).fill(by)),
  (bytes, at, _by, length) => concat(bytes.subarray(0, at), bytes.subarray(at + length)),
  (bytes, at, _by, length) => concat(bytes.subarray(0, at + length), bytes.subarray(at)),
  (bytes, at, _by, _length, other) => concat(bytes.subarray(0, at), other.subarray(at)),
  (_bytes, _at, _by, _length, other) => other,
  () => undefined,
];

/** The same map where nothing was done. `albums` are the same files at other times. */
export function damage(files: Files, albums: readonly Files[], program: Bytes): Files {
  if (program.length === 0) return files;
  const out = new Map(files);
  for (let step = 0; step < MOST_STEPS; step++) {
    const code = program.subarray(STEP * step, STEP * step + STEP);
    if (code.length === 0) break;
    const [what = 0, which = 0, high = 0, low = 0, by = 0, span = 0] = code;
    const names = [...out.keys()].sort();
    const name = names[which % Math.max(1, names.length)];
    const bytes = name === undefined ? undefined : out.get(name);
    if (name === undefined || bytes === undefined) break;
    const at = (high * 256 + low) % (bytes.length + 1);
    const other = albums[(by * 256 + span) % albums.length]!.get(name) ?? new Uint8Array(0);
    const done = DEEDS[what % DEEDS.length]!(bytes, at, by, span, other);
    if (done === undefined) out.delete(name);
    else out.set(name, done);
  }
  return out;
}
