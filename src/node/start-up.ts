/** What a node reads from its database when it starts: the ledger, the replay memory, and where consensus goes on. */
import type { Logger } from 'pino';
import { decodeBlock } from '../chain/block.ts';
import { type Genesis, genesisHash } from '../chain/genesis.ts';
import { proposalOf } from '../chain/rules.ts';
import { decodeCertificate } from '../consensus/certificate.ts';
import type { Floor } from '../consensus/host.ts';
import type { ValidatorSet } from '../consensus/types.ts';
import { ReplayMemory } from '../ledger/replay.ts';
import { Ledger } from '../ledger/state.ts';
import type { ChainDatabase } from '../storage/database.ts';
import { decodeTransaction } from '../tx/decode.ts';
import { replayKey, transactionId } from '../tx/encode.ts';

const STATE_LOG_EVERY = 250_000;

/** All entries of the state, in memory as a tree. */
export async function loadLedger(database: ChainDatabase, log: Logger): Promise<Ledger> {
  const builder = Ledger.builder(database);
  let count = 0;
  for await (const entry of database.stateEntries()) {
    builder.add(entry);
    if (++count % STATE_LOG_EVERY === 0) log.info({ entries: count }, 'reading the state');
  }
  log.info({ entries: count, height: database.tip.height }, 'state read');
  return builder.finish();
}

/** The replay memory of the last `txLifetime` blocks. */
export function loadReplay(database: ChainDatabase, genesis: Genesis): ReplayMemory {
  const memory = new ReplayMemory();
  const { height } = database.tip;
  for (let at = Math.max(1, height - genesis.parameters.txLifetime); at <= height; at++) {
    const bytes = database.block(at);
    if (bytes === undefined) throw new Error(`block ${at} is missing in the database`);
    const { transactions } = decodeBlock(bytes, genesis.parameters.maxBlockBytes);
    memory.add(
      at,
      transactions.map((tx) => {
        const { body, bodyBytes } = decodeTransaction(tx);
        return { validUntil: body.validUntil, replayKey: replayKey(body, transactionId(bodyBytes)) };
      }),
    );
  }
  return memory;
}

/** The highest finalised block with a certificate of its own: where consensus goes on. */
export async function floorOf(database: ChainDatabase, set: ValidatorSet, genesis: Genesis): Promise<Floor> {
  const certified = await database.lastFinality(database.tip.height);
  if (certified === undefined) {
    return {
      proposal: { epoch: set.epoch, view: 0, parentView: 0, payload: genesisHash(genesis) },
      finalization: undefined,
    };
  }
  const { header, hash } = decodeBlock(database.block(certified.height)!, genesis.parameters.maxBlockBytes);
  return { proposal: proposalOf(header, hash), finalization: decodeCertificate(certified.certificate, set) };
}
