/** Peaks of resident memory, for the story's account of what it took. */
import { readFile } from 'node:fs/promises';
import { ProtocolError } from '../codec/errors.ts';
import type { Child } from './child.ts';

/** Largest resident set that a running process has had, bytes; undefined where the system does not tell. */
export async function peakRss(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1_024;
}

/** The same of this process, on every system. */
export async function ownPeakRss(): Promise<number> {
  return (await peakRss(process.pid)) ?? process.resourceUsage().maxRSS * 1_024;
}

/**
 * Stops processes and returns their peaks by name: from the system while they run, or else from their own last
 * words. Throws `CHILD_STUBBORN`, with all of them stopped, if one did not end when it was told to.
 */
export async function stopAndMeasure(children: readonly Child[]): Promise<ReadonlyMap<string, number>> {
  const seen = await Promise.all(children.map(({ pid }) => peakRss(pid)));
  await Promise.all(children.map((child) => child.stop()));
  const stubborn = children.find(({ forced }) => forced);
  if (stubborn !== undefined) {
    throw new ProtocolError('CHILD_STUBBORN', `${stubborn.name} did not end when it was told to`);
  }
  const told = children.map((child) => Number(child.leftover('stopped')?.peakRssBytes ?? 0));
  return new Map(children.map(({ name }, i) => [name, seen[i] ?? told[i]!]));
}
