/**
 * The ways to be paid for data that one has thrown away, or for an answer that somebody else gave, each
 * carried out to its end: to a claims transaction that a node checks. Every attack is first seen to win
 * against the scheme that it was found in; only then does its failure here mean something.
 */
import { hmac } from '@noble/hashes/hmac.js';
import { pbkdf2 } from '@noble/hashes/pbkdf2.js';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { describe, expect, test } from 'vitest';
import { type Bytes, concat, equal, u64 } from '../../src/codec/bytes.ts';
import { DOMAIN } from '../../src/codec/domains.ts';
import { isProtocolError } from '../../src/codec/errors.ts';
import { sha256 } from '../../src/codec/hash.ts';
import type { SigningKey } from '../../src/crypto/interfaces.ts';
import { signingKey } from '../../src/crypto/keys.ts';
import { nobleVerifier } from '../../src/crypto/noble.ts';
import { signClaims } from '../../src/tx/build.ts';
import { challengeSeed } from '../../src/tx/challenge.ts';
import { checkTransaction } from '../../src/tx/check.ts';
import { encodeBody, encodeTransaction, signedMessage, transactionId } from '../../src/tx/encode.ts';
import { type ClaimsBody, KIND_CLAIMS } from '../../src/tx/types.ts';
import { filled, GENESIS, owner, PARAMETERS, steward } from './golden.ts';
import { OpenSha256 } from './sha256.ts';

const CHUNK = 1_024;
const DATA = new Uint8Array(100_017).map((_, i) => (Math.imul(i, 2_654_435_761) >>> 11) & 0xff);
const TAG = sha256(DATA);
/** Nonces that the owner draws after the cheat has thrown the data away. */
const LATER = [filled(0xa1), filled(0xa2), filled(0xa3)];

/** Whether a node accepts a claim of a bounty with `postedKey` that was signed with `key`. */
function nodeAccepts(postedKey: Bytes, key: SigningKey): boolean {
  const body: ClaimsBody = {
    kind: KIND_CLAIMS,
    validUntil: 100,
    salt: filled(1, 8),
    claims: [{ tag: TAG, bountyId: filled(0xb0), claimKey: postedKey, destination: steward.publicKey }],
  };
  const signature = key.sign(signedMessage(GENESIS, transactionId(encodeBody(body))));
  try {
    checkTransaction(encodeTransaction({ body, signatures: [signature] }), {
      genesisHash: GENESIS,
      parameters: PARAMETERS,
      verifier: nobleVerifier,
    });
    return true;
  } catch (error) {
    if (isProtocolError(error, 'TX_SIGNATURE')) return false;
    throw error;
  }
}

/** What a cheat has besides what it kept: all of it is public. */
interface Public {
  readonly nonce: Bytes;
  readonly tag: Bytes;
  readonly length: number;
}

interface Attack {
  readonly name: string;
  /** The scheme that falls to it. */
  readonly weak: (nonce: Bytes, data: Bytes) => Bytes;
  /** What is kept of the data, and at most how many bytes that is. */
  readonly keep: (data: Bytes) => Bytes;
  readonly most: number;
  /** The cheat's seed in the weak scheme. */
  readonly answer: (kept: Bytes, known: Public) => Bytes;
  /** Its best tries against our scheme, with the same kept bytes. */
  readonly tries: (kept: Bytes, known: Public) => readonly Bytes[];
}

const prefix = ({ nonce, tag, length }: Public): Bytes =>
  concat(DOMAIN.challenge, GENESIS, nonce, tag, u64(length));

function chunks(data: Bytes): Bytes[] {
  const out: Bytes[] = [];
  for (let at = 0; at < data.length; at += CHUNK) out.push(data.subarray(at, at + CHUNK));
  return out;
}

function merkleRoot(data: Bytes): Bytes {
  let layer = chunks(data).map((chunk) => sha256(Uint8Array.of(0), chunk));
  while (layer.length > 1) {
    const next: Bytes[] = [];
    for (let i = 0; i < layer.length; i += 2) {
      next.push(i + 1 < layer.length ? sha256(layer[i]!, layer[i + 1]!) : layer[i]!);
    }
    layer = next;
  }
  return layer[0]!;
}

/** A hash for parallel machines: chunks first, then a hash of their digests. */
const treeHash = (data: Bytes): Bytes => sha256(...chunks(data).map((chunk) => sha256(chunk)));

