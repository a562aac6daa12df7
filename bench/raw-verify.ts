/**
 * Raw signature verifications a second on all cores, with the library and the message size that the node uses:
 * the ceiling that throughput is compared with.
 */
import { availableParallelism } from 'node:os';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { selectSigningKeys, selectVerifier } from '../src/node/crypto/select.ts';
import { senderKey } from './workload.ts';

const SAMPLES = 512;

function measure(seconds: number): number {
  const verifier = selectVerifier();
  const factory = selectSigningKeys();
  const cases = Array.from({ length: SAMPLES }, (_, i) => {
    const key = senderKey(factory, i);
    const message = new Uint8Array(79).fill(i & 0xff);
    return { key: key.publicKey, message, signature: key.sign(message) };
  });
  let done = 0;
  const start = performance.now();
  const end = start + seconds * 1_000;
  while (performance.now() < end) {
    for (const { key, message, signature } of cases) {
      if (!verifier.verify(signature, message, key)) throw new Error('a good signature was refused');
    }
    done += cases.length;
  }
  return (done * 1_000) / (performance.now() - start);
}

/** Verifications a second, summed over one worker a core. */
export async function rawVerifyPerSecond(seconds: number): Promise<number> {
  const rates = await Promise.all(
    Array.from(
      { length: availableParallelism() },
      () =>
        new Promise<number>((resolve, reject) => {
          const worker = new Worker(new URL(import.meta.url), { workerData: { seconds } });
          worker.once('message', resolve);
          worker.once('error', reject);
        }),
    ),
  );
  return rates.reduce((sum, rate) => sum + rate, 0);
}

if (!isMainThread) parentPort?.postMessage(measure((workerData as { seconds: number }).seconds));
