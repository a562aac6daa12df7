/**
 * A verification worker: strict decoding, canonical check, ids and signatures of batches, away from the main
 * thread. It holds no state besides its backend, so a batch may go to any worker.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { Bytes } from '../codec/bytes.ts';
import { installHashBackend } from '../codec/hash.ts';
import type { CheckContext, TransactionParameters } from '../tx/check.ts';
import { selectVerifier } from './crypto/select.ts';
import { nodeHashBackend } from './hash.ts';
import { checkPacked } from './verify-protocol.ts';

interface WorkerSetup {
  readonly genesisHash: Bytes;
  readonly parameters: TransactionParameters;
  readonly backend: string | undefined;
}

const setup = workerData as WorkerSetup;
const port = parentPort;
if (port === null) throw new Error('the verification worker runs as a worker thread only');
installHashBackend(nodeHashBackend());
const context: CheckContext = {
  genesisHash: setup.genesisHash,
  parameters: setup.parameters,
  verifier: selectVerifier(setup.backend),
};

port.on('message', ({ batch, buffer }: { batch: number; buffer: ArrayBuffer }) => {
  const results = checkPacked(buffer, context);
  port.postMessage({ batch, buffer, results }, [buffer, results]);
});
