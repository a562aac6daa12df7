/**
 * Latency: one transfer at a time, at random moments, through one node's door; the clock stops when another
 * node says that it is final.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DEVNET_PARAMETERS } from '../src/chain/genesis.ts';
import { fromHex, keyOf } from '../src/codec/bytes.ts';
import { selectSigningKeys } from '../src/node/crypto/select.ts';
import { encodeTransactionList } from '../src/node/requests.ts';
import { decodeTransaction } from '../src/tx/decode.ts';
import { transactionId } from '../src/tx/encode.ts';
import { followFinal, quantiles, rawBlock, withNetwork } from './network.ts';
import { senderKey, signTransfer } from './workload.ts';

export interface LatencyPlan {
  readonly validators: number;
  readonly interval: number;
  readonly samples: number;
  readonly say: (line: string) => void;
}

export interface LatencyReport {
  readonly validators: number;
  readonly blockIntervalMs: number;
  readonly samples: number;
  readonly medianMs: number;
  readonly p95Ms: number;
  readonly maxMs: number;
  /** Median over the block interval. */
  readonly ratio: number;
  readonly blocks: number;
  readonly blocksPerSecond: number;
}

const SENDERS = 16;
const FUNDS = 1_000_000_000n;

export async function latency(plan: LatencyPlan): Promise<LatencyReport> {
  const factory = selectSigningKeys();
  const keys = Array.from({ length: SENDERS }, (_, i) => senderKey(factory, i));
  const parameters = { ...DEVNET_PARAMETERS, blockInterval: plan.interval };
  const accounts = keys.map((key) => ({ address: key.publicKey, amount: FUNDS }));
  const network = {
    validators: plan.validators,
    followers: plan.validators === 1 ? 1 : 0,
    parameters,
    accounts,
    say: plan.say,
  };
  return withNetwork(network, async (net) => {
    const door = net.nodes[0]!.api;
    const other = net.nodes[net.nodes.length - 1]!.api;
    const genesisHash = fromHex(net.genesisHash, 32);
    const sent = new Map<string, number>();
    const times: number[] = [];
    const heights: { height: number; at: number }[] = [];
    let working: Promise<void> = Promise.resolve();
    const stop = followFinal(other, ({ height, transactions, at }) => {
      heights.push({ height, at });
      if (transactions === 0) return;
      working = working.then(async () => {
        const block = await rawBlock(other, height, parameters.maxBlockBytes);
        for (const tx of block.transactions) {
          const began = sent.get(keyOf(transactionId(decodeTransaction(tx).bodyBytes)));
          if (began !== undefined) times.push(at - began);
        }
      });
    });
    await delay(3 * plan.interval);
    for (let i = 0; i < plan.samples; i++) {
      const height = heights[heights.length - 1]?.height ?? 0;
      const from = keys[i % SENDERS]!;
      const tx = signTransfer(from, keys[(i + 1) % SENDERS]!.publicKey, i, height + 30, genesisHash);
      sent.set(keyOf(tx.id), performance.now());
      const response = await fetch(`${door}/v1/transactions`, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream' },
        body: encodeTransactionList([tx.bytes]).slice(),
      });
      if (!response.ok) throw new Error(`the node answered ${response.status}: ${await response.text()}`);
      if ((i + 1) % 10 === 0) plan.say(`${i + 1} of ${plan.samples} sent`);
      await delay(plan.interval * (0.1 + Math.random()));
    }
    const deadline = performance.now() + 30_000;
    while (times.length < plan.samples && performance.now() < deadline) await delay(50);
    stop();
    await working;
    if (times.length < plan.samples) throw new Error(`only ${times.length} of ${plan.samples} became final`);
    const { median, p95, max } = quantiles(times);
    const first = heights[0]!;
    const last = heights[heights.length - 1]!;
    return {
      validators: plan.validators,
      blockIntervalMs: plan.interval,
      samples: times.length,
      medianMs: Math.round(median),
      p95Ms: Math.round(p95),
      maxMs: Math.round(max),
      ratio: Math.round((1_000 * median) / plan.interval) / 1_000,
      blocks: last.height - first.height,
      blocksPerSecond: Math.round((1_000_000 * (last.height - first.height)) / (last.at - first.at)) / 1_000,
    };
  });
}
