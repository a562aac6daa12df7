/** The parts of a node that stand behind the network's lanes. */

import type { Bytes } from '../codec/bytes.ts';
import type { Replica } from '../consensus/replica.ts';
import type { ValidatorSet } from '../consensus/types.ts';
import type { SignatureVerifier } from '../crypto/interfaces.ts';
import type { Network } from '../p2p/types.ts';
import type { ChainDatabase } from '../storage/database.ts';
import type { Bodies } from './bodies.ts';
import type { Chain } from './chain.ts';
import type { Exchanged } from './exchanged.ts';
import type { TransactionRelay } from './gossip.ts';

export interface LaneParts {
  readonly set: ValidatorSet;
  readonly genesisHash: Bytes;
  readonly verifier: SignatureVerifier;
  readonly maxBlockBytes: number;
  readonly chain: Chain;
  readonly bodies: Bodies;
  readonly database: ChainDatabase;
  readonly replica: Replica;
  readonly relay: TransactionRelay;
  readonly network: Network;
  /** Hears the times that leaders chose for fresh proposals, ms since 1970. */
  readonly onProposalTime?: (leader: number, time: number) => void;
  readonly exchanged: Exchanged;
}
