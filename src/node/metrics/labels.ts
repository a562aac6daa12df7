/** The closed sets of values that labels of metrics have. */
import { REFUSALS } from '../../p2p/door.ts';
import { OFFENCES } from '../../p2p/offences.ts';

/** Stands for every value that a label's set does not know. */
export const OTHER = 'other';

/** The keys of a table, as its own type has them. */
function keysOf<Key extends string>(table: Readonly<Record<Key, unknown>>): Key[] {
  return Object.keys(table) as Key[];
}

export const OFFENCE_NAMES = keysOf(OFFENCES);
export const REFUSAL_NAMES = keysOf(REFUSALS);

/** Queues whose length is shown; docs/network.md has the bounds and policies of those of the network. */
export const QUEUE_NAMES = [
  'votes',
  'proposals',
  'hello',
  'bulk-waiting',
  'bulk-asked',
  'bulk-served',
  'gossip',
  'api-dear',
  'verify-block',
  'verify-own',
  'verify-validator',
  'verify-stranger',
  'consensus-commit',
  'finalisation',
] as const;

/** Why a transaction was refused; codes of docs/protocol.md and docs/mempool.md. */
export const REFUSAL_CODES = [
  'BOUNTY_CLOSED',
  'BOUNTY_EXPIRED',
  'BOUNTY_NOT_YET',
  'BOUNTY_UNKNOWN',
  'CLAIM_KEY_MISMATCH',
  'CLAIM_PAYEE_MISMATCH',
  'CLAIM_DESTINATIONS',
  'CLAIM_PENDING',
  'CODEC_BOUNDS',
  'CODEC_NOT_CANONICAL',
  'CODEC_TRAILING',
  'CODEC_TRUNCATED',
  'CODEC_TYPE',
  'MEMPOOL_FULL',
  'MEMPOOL_SENDER_FULL',
  'TX_AMOUNT',
  'TX_BOUNTY_AMOUNT',
  'TX_BOUNTY_TOO_FAR',
  'TX_BOUNTY_WINDOW',
  'TX_COMMENT',
  'TX_CONFLICT',
  'TX_DUPLICATE_CLAIM',
  'TX_DUPLICATE_INPUT',
  'TX_DUST',
  'TX_EXPIRED',
  'TX_FEE_LOW',
  'TX_KIND',
  'TX_OVERSPENT',
  'TX_REPLAY',
  'TX_SHAPE',
  'TX_SIGNATURE',
  'TX_SIZE',
  'TX_TOO_FAR',
  'TX_UNBALANCED',
  OTHER,
] as const;

/** Why a transaction left the pool without being in a block. */
export const DROP_CODES = [
  'BOUNTY_CLOSED',
  'BOUNTY_EXPIRED',
  'MEMPOOL_EVICTED',
  'MEMPOOL_REPLACED',
  'TX_EXPIRED',
  'TX_OVERSPENT',
  'TX_REPLAY',
  OTHER,
] as const;
