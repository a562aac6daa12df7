/** What a node reads from its database when it starts: the ledger, the replay memory, and where consensus goes on. */
import type { Logger } from 'pino';
import { type Block, certificateMatches, decodeBlock } from '../chain/block.ts';
import { type Genesis, genesisHash } from '../chain/genesis.ts';
import { proposalOf } from '../chain/rules.ts';
import { type Bytes, equal } from '../codec/bytes.ts';
import { sha256 } from '../codec/hash.ts';
import { decodeCertificate, verifyCertificate } from '../consensus/certificate.ts';
import type { Floor } from '../consensus/host.ts';
import { FINALIZE, type ValidatorSet } from '../consensus/types.ts';
import { sameProposal } from '../consensus/vote.ts';
import type { SignatureVerifier } from '../crypto/interfaces.ts';
import { transactionRoot } from '../ledger/merkle.ts';
import { type ReplayKey, ReplayMemory } from '../ledger/replay.ts';
import { Ledger } from '../ledger/state.ts';
import { DatabaseDamage, ownData } from '../storage/damage.ts';
import type { ChainDatabase } from '../storage/database.ts';
import { decodeTransaction } from '../tx/decode.ts';
import { replayKey, transactionId } from '../tx/encode.ts';

const STATE_LOG_EVERY = 250_000;

/** All entries of the state, in memory as a tree. */
export async function loadLedger(database: ChainDatabase, log: Logger): Promise<Ledger> {
  const builder = Ledger.builder(database);
  let count = 0;
  await database.readState(async (_tip, entries) => {
    for await (const entry of entries) {
      builder.add(entry);
      if (++count % STATE_LOG_EVERY === 0) log.info({ entries: count }, 'reading the state');
    }
  });
  log.info({ entries: count, height: database.tip.height }, 'state read');
  return builder.finish();
}

/**
 * The replay memory of the last `txLifetime` blocks. Throws `DatabaseDamage` unless they follow one another up to the
 * tip and hold the transactions that their headers commit to.
 */
export function loadReplay(database: ChainDatabase, genesis: Genesis): ReplayMemory {
  const memory = new ReplayMemory();
  const { height, hash: tip } = database.tip;
  let parent: Bytes | undefined;
  for (let at = Math.max(1, height - genesis.parameters.txLifetime); at <= height; at++) {
    const block = storedBlock(database, at, genesis);
    if (parent !== undefined && !equal(block.header.parent, parent)) {
      throw new DatabaseDamage(`block ${at} does not follow the one before it`);
    }
    memory.add(at, replayKeys(block, at));
    parent = block.hash;
  }
  if (parent !== undefined && !equal(parent, tip)) {
    throw new DatabaseDamage(`block ${height} is not the one that was made final`);
  }
  return memory;
}

function storedBlock(database: ChainDatabase, height: number, genesis: Genesis): Block {
  const bytes = database.block(height);
  if (bytes === undefined) throw new DatabaseDamage(`block ${height} is missing`);
  return ownData(`block ${height}`, () => decodeBlock(bytes, genesis.parameters.maxBlockBytes));
}

function replayKeys({ transactions, header, parentCertificate }: Block, height: number): ReplayKey[] {
  if (!certificateMatches(header, parentCertificate)) {
    throw new DatabaseDamage(`the certificate in block ${height} is not the one of its header`);
  }
  const read = ownData(`a transaction of block ${height}`, () =>
    transactions.map((bytes) => {
      const { body, bodyBytes } = decodeTransaction(bytes);
      const id = transactionId(bodyBytes);
      return { id, wireHash: sha256(bytes), validUntil: body.validUntil, replayKey: replayKey(body, id) };
    }),
  );
  if (!equal(transactionRoot(read), header.transactionRoot)) {
    throw new DatabaseDamage(`the transactions of block ${height} are not those of its header`);
  }
  return read;
}

/**
 * The highest finalised block with a certificate of its own: where consensus goes on. Throws `DatabaseDamage` unless
 * the certificate proves the block.
 */
export async function floorOf(
  database: ChainDatabase,
  set: ValidatorSet,
  genesis: Genesis,
  verifier: SignatureVerifier,
): Promise<Floor> {
  const certified = await database.lastFinality(database.tip.height);
  const id = genesisHash(genesis);
  if (certified === undefined) {
    return { proposal: { epoch: set.epoch, view: 0, parentView: 0, payload: id }, finalization: undefined };
  }
  const { header, hash } = storedBlock(database, certified.height, genesis);
  const proposal = proposalOf(header, hash);
  const finalization = ownData(`the certificate of block ${certified.height}`, () => {
    const certificate = decodeCertificate(certified.certificate, set);
    verifyCertificate(certificate, set, id, verifier);
    return certificate;
  });
  const { subject } = finalization;
  if (subject.kind !== FINALIZE || !sameProposal(subject.proposal, proposal)) {
    throw new DatabaseDamage(`the certificate of block ${certified.height} is of another block`);
  }
  return { proposal, finalization };
}
