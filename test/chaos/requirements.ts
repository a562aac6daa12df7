/**
 * Whether this machine lets a run make what it needs: each means is tried once in a namespace of its own, which is
 * removed again.
 */
import { access, constants, mkdtemp } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { run } from './commands.ts';
import { folderPrefix, hubName, inNamespace, removeTraces } from './traces.ts';

const PROGRAMS: readonly (readonly [program: string, from: string])[] = [
  ['ip', 'iproute2'],
  ['tc', 'iproute2'],
  ['iptables-restore', 'iptables'],
  ['iptables-save', 'iptables'],
  ['nsenter', 'util-linux'],
  ['mount', 'mount'],
  ['umount', 'mount'],
];

async function isInstalled(program: string): Promise<boolean> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    try {
      await access(join(folder, program), constants.X_OK);
      return true;
    } catch {
      // not in this one
    }
  }
  return false;
}

const RULES = [
  '*filter',
  ':INPUT ACCEPT [0:0]',
  '-A INPUT -s 10.88.0.1/32 -m statistic --mode random --probability 0.500000 -j DROP',
  'COMMIT',
  '',
].join('\n');

/** What is missing here, in words; empty if a run can be made. Leaves nothing behind. */
export async function missing(): Promise<string[]> {
  if (process.platform !== 'linux') return ['Linux: network namespaces are its own'];
  const out: string[] = [];
  if (process.getuid?.() !== 0) out.push('root: run it as root');
  for (const [program, from] of PROGRAMS) {
    if (!(await isInstalled(program))) out.push(`the program ${program}: install ${from}`);
  }
  if (out.length > 0) return out;
  const hub = hubName(process.pid);
  const attempt = async (what: string, work: () => Promise<unknown>): Promise<boolean> => {
    try {
      await work();
      return true;
    } catch (error) {
      out.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      return false;
    }
  };
  try {
    if (await attempt('network namespaces', () => run('ip', ['netns', 'add', hub]))) {
      const [enter = '', ...net] = inNamespace(hub);
      await attempt('network namespaces', () => run(enter, [...net, 'true']));
      await attempt('bridges', () => run('ip', ['-n', hub, 'link', 'add', 'probe', 'type', 'bridge']));
      const paired = await attempt('pairs of interfaces', () =>
        run('ip', ['-n', hub, 'link', 'add', 'one', 'type', 'veth', 'peer', 'name', 'other']),
      );
      const shape = ['-n', hub, 'qdisc', 'add', 'dev', 'one', 'root', 'tbf'];
      if (paired)
        await attempt('the tbf shaper', () =>
          run('tc', [...shape, 'rate', '64kbit', 'burst', '16kb', 'latency', '500ms']),
        );
      await attempt('the packet filter', () => run(enter, [...net, 'iptables-restore', '-w'], RULES));
    }
    const folder = await mkdtemp(folderPrefix(process.pid));
    await attempt('small file systems', () => run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', folder]));
    await run('umount', [folder]).catch(() => '');
  } finally {
    await removeTraces(process.pid);
  }
  return out;
}
