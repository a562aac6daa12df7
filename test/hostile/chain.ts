/** A chain on a real database, from its files as a node starts on it, with blocks that hold payments. */
import pino from 'pino';
import { encodeCertificate } from '../../src/consensus/certificate.ts';
import { leaderOf } from '../../src/consensus/leader.ts';
import { genesisEntries } from '../../src/ledger/genesis.ts';
import { Chain } from '../../src/node/chain.ts';
import { selectVerifier } from '../../src/node/crypto/select.ts';
import { floorOf, loadLedger, loadReplay } from '../../src/node/start-up.ts';
import { ChainDatabase } from '../../src/storage/database.ts';
import { checkTransaction } from '../../src/tx/check.ts';
import { certificate, F, GENESIS_HASH, genesis, N, payment, set, X } from './samples.ts';

const verifier = selectVerifier();
const log = pino({ level: 'silent' });
export const context = { genesisHash: GENESIS_HASH, parameters: genesis.parameters, verifier };

/** Everything that a node does with its database before it talks to anybody. */
export async function startOn<T>(
  directory: string,
  use: (chain: Chain, database: ChainDatabase) => Promise<T>,
): Promise<T> {
  const database = await ChainDatabase.open(directory, {
    hash: GENESIS_HASH,
    entries: () => genesisEntries({ ...genesis, genesisHash: GENESIS_HASH }),
  });
  try {
    const ledger = await loadLedger(database, log);
    const replay = loadReplay(database, genesis);
    const chain = new Chain({
      genesis,
      genesisHash: GENESIS_HASH,
      set,
      database,
      ledger,
      replay,
      onCommitted: () => undefined,
    });
    await floorOf(database, set, genesis, verifier);
    return await use(chain, database);
  } finally {
    await database.close();
  }
}

/** One more final block, with two payments that are different in every block. */
export async function grow(chain: Chain): Promise<void> {
  const { tip } = chain;
  const view = tip.view + 2;
  const parent = { epoch: 0, view: tip.view, parentView: 0, payload: tip.hash };
  const built = chain.build({
    parent: tip.hash,
    epoch: 0,
    view,
    parentView: tip.view,
    proposer: set.validators[leaderOf(set, view)]!.publicKey,
    parentCertificate:
      tip.height === 0
        ? undefined
        : encodeCertificate(certificate(N({ ...parent, parentView: tip.view - 1 }))),
    now: genesis.time + 1_000 * view,
    candidates: [1, 2].map((n) => checkTransaction(payment(10 * view + n).bytes, context)),
    stopwatch: () => () => false,
    onRefused: (_, why) => {
      throw why;
    },
  })!;
  const proposal = { epoch: 0, view, parentView: tip.view, payload: built.block.hash };
  await chain.commit(built, {
    finality: {
      headers: [built.block.headerBytes],
      certificate: encodeCertificate(certificate(F(proposal))),
    },
    nullifications: [{ view: view - 1, certificate: encodeCertificate(certificate(X(view - 1))) }],
  });
}
