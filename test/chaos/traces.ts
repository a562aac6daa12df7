/**
 * What a run leaves on the machine, and its removal. Everything carries the process id of the run that made it, so that
 * runs do not meet, and so that what a killed run has left is known by its process being gone:
 *
 *     network namespaces   kchaos-<pid>-hub, kchaos-<pid>-0 …
 *     folder               kryder-chaos-<pid>-…, with whatever is mounted in it
 *     processes            those in the namespaces
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from './commands.ts';

const NAMESPACES = '/run/netns';
const NAMESPACE = /^kchaos-(\d+)-/;
const FOLDER = /^kryder-chaos-(\d+)-/;
const GONE_MS = 20_000;
const POLL_MS = 50;

export function hubName(owner: number): string {
  return `kchaos-${owner}-hub`;
}

export function nodeName(owner: number, node: number): string {
  return `kchaos-${owner}-${node}`;
}

/** What the folder of a run begins with, for `mkdtemp`. */
export function folderPrefix(owner: number): string {
  return join(tmpdir(), `kryder-chaos-${owner}-`);
}

/** The words before a command that has it run in a network namespace, as the same process. */
export function inNamespace(name: string): string[] {
  return ['nsenter', `--net=${join(NAMESPACES, name)}`];
}

function ownerOf(name: string, pattern: RegExp): number | undefined {
  const digits = pattern.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

/** Places in `folder` where something is mounted, the innermost first. */
async function mountsIn(folder: string): Promise<string[]> {
  const lines = (await readFile('/proc/self/mounts', 'utf8')).split('\n');
  const places = lines.map((line) =>
    (line.split(' ')[1] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    ),
  );
  return places.filter((place) => `${place}/`.startsWith(`${folder}/`)).sort((a, b) => b.length - a.length);
}

function signalled(pid: number, signal: 0 | 'SIGKILL'): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** Processes in a namespace, but for the calling one and the one that was asked. */
async function processesIn(namespace: string): Promise<number[]> {
  const out = await run('ip', ['netns', 'pids', namespace]);
  const pids = out.split('\n').map(Number);
  return pids.filter((pid) => pid > 0 && pid !== process.pid && signalled(pid, 0));
}

/** Ends every process in the namespace, stopped ones too; each is named by the kernel, none guessed. */
async function emptyNamespace(namespace: string): Promise<void> {
  const deadline = performance.now() + GONE_MS;
  for (;;) {
    const left = await processesIn(namespace);
    if (left.length === 0) return;
    if (performance.now() > deadline) throw new Error(`${namespace}: processes ${left.join(' ')} do not end`);
    for (const pid of left) signalled(pid, 'SIGKILL');
    await delay(POLL_MS);
  }
}

/** Removes everything that the run of process `owner` has made. May be called again, and at any moment. */
export async function removeTraces(owner: number): Promise<void> {
  const namespaces = (await namesIn(NAMESPACES)).filter((name) => ownerOf(name, NAMESPACE) === owner);
  for (const name of namespaces) await emptyNamespace(name);
  for (const name of namespaces) await run('ip', ['netns', 'delete', name]);
  for (const name of (await namesIn(tmpdir())).filter((each) => ownerOf(each, FOLDER) === owner)) {
    const folder = join(tmpdir(), name);
    for (const place of await mountsIn(folder)) {
      await run('umount', [place]).catch(() => run('umount', ['--lazy', place]));
    }
    await rm(folder, { recursive: true, force: true });
  }
}

/** Whether the process that made something is still a run of this program. */
async function alive(owner: number): Promise<boolean> {
  const command = await readFile(`/proc/${owner}/cmdline`, 'utf8').catch(() => '');
  return command.includes('chaos');
}

/** Process ids of runs that are gone and have left something. */
export async function leftovers(): Promise<number[]> {
  const owners = new Set<number>();
  const found = [
    ...(await namesIn(NAMESPACES)).map((name) => ownerOf(name, NAMESPACE)),
    ...(await namesIn(tmpdir())).map((name) => ownerOf(name, FOLDER)),
  ];
  for (const owner of found) if (owner !== undefined && !(await alive(owner))) owners.add(owner);
  return [...owners];
}