const attacks: Attack[] = [
  {
    name: 'the midstate of data ‖ nonce, the order of the 2014 proposal',
    weak: (nonce, data) => sha256(data, nonce),
    keep: (data) => new OpenSha256().update(data).save(),
    most: 103,
    answer: (kept, { nonce }) => OpenSha256.restore(kept).update(nonce).digest(),
    tries: (kept, known) => [
      OpenSha256.restore(kept).update(prefix(known)).digest(),
      OpenSha256.restore(kept).update(known.nonce).digest(),
      new OpenSha256().update(prefix(known)).update(kept).digest(),
    ],
  },
  {
    name: 'the midstate of an earlier challenge',
    weak: (nonce, data) => sha256(DOMAIN.challenge, data, nonce),
    keep: (data) => new OpenSha256().update(DOMAIN.challenge).update(data).save(),
    most: 103,
    answer: (kept, { nonce }) => OpenSha256.restore(kept).update(nonce).digest(),
    tries: (_, known) => {
      // Here it had the data once, for the challenge with nonce 99…, and keeps the state from before the end.
      const before = { ...known, nonce: filled(0x99) };
      const kept = new OpenSha256().update(prefix(before)).update(DATA).save();
      return [
        OpenSha256.restore(kept).digest(),
        OpenSha256.restore(kept).update(known.nonce).digest(),
        OpenSha256.restore(kept).update(prefix(known)).digest(),
      ];
    },
  },
  {
    name: 'HMAC with the data as key: a long key is hashed first, and its hash is the tag',
    weak: (nonce, data) => hmac(nobleSha256, data, nonce),
    keep: () => new Uint8Array(0),
    most: 0,
    answer: (_, { nonce, tag }) => hmac(nobleSha256, tag, nonce),
    tries: (_, known) => [
      sha256(prefix(known), known.tag),
      hmac(nobleSha256, known.tag, prefix(known)),
      challengeSeed(GENESIS, known.nonce, known.tag, known.tag),
    ],
  },
  {
    name: 'PBKDF2 with the data as password: the same, however many rounds',
    weak: (nonce, data) => pbkdf2(nobleSha256, data, nonce, { c: 50, dkLen: 32 }),
    keep: () => new Uint8Array(0),
    most: 0,
    answer: (_, { nonce, tag }) => pbkdf2(nobleSha256, tag, nonce, { c: 50, dkLen: 32 }),
    tries: (_, known) => [pbkdf2(nobleSha256, known.tag, prefix(known), { c: 1, dkLen: 32 })],
  },
  {
    name: 'a Merkle root in place of the data',
    weak: (nonce, data) => sha256(nonce, merkleRoot(data)),
    keep: merkleRoot,
    most: 32,
    answer: (kept, { nonce }) => sha256(nonce, kept),
    tries: (kept, known) => [
      sha256(prefix(known), kept),
      challengeSeed(GENESIS, known.nonce, known.tag, kept),
    ],
  },
  {
    name: 'the digests of the chunks, where the nonce comes before them',
    weak: (nonce, data) => sha256(nonce, ...chunks(data).map((chunk) => sha256(chunk))),
    keep: (data) => concat(...chunks(data).map((chunk) => sha256(chunk))),
    most: DATA.length / 30,
    answer: (kept, { nonce }) => sha256(nonce, kept),
    tries: (kept, known) => [sha256(prefix(known), kept)],
  },
  {
    name: 'a tree hash over nonce ‖ data: only its first chunk has the nonce in it',
    weak: (nonce, data) => treeHash(concat(nonce, data)),
    keep: (data) => {
      const [, ...rest] = chunks(concat(filled(0), data));
      return concat(data.subarray(0, CHUNK - 32), ...rest.map((chunk) => sha256(chunk)));
    },
    most: DATA.length / 20,
    answer: (kept, { nonce }) =>
      sha256(sha256(nonce, kept.subarray(0, CHUNK - 32)), kept.subarray(CHUNK - 32)),
    tries: (kept, known) => [
      sha256(prefix(known), kept),
      sha256(sha256(prefix(known), kept.subarray(0, CHUNK - 32)), kept.subarray(CHUNK - 32)),
    ],
  },
];

describe('the test suite’s own SHA-256', () => {
  test('agrees with the library, also after its state was saved and restored anywhere', () => {
    for (const cut of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1_000]) {
      const data = DATA.subarray(0, 1_000);
      const saved = new OpenSha256().update(data.subarray(0, cut)).save();
      expect(OpenSha256.restore(saved).update(data.subarray(cut)).digest()).toEqual(sha256(data));
      expect(new OpenSha256().update(data.subarray(0, cut)).digest()).toEqual(sha256(data.subarray(0, cut)));
    }
  });
});

