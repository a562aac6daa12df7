/** What a client proves to itself from a real node's answers, given the genesis alone, and what it refuses. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Genesis, genesisFromJson } from '../../src/chain/genesis.ts';
import { encodeAddress } from '../../src/codec/address.ts';
import { type Bytes, fromHex, toHex } from '../../src/codec/bytes.ts';
import { isProtocolError } from '../../src/codec/errors.ts';
import {
  type FinalityClaim,
  trustGenesis,
  verifyAccount,
  verifyBounties,
  verifyFinality,
  verifyTransaction,
} from '../../src/light/verify.ts';
import { selectVerifier } from '../../src/node/crypto/select.ts';
import { TestNet } from '../e2e/net.ts';
import { named } from '../ledger/support.ts';

interface FinalityJson {
  readonly headers: string[];
  readonly certificate: string;
}
interface TransactionAnswer {
  readonly height: number;
  readonly proof: { readonly bytes: string; readonly path: string; readonly finality: FinalityJson };
}
interface StateAnswer {
  readonly balance: string;
  readonly proof: { readonly height: number; readonly proof: string; readonly finality: FinalityJson };
}

const RECEIVER = named('receiver');
let net: TestNet;
let genesis: Genesis;
let payment: { id: string; bytes: Bytes };
let proven: TransactionAnswer;
let state: StateAnswer;

beforeAll(async () => {
  net = await TestNet.start(4);
  genesis = genesisFromJson(await readFile(join(net.dataDirectory(0), 'genesis.json'), 'utf8'));
  const sent = await net.payment(RECEIVER, 77_000n);
  payment = sent;
  await net.post(0, { transactions: [sent.hex] });
  await net.untilFinal(1, sent.id);
  proven = await net.get(1, `/v1/transactions/${sent.id}?proof=1`);
  state = await net.get(1, `/v1/accounts/${encodeAddress(RECEIVER)}?proof=1`);
}, 90_000);
afterAll(() => net?.stop());

const trust = () => trustGenesis(genesis, selectVerifier());
const claim = ({ headers, certificate }: FinalityJson): FinalityClaim => ({
  headers: headers.map((header) => fromHex(header)),
  certificate: fromHex(certificate),
});
const flipped = (bytes: Bytes, at: number): Bytes => {
  const copy = bytes.slice();
  copy[at]! ^= 1;
  return copy;
};
const refuses = (run: () => unknown): boolean => {
  try {
    run();
    return false;
  } catch (error) {
    if (isProtocolError(error)) return true;
    throw error;
  }
};

describe('a transaction', () => {
  it('is proven final and included', () => {
    const header = verifyFinality(trust(), claim(proven.proof.finality));
    expect(header.height).toBe(proven.height);
    const { id } = verifyTransaction(header, fromHex(proven.proof.bytes), fromHex(proven.proof.path));
    expect(toHex(id)).toBe(payment.id);
  });

  it('is not proven by anything with a flipped byte', () => {
    const header = verifyFinality(trust(), claim(proven.proof.finality));
    const bytes = fromHex(proven.proof.bytes);
    for (let i = 0; i < bytes.length; i++) {
      expect(refuses(() => verifyTransaction(header, flipped(bytes, i), fromHex(proven.proof.path)))).toBe(
        true,
      );
    }
    const { headers, certificate } = claim(proven.proof.finality);
    for (let i = 0; i < certificate.length; i += 3) {
      expect(refuses(() => verifyFinality(trust(), { headers, certificate: flipped(certificate, i) }))).toBe(
        true,
      );
    }
    for (let i = 0; i < headers[0]!.length; i += 7) {
      const changed = [flipped(headers[0]!, i), ...headers.slice(1)];
      expect(refuses(() => verifyFinality(trust(), { headers: changed, certificate }))).toBe(true);
    }
  });

  it('is not proven against another genesis, by no header, or by too many', () => {
    const { headers, certificate } = claim(proven.proof.finality);
    const other = trustGenesis({ ...genesis, name: 'other' }, selectVerifier());
    expect(refuses(() => verifyFinality(other, { headers, certificate }))).toBe(true);
    expect(refuses(() => verifyFinality(trust(), { headers: [], certificate }))).toBe(true);
    const many = Array.from({ length: 600 }, () => headers[0]!);
    expect(refuses(() => verifyFinality(trust(), { headers: many, certificate }))).toBe(true);
    expect(refuses(() => verifyFinality(trust(), { headers: [headers[0]!, headers[0]!], certificate }))).toBe(
      true,
    );
  });
});

describe('the state', () => {
  it('proves a balance', () => {
    const header = verifyFinality(trust(), claim(state.proof.finality));
    expect(verifyAccount(header, RECEIVER, fromHex(state.proof.proof))).toBe(77_000n);
    expect(state.balance).toBe('77000');
  });

  it('proves that there is no account, and no bounty of a tag', async () => {
    const nobody = named('nobody');
    const answer = await net.get<StateAnswer>(2, `/v1/accounts/${encodeAddress(nobody)}?proof=1`);
    const header = verifyFinality(trust(), claim(answer.proof.finality));
    expect(verifyAccount(header, nobody, fromHex(answer.proof.proof))).toBeUndefined();
    const tag = await net.get<StateAnswer>(3, `/v1/tags/${toHex(nobody)}/bounties?proof=1`);
    const tagHeader = verifyFinality(trust(), claim(tag.proof.finality));
    expect(verifyBounties(tagHeader, nobody, fromHex(tag.proof.proof))).toEqual({
      bounties: [],
      next: undefined,
    });
  });

  it('does not let the proof of one account speak for another', () => {
    const header = verifyFinality(trust(), claim(state.proof.finality));
    const proof = fromHex(state.proof.proof);
    expect(
      refuses(() => verifyAccount(header, named('nobody at all'), proof)) ||
        verifyAccount(header, named('nobody at all'), proof) === undefined,
    ).toBe(true);
    for (let i = 0; i < proof.length; i++) {
      const changed = flipped(proof, i);
      expect(refuses(() => verifyAccount(header, RECEIVER, changed))).toBe(true);
    }
  });
});
