/**
 * The load of the soak, as a process of its own: signs transfers as they fall due and offers them at a steady
 * rate, whatever the node answers, for as long as its standard input is open. It holds a second's worth at most: what
 * cannot be offered in time is counted as late and left out, never saved up. Says its counts every second, and once
 * more, with `done`, when every answer is there.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Bytes } from '../src/codec/bytes.ts';
import { fromHex } from '../src/codec/bytes.ts';
import { installHashBackend } from '../src/codec/hash.ts';
import { selectSigningKeys } from '../src/node/crypto/select.ts';
import { nodeHashBackend } from '../src/node/hash.ts';
import { encodeTransactionList } from '../src/node/requests.ts';
import { judged, openDoor } from './door.ts';
import { senderKey, signTransfer } from './workload.ts';

interface Plan {
  readonly api: string;
  readonly genesisHash: string;
  readonly senders: number;
  /** Transfers a second. */
  readonly rate: number;
  /** Blocks that a transfer stays valid. */
  readonly lifetime: number;
}

const TICK_MS = 100;
const IN_FLIGHT = 4;
const MOST_LATE_SECONDS = 1;

installHashBackend(nodeHashBackend());
const plan = JSON.parse(process.argv[2] ?? '{}') as Plan;
const genesisHash = fromHex(plan.genesisHash, 32);
const factory = selectSigningKeys();
const keys = Array.from({ length: plan.senders }, (_, i) => senderKey(factory, i));
const post = openDoor(plan.api, IN_FLIGHT);

let height = 0;
let serial = 0;
let due = 0;
let late = 0;
let offered = 0;
let accepted = 0;
let inFlight = 0;
const refusals: Record<string, number> = {};
const count = (code: string, by = 1): void => {
  refusals[code] = (refusals[code] ?? 0) + by;
};

async function askHeight(): Promise<void> {
  const response = await fetch(`${plan.api}/v1/status`, { signal: AbortSignal.timeout(10_000) });
  height = ((await response.json()) as { height: number }).height;
}

function sign(amount: number): Bytes[] {
  return Array.from({ length: amount }, () => {
    const from = keys[serial % keys.length]!;
    const to = keys[(serial + 1) % keys.length]!;
    return signTransfer(from, to.publicKey, serial++, height + plan.lifetime, genesisHash).bytes;
  });
}

async function offer(amount: number): Promise<void> {
  inFlight += 1;
  try {
    const answer = await post(encodeTransactionList(sign(amount)));
    offered += amount;
    if (answer.status === 503) {
      count('busy', amount);
      return;
    }
    const verdict = judged(answer);
    accepted += verdict.accepted;
    for (const { code } of verdict.refused) count(code);
  } catch (error) {
    count(`failed: ${error instanceof Error ? error.message.slice(0, 80) : String(error)}`, amount);
  } finally {
    inFlight -= 1;
  }
}

const tell = (done: boolean): void => {
  process.stdout.write(`${JSON.stringify({ offered, accepted, late, refusals, done })}\n`);
};

let over = false;
process.stdin.once('end', () => {
  over = true;
});
await askHeight();
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
await new Promise<void>((resolve) => process.stdin.once('data', () => resolve()));
const started = performance.now();
let asked = started;
while (!over) {
  await delay(TICK_MS);
  const now = performance.now();
  if (now - asked >= 1_000) {
    asked = now;
    askHeight().catch(() => count('no status'));
    tell(false);
  }
  const whole = Math.floor(((now - started) / 1_000) * plan.rate);
  let amount = whole - due;
  if (inFlight >= IN_FLIGHT) {
    const most = Math.ceil(plan.rate * MOST_LATE_SECONDS);
    if (amount <= most) continue;
    late += amount;
    due = whole;
    continue;
  }
  due = whole;
  while (amount > 0 && inFlight < IN_FLIGHT) {
    const part = Math.min(amount, 1_000);
    void offer(part);
    amount -= part;
  }
  late += amount;
}
while (inFlight > 0) await delay(TICK_MS);
tell(true);
process.exit(0);
