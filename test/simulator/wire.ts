/**
 * From bytes to votes and certificates and back, remembered for the length of a run: a broadcast reaches many machines
 * as one message, and a certificate that is passed on is the same certificate. Decoding depends on nothing but the bytes
 * and the validator set, so remembering it changes nothing but the time it takes.
 */
import type { Bytes } from '../../src/codec/bytes.ts';
import { decodeCertificate, encodeCertificate } from '../../src/consensus/certificate.ts';
import type { Certificate, ValidatorSet, Vote } from '../../src/consensus/types.ts';
import { decodeVote } from '../../src/consensus/vote.ts';

export class Wire {
  readonly #set: ValidatorSet;
  readonly #votes = new WeakMap<Bytes, Vote>();
  readonly #certificates = new WeakMap<Bytes, Certificate>();
  readonly #encoded = new WeakMap<Certificate, Bytes>();

  constructor(set: ValidatorSet) {
    this.#set = set;
  }

  /** Throws codec errors. */
  vote(bytes: Bytes): Vote {
    let vote = this.#votes.get(bytes);
    if (vote === undefined) {
      vote = decodeVote(bytes, this.#set.validators.length);
      this.#votes.set(bytes, vote);
    }
    return vote;
  }

  /** Throws codec errors or a `CertificateErrorCode`. */
  certificate(bytes: Bytes): Certificate {
    let certificate = this.#certificates.get(bytes);
    if (certificate === undefined) {
      certificate = decodeCertificate(bytes, this.#set);
      this.#certificates.set(bytes, certificate);
      this.#encoded.set(certificate, bytes);
    }
    return certificate;
  }

  encode(certificate: Certificate): Bytes {
    let bytes = this.#encoded.get(certificate);
    if (bytes === undefined) {
      bytes = encodeCertificate(certificate);
      this.#encoded.set(certificate, bytes);
      this.#certificates.set(bytes, certificate);
    }
    return bytes;
  }
}
