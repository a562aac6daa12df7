/**
 * Throughput: transfers of many senders, signed beforehand, pushed by a process of its own through a
 * validator's door; counted when final, by id, at a node that only follows. The machine's raw verification rate
 * is taken before and after with nothing else running.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DEVNET_PARAMETERS } from '../src/chain/genesis.ts';
import { keyOf } from '../src/codec/bytes.ts';
import type { ChainParameters } from '../src/ledger/parameters.ts';
import { selectSigningKeys } from '../src/node/crypto/select.ts';
import type { Devnet } from '../src/story/devnet.ts';
import { decodeTransaction } from '../src/tx/decode.ts';
import { transactionId } from '../src/tx/encode.ts';
import { LoadProcess } from './load-process.ts';
import { type FinalNotice, followFinal, quantiles, rawBlock, withNetwork } from './network.ts';
import { rawVerifyPerSecond } from './raw-verify.ts';
import { senderKey } from './workload.ts';

export interface ThroughputPlan {
  readonly validators: readonly number[];
  readonly seconds: number;
  readonly senders: number;
  /** Signed beforehand; by default what the raw rate could finalise in the time. */
  readonly transfers: number | undefined;
  readonly rawSeconds: number;
  /** Folder for CPU profiles of every node. */
  readonly profile: string | undefined;
  readonly say: (line: string) => void;
}

interface Row {
  readonly validators: number;
  readonly seconds: number;
  readonly offered: number;
  readonly finalised: number;
  readonly finalisedPerSecond: number;
  readonly rawVerifyPerSecond: number;
  readonly ratio: number;
  readonly blocks: number;
  readonly finalityMs: { readonly median: number; readonly p95: number };
  readonly refusals: Record<string, number>;
}

const FUNDS = 10_000_000_000n;
const LIFETIME = 1_200;
const PARAMETERS: ChainParameters = {
  ...DEVNET_PARAMETERS,
  txLifetime: LIFETIME,
  leastClaimWindow: LIFETIME,
};

interface SenderReport {
  readonly offered: number;
  readonly refusals: Record<string, number>;
}

async function measure(
  net: Devnet,
  plan: ThroughputPlan,
  transfers: number,
): Promise<Omit<Row, 'rawVerifyPerSecond' | 'ratio'>> {
  const { seconds, senders, say } = plan;
  const follower = net.nodes.find((node) => !node.validator)!.api;
  const validators = net.nodes.filter((node) => node.validator).length;
  const sender = new LoadProcess('./sender.js', {
    api: net.nodes[0]!.api,
    genesisHash: net.genesisHash,
    senders,
    transfers,
    validUntil: LIFETIME,
    seconds,
  });
  try {
    const { ready } = await sender.line<{ ready: number }>();
    say(`${validators} validators: ${ready} transfers signed`);
    const notices: FinalNotice[] = [];
    const stop = followFinal(follower, (notice) => {
      notices.push(notice);
      if (notice.transactions > 0)
        say(
          `  height ${notice.height}: ${notice.transactions} transactions, final in ${notice.finalityMs} ms`,
        );
    });
    await delay(2_000);
    const began = performance.now();
    sender.go();
    const report = await sender.line<SenderReport>();
    await delay(Math.max(0, seconds * 1_000 - (performance.now() - began)));
    const ended = performance.now();
    stop();
    const inTime = notices.filter(
      ({ at }) => at >= began && at <= ended && at - began <= seconds * 1_000 + 50,
    );
    const ids = new Set<string>();
    for (const { height, transactions } of inTime) {
      if (transactions === 0) continue;
      const block = await rawBlock(follower, height, PARAMETERS.maxBlockBytes);
      for (const tx of block.transactions) ids.add(keyOf(transactionId(decodeTransaction(tx).bodyBytes)));
    }
    const took = (ended - began) / 1_000;
    const { median, p95 } = quantiles(inTime.map(({ finalityMs }) => finalityMs));
    return {
      validators,
      seconds: Math.round(took * 1_000) / 1_000,
      offered: report.offered,
      finalised: ids.size,
      finalisedPerSecond: Math.round(ids.size / took),
      blocks: inTime.length,
      finalityMs: { median, p95 },
      refusals: report.refusals,
    };
  } finally {
    await sender.end();
  }
}

export async function throughput(
  plan: ThroughputPlan,
): Promise<{ rows: Row[]; rawVerifyBefore: number; rawVerifyAfter: number }> {
  const { say } = plan;
  const factory = selectSigningKeys();
  const accounts = Array.from({ length: plan.senders }, (_, i) => ({
    address: senderKey(factory, i).publicKey,
    amount: FUNDS,
  }));
  const before = await rawVerifyPerSecond(plan.rawSeconds);
  say(`raw verifications a second, all cores: ${Math.round(before)}`);
  const transfers = plan.transfers ?? Math.ceil(before * plan.seconds * 0.6);
  const measured: Omit<Row, 'rawVerifyPerSecond' | 'ratio'>[] = [];
  for (const validators of plan.validators) {
    const network = {
      validators,
      followers: 1,
      parameters: PARAMETERS,
      accounts,
      profile: plan.profile,
      say,
    };
    measured.push(await withNetwork(network, (net) => measure(net, plan, transfers)));
  }
  const after = await rawVerifyPerSecond(plan.rawSeconds);
  say(`raw verifications a second, all cores: ${Math.round(after)}`);
  const raw = (before + after) / 2;
  const rows = measured.map((row) => ({
    ...row,
    rawVerifyPerSecond: Math.round(raw),
    ratio: Math.round((1_000 * row.finalisedPerSecond) / raw) / 1_000,
  }));
  return { rows, rawVerifyBefore: Math.round(before), rawVerifyAfter: Math.round(after) };
}