describe.each(attacks)('$name', ({ weak, keep, most, answer, tries }) => {
  const kept = keep(DATA);

  test('wins against the weak scheme with almost nothing kept', () => {
    expect(kept.length).toBeLessThanOrEqual(most);
    for (const nonce of LATER) {
      const posted = signingKey(weak(nonce, DATA)).publicKey;
      const cheat = signingKey(answer(kept, { nonce, tag: TAG, length: DATA.length }));
      expect(nodeAccepts(posted, cheat)).toBe(true);
    }
  });

  test('loses here, where whoever has the data wins', () => {
    for (const nonce of LATER) {
      const seed = challengeSeed(GENESIS, nonce, TAG, DATA);
      const posted = signingKey(seed).publicKey;
      for (const candidate of tries(kept, { nonce, tag: TAG, length: DATA.length })) {
        expect(equal(candidate, seed)).toBe(false);
        expect(nodeAccepts(posted, signingKey(candidate))).toBe(false);
      }
      expect(nodeAccepts(posted, signingKey(challengeSeed(GENESIS, nonce, TAG, DATA)))).toBe(true);
    }
  });
});

describe('an answer that is seen in a mempool', () => {
  const nonce = filled(0xc0);
  const claimKey = signingKey(challengeSeed(GENESIS, nonce, TAG, DATA));
  const thief = signingKey(filled(0x66));
  const context = { genesisHash: GENESIS, parameters: PARAMETERS, verifier: nobleVerifier };
  const honest = signClaims(
    {
      validUntil: 100,
      salt: filled(1, 8),
      claims: [{ tag: TAG, bountyId: filled(0xb1), key: claimKey, destination: steward.publicKey }],
    },
    GENESIS,
  );
  const body = honest.body as ClaimsBody;
  const stolen = (change: Partial<ClaimsBody['claims'][number]>): ClaimsBody => ({
    ...body,
    claims: [{ ...body.claims[0]!, ...change }],
  });
  const signature = honest.bytes.slice(-64);
  const refused = expect.objectContaining({ code: 'TX_SIGNATURE' });

  test('could be redirected if the key signed the bounty alone', () => {
    const weakMessage = ({ claims: [claim] }: ClaimsBody) =>
      concat(DOMAIN.transactionSignature, GENESIS, claim!.bountyId);
    const seen = claimKey.sign(weakMessage(body));
    const redirected = stolen({ destination: thief.publicKey });
    expect(nobleVerifier.verify(seen, weakMessage(redirected), claimKey.publicKey)).toBe(true);
    expect(nobleVerifier.verify(seen, weakMessage(stolen({ bountyId: filled(0) })), claimKey.publicKey)).toBe(
      false,
    );
  });

  test('is the steward’s as it stands', () => {
    expect(checkTransaction(honest.bytes, context).id).toEqual(honest.id);
  });

  test.each<[string, ClaimsBody]>([
    ['another destination', stolen({ destination: thief.publicKey })],
    ['another bounty with the same nonce and claim key', stolen({ bountyId: filled(0xb2) })],
    ['another height', { ...body, validUntil: 101 }],
    ['another salt', { ...body, salt: filled(2, 8) }],
  ])('is worthless with %s', (_, changed) => {
    const bytes = encodeTransaction({ body: changed, signatures: [signature] });
    expect(() => checkTransaction(bytes, context)).toThrow(refused);
  });

  test('is worthless beside a claim of the thief’s own', () => {
    const mine = { ...body.claims[0]!, bountyId: filled(0xb3), claimKey: thief.publicKey };
    const both: ClaimsBody = { ...body, claims: [...body.claims, mine] };
    const id = transactionId(encodeBody(both));
    const signatures = [signature, thief.sign(signedMessage(GENESIS, id))];
    expect(() => checkTransaction(encodeTransaction({ body: both, signatures }), context)).toThrow(refused);
  });

  test('is worthless on another chain', () => {
    expect(() => checkTransaction(honest.bytes, { ...context, genesisHash: filled(9) })).toThrow(refused);
  });

  test('of the owner, who knows the key, names the owner: that is what the payee rule compares', () => {
    const race = signClaims(
      {
        ...body,
        claims: [{ tag: TAG, bountyId: filled(0xb1), key: claimKey, destination: owner.publicKey }],
      },
      GENESIS,
    );
    const [claim] = (checkTransaction(race.bytes, context).decode().body as ClaimsBody).claims;
    expect(claim!.destination).toEqual(owner.publicKey);
    expect(claim!.destination).not.toEqual(steward.publicKey);
  });
});
