/**
 * `npm run attack -- --minutes M --seed S --json`: a net of four validators and one that follows, under an honest
 * load of two payments a second, is attacked by a process of its own: group by group, then with everything at once,
 * and at last with the consensus key of one of the four. Exit status 0 only if the net held; `--help` says what that
 * means.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { withNetwork } from '../../bench/network.ts';
import { senderKey } from '../../bench/workload.ts';
import { DEVNET_PARAMETERS, genesisFromJson } from '../../src/chain/genesis.ts';
import { toHex, u64, utf8 } from '../../src/codec/bytes.ts';
import { installHashBackend, sha256 } from '../../src/codec/hash.ts';
import { leaderOf } from '../../src/consensus/leader.ts';
import { createValidatorSet } from '../../src/consensus/validator-set.ts';
import { publicKeyOf } from '../../src/crypto/keys.ts';
import { selectSigningKeys } from '../../src/node/crypto/select.ts';
import { nodeHashBackend } from '../../src/node/hash.ts';
import type { Devnet } from '../../src/story/devnet.ts';
import type { Command, KindReport, Report } from './attacker.ts';
import { GROUPS, type Group } from './kind.ts';
import { type Findings, HELP, judge, type PhaseReport } from './verdict.ts';
import { type Span, Watch } from './watch.ts';
import type { Plan } from './world.ts';

const VALIDATORS = 4;
const INSIDER = 3;
const PAYERS = 16;
const HOSTILE_ACCOUNTS = 16;
const FUNDS = 10_000_000_000n;
const SETTLE_MS = 45_000;
/** Part of the time for each group alone; the rest is for all at once, long enough to tell whether memory grows. */
const ALONE = 0.35;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    interval: { type: 'string', default: '1000' },
    groups: { type: 'string' },
    only: { type: 'string' },
    nice: { type: 'string', default: '10' },
    profile: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

const [minutes, seed, interval] = [Number(values.minutes), Number(values.seed), Number(values.interval)];
const nice = Number(values.nice);
if (!(minutes > 0 && minutes <= 1_440)) fail('--minutes must be a number above 0');
if (!Number.isSafeInteger(seed) || seed < 0) fail('--seed must be a whole number');
if (!Number.isSafeInteger(interval) || interval < 200) fail('--interval must be milliseconds, at least 200');
if (!Number.isSafeInteger(nice) || nice < 0 || nice > 19) fail('--nice must be 0 to 19');
const chosen = values.groups?.split(',') ?? [...GROUPS];
const groups = GROUPS.filter((group) => chosen.includes(group));
if (groups.length !== chosen.length) fail(`--groups: choose among ${GROUPS.join(',')}`);

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

class Attacker {
  readonly #child = spawn(process.execPath, [fileURLToPath(new URL('./attacker.js', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  readonly #lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();

  async tell<T>(line: Plan | Command): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify(line)}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('the attacking process ended early');
    return JSON.parse(value) as T;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}

interface Phase {
  readonly name: string;
  readonly groups: readonly Group[];
  readonly seconds: number;
}

/** Baseline, each group, all of them, the insider: what there is time for. */
function phases(seconds: number): { baseline: number; attacks: Phase[] } {
  const stakeless = groups.filter((group) => group !== 'insider');
  const baseline = Math.min(60, Math.max(5, 0.1 * seconds));
  const attacks: Phase[] = [];
  let left = seconds - baseline;
  const alone = stakeless.length === 0;
  const insider = !groups.includes('insider') ? 0 : alone ? left : Math.max(4, 0.17 * left);
  left -= insider;
  if (stakeless.length > 1 && seconds >= 120) {
    for (const group of stakeless)
      attacks.push({ name: group, groups: [group], seconds: (ALONE * left) / stakeless.length });
    left *= 1 - ALONE;
  }
  if (stakeless.length > 0) attacks.push({ name: 'everything', groups: stakeless, seconds: left });
  if (insider > 0) attacks.push({ name: 'insider', groups: ['insider'], seconds: insider });
  return { baseline, attacks };
}

