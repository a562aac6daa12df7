/**
 * What the owner believes: only what src/light proves from the genesis. The node that is asked for proofs may be
 * anybody's; it may be a block behind, so it is asked again for a while, but nothing that it says is taken on
 * trust.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Header } from '../chain/header.ts';
import type { ApiClient } from '../cli/client.ts';
import { CommandError, EXIT } from '../cli/output.ts';
import { type Bytes, equal, toHex } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { decodeCertificate, signersOf } from '../consensus/certificate.ts';
import type { Bounty } from '../ledger/entries.ts';
import {
  type FinalityClaim,
  type TrustRoot,
  verifyAccount,
  verifyBounties,
  verifyFinality,
  verifyTransaction,
} from '../light/verify.ts';
import type { TransactionBody } from '../tx/types.ts';
import { accountProof, bountiesProof, transactionProof } from './queries.ts';

/** Answers of a node that is only behind. */
const NOT_YET = new Set(['PROOF_UNAVAILABLE', 'API_ANSWER', 'TX_UNKNOWN', 'BEHIND']);
const AGAIN_MS = 100;

/** Who asks, whom, and until when. */
export interface Inquiry {
  readonly trust: TrustRoot;
  readonly client: ApiClient;
  readonly deadline: number;
  readonly signal: AbortSignal;
}

async function untilKnown<T>(inquiry: Inquiry, ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof CommandError) || !NOT_YET.has(error.code) || Date.now() > inquiry.deadline)
        throw error;
    }
    await delay(AGAIN_MS, undefined, { signal: inquiry.signal });
  }
}

/** How a block was shown to be final. */
export interface Finality {
  readonly height: number;
  /** Headers from the block to the one with the certificate, both included. */
  readonly headers: number;
  readonly signers: number;
  readonly validators: number;
}

function finalityOf({ trust }: Inquiry, claim: FinalityClaim): { header: Header; finality: Finality } {
  const header = verifyFinality(trust, claim);
  const signers = signersOf(decodeCertificate(claim.certificate, trust.set)).length;
  return {
    header,
    finality: {
      height: header.height,
      headers: claim.headers.length,
      signers,
      validators: trust.set.validators.length,
    },
  };
}

function behind(header: Header, least: number): void {
  if (header.height < least)
    throw new CommandError(EXIT.failed, 'BEHIND', `the node is at height ${header.height}`);
}

/** The transaction with this id and the final block that it is in. */
export function provenTransaction(
  inquiry: Inquiry,
  id: Bytes,
): Promise<{ finality: Finality; body: TransactionBody }> {
  return untilKnown(inquiry, async () => {
    const proof = await transactionProof(inquiry.client, id);
    const { header, finality } = finalityOf(inquiry, proof.finality);
    const proven = verifyTransaction(header, proof.bytes, proof.path);
    if (!equal(proven.id, id)) {
      throw new ProtocolError('PROOF_TRANSACTION', `the proof is of transaction ${toHex(proven.id)}`);
    }
    return { finality, body: proven.transaction.body };
  });
}

/** A bounty's entry in the state of a final block at `least` or later. Throws `PROOF_NO_BOUNTY` without one. */
export function provenBounty(
  inquiry: Inquiry,
  place: { readonly tag: Bytes; readonly id: Bytes },
  least: number,
): Promise<{ finality: Finality; bounty: Bounty }> {
  return untilKnown(inquiry, async () => {
    const { proof, finality: claim } = await bountiesProof(inquiry.client, place.tag);
    const { header, finality } = finalityOf(inquiry, claim);
    behind(header, least);
    const found = verifyBounties(header, place.tag, proof).bounties.find(({ id }) => equal(id, place.id));
    if (found === undefined) {
      throw new ProtocolError(
        'PROOF_NO_BOUNTY',
        `the state of block ${header.height} does not have the bounty`,
      );
    }
    return { finality, bounty: found.bounty };
  });
}

/** An account's balance in the state of a final block at `least` or later; 0 without an account. */
export function provenBalance(
  inquiry: Inquiry,
  address: Bytes,
  least: number,
): Promise<{ finality: Finality; balance: bigint }> {
  return untilKnown(inquiry, async () => {
    const { proof, finality: claim } = await accountProof(inquiry.client, address);
    const { header, finality } = finalityOf(inquiry, claim);
    behind(header, least);
    return { finality, balance: verifyAccount(header, address, proof) ?? 0n };
  });
}
