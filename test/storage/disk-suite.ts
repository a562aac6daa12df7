/** What every journal disk must do, whatever it is made of. */
import { expect, it } from 'vitest';
import type { Disk } from '../../src/consensus/journal/disk.ts';

/** `operate` runs an operation on the disk to its end, where time has to be moved on for that. */
export function diskSuite(
  open: () => Promise<{ disk: Disk; operate: <T>(promise: Promise<T>) => Promise<T> }>,
): void {
  const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

  it('reads back what was appended, wherever it is asked', async () => {
    const { disk, operate } = await open();
    await operate(disk.append('a', bytes(1, 2, 3)));
    await operate(disk.append('a', bytes(4, 5)));
    await operate(disk.sync('a'));
    expect(await operate(disk.size('a'))).toBe(5);
    expect(await operate(disk.read('a', 0, 5))).toEqual(bytes(1, 2, 3, 4, 5));
    expect(await operate(disk.read('a', 2, 2))).toEqual(bytes(3, 4));
    expect(await operate(disk.read('a', 3, 100))).toEqual(bytes(4, 5));
    expect(await operate(disk.read('a', 5, 1))).toEqual(bytes());
  });

  it('truncates and goes on appending at the new end', async () => {
    const { disk, operate } = await open();
    await operate(disk.append('a', bytes(1, 2, 3)));
    await operate(disk.truncate('a', 1));
    await operate(disk.append('a', bytes(9)));
    expect(await operate(disk.read('a', 0, 9))).toEqual(bytes(1, 9));
  });

  it('overwrites the beginning of a file, which it makes if need be', async () => {
    const { disk, operate } = await open();
    await operate(disk.overwrite('mark', bytes(1, 2, 3)));
    await operate(disk.overwrite('mark', bytes(4, 5, 6)));
    expect(await operate(disk.read('mark', 0, 9))).toEqual(bytes(4, 5, 6));
    expect(await operate(disk.list())).toEqual(['mark']);
    await operate(disk.append('a', bytes(7)));
    await operate(disk.overwrite('mark', bytes(8)));
    expect(await operate(disk.read('mark', 0, 9))).toEqual(bytes(8, 5, 6));
    expect(await operate(disk.read('a', 0, 9))).toEqual(bytes(7));
  });

  it('renames over a file, removes, and lists what there is', async () => {
    const { disk, operate } = await open();
    await operate(disk.append('new', bytes(7)));
    await operate(disk.append('old', bytes(1, 2)));
    await operate(disk.sync('new'));
    await operate(disk.rename('new', 'old'));
    await operate(disk.syncDirectory());
    expect([...(await operate(disk.list()))].sort()).toEqual(['old']);
    expect(await operate(disk.read('old', 0, 9))).toEqual(bytes(7));
    await operate(disk.append('old', bytes(8)));
    expect(await operate(disk.read('old', 0, 9))).toEqual(bytes(7, 8));
    await operate(disk.remove('old'));
    expect(await operate(disk.list())).toEqual([]);
  });

  it('rejects reading what is not there', async () => {
    const { disk, operate } = await open();
    await expect(operate(disk.read('nothing', 0, 1))).rejects.toThrow();
    await expect(operate(disk.size('nothing'))).rejects.toThrow();
  });
}
