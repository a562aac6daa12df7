/** Peaks of resident memory, for the story's account of what it took. */
import { readFile } from 'node:fs/promises';

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
