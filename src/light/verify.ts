/**
 * What a client that trusts nobody checks by itself, given the genesis and nothing else: that a block is final
 * (its F certificate against the validator set), that a transaction is in it (path to the transaction root),
 * and what the account tree says (proofs against the state root). Whatever a node answers is only a claim;
 * each function either returns what the claim proves or throws a `ProtocolError`.
 */
import { type Genesis, genesisHash } from '../chain/genesis.ts';
import { decodeHeader, type Header, headerHash } from '../chain/header.ts';
import { type Bytes, equal } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { sha256 } from '../codec/hash.ts';
import { decodeCertificate, verifyCertificate } from '../consensus/certificate.ts';
import { FINALIZE, type ValidatorSet } from '../consensus/types.ts';
import { createValidatorSet } from '../consensus/validator-set.ts';
import type { SignatureVerifier } from '../crypto/interfaces.ts';
import { type Bounty, decodeAccount, decodeBounty } from '../ledger/entries.ts';
import { addressKey, bountiesRange, placeOfBounty } from '../ledger/keys.ts';
import { decodeMerklePath, transactionLeaf, verifyMerklePath } from '../ledger/merkle.ts';
import { decodeProof, verifyEntry, verifyRange } from '../ledger/tree/proof.ts';
import { type DecodedTransaction, decodeTransaction } from '../tx/decode.ts';
import { transactionId } from '../tx/encode.ts';

/** Longest run of headers between a block and the one whose F certificate makes it final. */
const MAX_LINKS = 512;

/** All that a client trusts. */
export interface TrustRoot {
  readonly genesisHash: Bytes;
  readonly set: ValidatorSet;
  readonly verifier: SignatureVerifier;
}

export function trustGenesis(genesis: Genesis, verifier: SignatureVerifier): TrustRoot {
  return {
    genesisHash: genesisHash(genesis),
    set: createValidatorSet(0, genesis.seed, genesis.validators),
    verifier,
  };
}

export interface FinalityClaim {
  /** The block's header first, then its descendants up to the one that `certificate` names. */
  readonly headers: readonly Bytes[];
  readonly certificate: Bytes;
}

/** The final header that a claim proves. Throws `PROOF_FINALITY` or a certificate's error. */
export function verifyFinality(trust: TrustRoot, claim: FinalityClaim): Header {
  const refuse = (message: string): never => {
    throw new ProtocolError('PROOF_FINALITY', message);
  };
  const first = claim.headers[0];
  if (first === undefined || claim.headers.length > MAX_LINKS)
    return refuse(`a proof has 1 to ${MAX_LINKS} headers`);
  const certificate = decodeCertificate(claim.certificate, trust.set);
  const { subject } = certificate;
  if (subject.kind !== FINALIZE) return refuse('the certificate is not one of finalization');
  let hash = headerHash(first);
  for (const bytes of claim.headers.slice(1)) {
    if (!equal(decodeHeader(bytes).parent, hash)) return refuse('the headers do not follow each other');
    hash = headerHash(bytes);
  }
  if (!equal(subject.proposal.payload, hash)) return refuse('the certificate is of another block');
  verifyCertificate(certificate, trust.set, trust.genesisHash, trust.verifier);
  return decodeHeader(first);
}

/** The transaction that is proven to be in the block of a (verified) header. Throws `PROOF_TRANSACTION`. */
export function verifyTransaction(
  header: Header,
  bytes: Bytes,
  path: Bytes,
): { readonly id: Bytes; readonly transaction: DecodedTransaction } {
  const transaction = decodeTransaction(bytes);
  const id = transactionId(transaction.bodyBytes);
  const leaf = transactionLeaf(id, sha256(bytes));
  if (!verifyMerklePath(header.transactionRoot, leaf, decodeMerklePath(path))) {
    throw new ProtocolError('PROOF_TRANSACTION', 'the path does not lead to the transaction root');
  }
  return { id, transaction };
}

/** The balance that a (verified) header's state holds for an address; undefined when it has no account. */
export function verifyAccount(header: Header, address: Bytes, proof: Bytes): bigint | undefined {
  const value = verifyEntry(header.stateRoot, addressKey(address), decodeProof(proof));
  return value === undefined ? undefined : decodeAccount(value);
}

export interface ProvenBounty {
  readonly id: Bytes;
  readonly bounty: Bounty;
}

/**
 * All bounties of a tag, open and closed, under a (verified) header: complete unless `next` says where the
 * following page begins.
 */
export function verifyBounties(
  header: Header,
  tag: Bytes,
  proof: Bytes,
): { readonly bounties: readonly ProvenBounty[]; readonly next: Bytes | undefined } {
  const { from, to } = bountiesRange(tag);
  const { entries, next } = verifyRange(header.stateRoot, from, to, decodeProof(proof));
  return {
    bounties: entries.map(({ key, value }) => ({ id: placeOfBounty(key).id, bounty: decodeBounty(value) })),
    next,
  };
}
