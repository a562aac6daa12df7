/**
 * The domain tags: every hashed or signed preimage begins with exactly one of these, tree nodes apart. Tags
 * are ASCII, end in `/1` (their version) and none is a prefix of another, which a test checks. The table in
 * docs/protocol.md is this one.
 */
import { type Bytes, utf8 } from './bytes.ts';

export const DOMAIN = {
  /** genesis hash: tag ‖ canonical genesis */
  genesis: utf8('kryder/genesis/1'),
  /** transaction id: tag ‖ canonical body */
  transactionId: utf8('kryder/tx-id/1'),
  /** transaction signature: tag ‖ genesis hash ‖ id */
  transactionSignature: utf8('kryder/tx-sig/1'),
  /** replay key of a transaction with inputs: tag ‖ address ‖ salt ‖ u64 validUntil */
  replayKey: utf8('kryder/replay/1'),
  /** account key in the tree: tag ‖ address */
  account: utf8('kryder/account/1'),
  /** bounty subtree of a tag: tag ‖ blob tag */
  bountyTag: utf8('kryder/bounty-tag/1'),
  /** bounty id: tag ‖ transaction id ‖ u64 output index */
  bountyId: utf8('kryder/bounty-id/1'),
  /** claim key seed: tag ‖ genesis hash ‖ nonce ‖ blob tag ‖ u64 length ‖ data */
  challenge: utf8('kryder/challenge/1'),
  /** nonce of a precomputed challenge: tag ‖ secret ‖ blob tag ‖ u64 index */
  challengeNonce: utf8('kryder/challenge-nonce/1'),
  /** block hash: tag ‖ canonical header */
  header: utf8('kryder/header/1'),
  /** hash of a certificate: tag ‖ canonical certificate */
  certificate: utf8('kryder/certificate/1'),
  /** hash of a validator set: tag ‖ canonical set */
  validatorSet: utf8('kryder/validator-set/1'),
  /** signature of a vote: tag ‖ genesis hash ‖ u64 epoch ‖ u8 kind ‖ subject */
  vote: utf8('kryder/vote/1'),
  /** leader of a view: tag ‖ seed ‖ u64 view ‖ u64 attempt */
  leader: utf8('kryder/leader/1'),
  /** signature of a peer record: tag ‖ genesis hash ‖ canonical record */
  peerRecord: utf8('kryder/peer-record/1'),
} as const satisfies Record<string, Bytes>;
