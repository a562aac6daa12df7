/**
 * `npm run bench -- NAME [--json]`: measures the real node in real processes on loopback. Figures that depend on
 * the machine are reported next to the machine's own ceiling, measured in the same run.
 *
 *     latency      time from submission at one node to final as seen through another, under light load
 *     throughput   finalised transfers a second against raw signature verifications a second
 *     soak         memory, open handles and disk of every node under a steady load for an hour
 *     profile      what each thread of a profiled throughput run was busy with
 */
import { parseArgs } from 'node:util';
import { latency } from './latency.ts';
import { profileReport } from './profile.ts';
import { soak } from './soak.ts';
import { throughput } from './throughput.ts';

const USAGE = `npm run bench -- latency [--json] [--validators N] [--interval MS] [--samples N]
npm run bench -- throughput [--json] [--validators 1,4] [--seconds S] [--senders N] [--transfers N] [--raw-seconds S]
    [--profile DIR]
npm run bench -- soak [--json] [--minutes M] [--rate TRANSFERS_A_SECOND] [--validators N] [--senders N] [--every SECONDS]
npm run bench -- profile DIR [--json]`;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    validators: { type: 'string' },
    interval: { type: 'string', default: '1000' },
    samples: { type: 'string', default: '60' },
    seconds: { type: 'string', default: '60' },
    senders: { type: 'string', default: '10000' },
    transfers: { type: 'string' },
    minutes: { type: 'string', default: '60' },
    rate: { type: 'string' },
    every: { type: 'string', default: '60' },
    'raw-seconds': { type: 'string', default: '5' },
    profile: { type: 'string' },
  },
});

function whole(text: string, name: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`--${name} must be a whole number, got "${text}"`);
  return Number(text);
}

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/** Aborted by the first SIGINT or SIGTERM; the second ends the process as usual. */
function untilInterrupted(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}

async function run(): Promise<unknown> {
  switch (positionals[0]) {
    case 'latency':
      return latency({
        validators: whole(values.validators ?? '4', 'validators'),
        interval: whole(values.interval, 'interval'),
        samples: whole(values.samples, 'samples'),
        say,
      });
    case 'throughput':
      return throughput({
        validators: (values.validators ?? '1,4').split(',').map((n) => whole(n, 'validators')),
        seconds: whole(values.seconds, 'seconds'),
        senders: whole(values.senders, 'senders'),
        transfers: values.transfers === undefined ? undefined : whole(values.transfers, 'transfers'),
        rawSeconds: whole(values['raw-seconds'], 'raw-seconds'),
        profile: values.profile,
        say,
      });
    case 'soak': {
      const {
        report,
        table,
        whole: lasted,
      } = await soak({
        minutes: whole(values.minutes, 'minutes'),
        rate: values.rate === undefined ? undefined : whole(values.rate, 'rate'),
        validators: whole(values.validators ?? '4', 'validators'),
        senders: whole(values.senders, 'senders'),
        every: whole(values.every, 'every'),
        signal: untilInterrupted(),
        say,
      });
      process.exitCode = lasted ? 0 : 1;
      return values.json ? report : table;
    }
    case 'profile':
      if (positionals[1] === undefined) throw new Error(`name the folder of the profiles:\n${USAGE}`);
      return profileReport(positionals[1]);
    default:
      throw new Error(`name a benchmark:\n${USAGE}`);
  }
}

try {
  const result = await run();
  const text = typeof result === 'string' ? result : JSON.stringify(result, null, values.json ? 0 : 2);
  process.stdout.write(`${text}\n`, () => process.exit());
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