async function attack(net: Devnet): Promise<Findings> {
  const factory = selectSigningKeys();
  const payers = Array.from({ length: PAYERS }, (_, i) => senderKey(factory, i));
  const genesisFile = join(net.nodes[0]!.dir, 'genesis.json');
  const genesis = genesisFromJson(await readFile(genesisFile, 'utf8'));
  const set = createValidatorSet(0, genesis.seed, genesis.validators);
  const insiderSeed = String(
    Object(JSON.parse(await readFile(join(net.nodes[INSIDER]!.dir, 'consensus.key.json'), 'utf8'))).seed,
  );
  const insiderKey = set.validators.findIndex(
    ({ publicKey }) => toHex(publicKey) === toHex(publicKeyOf(Buffer.from(insiderSeed, 'hex'))),
  );
  const targets = await Promise.all(
    net.nodes.map(async ({ api }) => {
      const { addresses } = (await (await fetch(`${api}/v1/status`)).json()) as { addresses: string[] };
      return { address: addresses[0]!.split('/p2p/')[0]!, api };
    }),
  );
  const watch = new Watch(net, payers);
  const attacker = new Attacker();
  try {
    await attacker.tell({ seed, nice, genesisFile, targets, accounts: hostileSeeds().map(toHex) });
    watch.start();
    const { baseline, attacks } = phases(60 * minutes);
    await delay(2_000);
    const calm: Span = { from: performance.now(), to: performance.now() + 1_000 * baseline };
    say(`baseline: ${Math.round(baseline)} s`);
    const calmCpu = await watch.cpuSeconds();
    await delay(1_000 * baseline);
    const baselineCpu = Math.round((100 * ((await watch.cpuSeconds()) - calmCpu)) / baseline) / 100;
    const reports: PhaseReport[] = [];
    let steady: Span = { from: 0, to: 0 };
    const kinds = new Map<string, KindReport & { readonly seconds: number }>();
    const began = performance.now();
    for (const phase of attacks) {
      const insider = phase.groups.includes('insider');
      if (insider) {
        watch.expectGone(net.nodes[INSIDER]!);
        await net.nodes[INSIDER]!.child.stop();
        await delay(1_000);
      }
      const from = performance.now();
      const cpuBefore = await watch.cpuSeconds();
      const report = await attacker.tell<Report>({
        groups: phase.groups,
        seconds: phase.seconds,
        ...(values.only === undefined ? {} : { only: values.only }),
        ...(insider ? { insider: insiderSeed } : {}),
      });
      const span: Span = { from, to: from + 1_000 * phase.seconds };
      if (span.to - span.from > steady.to - steady.from) steady = span;
      const cpu = (await watch.cpuSeconds()) - cpuBefore;
      const { all, final } = watch.views(span);
      const honest = insider ? all.filter((view) => leaderOf(set, view) !== insiderKey) : all;
      for (const kind of report.kinds) {
        const held = kinds.get(kind.kind);
        kinds.set(kind.kind, {
          ...kind,
          sent: kind.sent + (held?.sent ?? 0),
          refused: kind.refused + (held?.refused ?? 0),
          seconds: report.seconds + (held?.seconds ?? 0),
        });
      }
      reports.push({
        phase: phase.name,
        seconds: Math.round(phase.seconds),
        ...watch.pace(span),
        sentPerSecond: Math.round(report.kinds.reduce((sum, { sent }) => sum + sent, 0) / report.seconds),
        attackerCpu: Math.round((100 * report.cpuSeconds) / report.seconds) / 100,
        nodesCpu: Math.round((100 * cpu) / report.seconds) / 100,
        honestViewsFinal:
          honest.length === 0
            ? 0
            : Math.round((1_000 * honest.filter((view) => final.has(view)).length) / honest.length) / 1_000,
        viewsMissed: watch.counted('kryder_views_missed_total', span),
        lagMs: watch.lagMs(span),
      });
      say(`  ${JSON.stringify(reports.at(-1))}`);
    }
    const ended = performance.now();
    await watch.settled(SETTLE_MS);
    await watch.end();
    return {
      minutes,
      seed,
      baseline: { ...watch.pace(calm), nodesCpu: baselineCpu },
      attack: reports,
      memory: watch.memory(calm, { from: began, to: ended }, steady),
      minutesOfMemory: (steady.to - steady.from) / 60_000,
      offences: watch.counted('kryder_offences_total', { from: began, to: performance.now() }),
      bans: watch.counted('kryder_bans_total', { from: began, to: performance.now() }),
      honestCutOff: watch.cutOff,
      nodesDied: watch.died,
      unanswered: watch.unanswered(),
      unseen: watch.unseen(),
      payments: { sent: watch.paid, lost: watch.lost, latencies: watch.latencies },
      byKind: [...kinds.values()].map(({ kind, group, sent, refused, seconds }) => ({
        kind,
        group,
        sent,
        perSecond: Math.round((10 * sent) / seconds) / 10,
        refused,
        seconds: Math.round(seconds),
      })),
    };
  } finally {
    await watch.end();
    await attacker.end();
  }
}

function hostileSeeds(): Uint8Array[] {
  return Array.from({ length: HOSTILE_ACCOUNTS }, (_, i) => sha256(utf8('hostile account'), u64(i)));
}

installHashBackend(nodeHashBackend());
const factory = selectSigningKeys();
try {
  const findings = await withNetwork(
    {
      validators: VALIDATORS,
      followers: 1,
      parameters: { ...DEVNET_PARAMETERS, blockInterval: interval },
      accounts: [
        ...Array.from({ length: PAYERS }, (_, i) => ({
          address: senderKey(factory, i).publicKey,
          amount: FUNDS,
        })),
        ...hostileSeeds().map((hostile) => ({ address: publicKeyOf(hostile), amount: FUNDS })),
      ],
      profile: values.profile,
      say,
    },
    attack,
  );
  const result = judge(findings);
  process.stdout.write(`${JSON.stringify(result, undefined, values.json ? 0 : 2)}\n`);
  process.exit(result.verdict === 'held' ? 0 : 1);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
