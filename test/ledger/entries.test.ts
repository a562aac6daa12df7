import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Bytes, compare, concat, fromHex, toHex } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import {
  type Bounty,
  decodeAccount,
  decodeAmount,
  decodeBounty,
  decodeSupply,
  decodeValidators,
  encodeAccount,
  encodeAmount,
  encodeBounty,
  encodeSupply,
  encodeValidators,
  MARK,
} from '../../src/ledger/entries.ts';
import { Frontier } from '../../src/ledger/frontier.ts';
import { genesisEntries } from '../../src/ledger/genesis.ts';
import {
  addressKey,
  bountiesRange,
  bountyKey,
  closedKey,
  dueRange,
  expiryKey,
  placeInQueue,
  placeOfBounty,
  prefixRange,
  SINGLETON,
  TYPE_CLOSED,
  TYPE_EXPIRY,
  typeOfKey,
} from '../../src/ledger/keys.ts';
import { headerLeaf } from '../../src/ledger/merkle.ts';
import { decodeParameters, encodeParameters } from '../../src/ledger/parameters.ts';
import { recount } from '../../src/ledger/recount.ts';
import { Ledger } from '../../src/ledger/state.ts';
import { leafHash } from '../../src/ledger/tree/leaf.ts';
import { encodeProof } from '../../src/ledger/tree/proof.ts';
import { bountyTagHash } from '../../src/tx/encode.ts';
import { codeOf, GENESIS_HASH, MemoryStore, named, PARAMETERS } from './support.ts';

const terms = {
  tag: new Uint8Array(32).fill(0x11),
  nonce: new Uint8Array(32).fill(0x22),
  claimKey: new Uint8Array(32).fill(0x33),
  payee: new Uint8Array(32).fill(0x44),
  amount: 50_000n,
  deposit: 10_000n,
  claimFrom: 100,
  claimUntil: 70_000,
  refundTo: new Uint8Array(32).fill(0x55),
  postedAt: 90,
};
const place = { tagHash: bountyTagHash(terms.tag), id: new Uint8Array(32).fill(0x66) };
const open: Bounty = { ...terms, status: 'open' };
const openMode: Bounty = { ...open, payee: undefined };
const claimed: Bounty = {
  ...terms,
  status: 'claimed',
  closedAt: 150,
  destination: new Uint8Array(32).fill(0x44),
  transaction: new Uint8Array(32).fill(0x77),
};
const expired: Bounty = { ...terms, status: 'expired', closedAt: 70_000, burned: 5_000n };

/** Every type of entry once: what a change of any encoding would show up in. */
const sample: readonly (readonly [name: string, key: Bytes, value: Bytes])[] = [
  ['parameters', SINGLETON.parameters, encodeParameters(PARAMETERS)],
  ['supply', SINGLETON.supply, encodeSupply({ genesis: 10n ** 15n, minted: 0n, burned: 5_000n })],
  ['fee pool', SINGLETON.feePool, encodeAmount(1_234n)],
  ['epoch headers', SINGLETON.epochHeaders, Frontier.EMPTY.encode()],
  ['boundaries', SINGLETON.boundaries, Frontier.EMPTY.append(headerLeaf(new Uint8Array(32))).encode()],
  ['validators', SINGLETON.validators, encodeValidators([{ publicKey: terms.claimKey, stake: 10n ** 9n }])],
  ['account', addressKey(terms.refundTo), encodeAccount(12_500_000n)],
  ['open bounty', bountyKey(place), encodeBounty(open)],
  ['open bounty, open mode', bountyKey(place), encodeBounty(openMode)],
  ['claimed bounty', bountyKey(place), encodeBounty(claimed)],
  ['expired bounty', bountyKey(place), encodeBounty(expired)],
  ['expiry queue', expiryKey(70_000, place), MARK],
  ['closed queue', closedKey(604_950, place), MARK],
];

describe('entries', () => {
  it('are encoded as they always were', () => {
    const golden = sample.map(
      ([name, key, value]) => `${name}: ${toHex(key)} = ${toHex(value)} -> ${toHex(leafHash(key, value))}`,
    );
    expect(golden).toMatchInlineSnapshot(`
      [
        "parameters: 000000 = dc0010cd03e864cd012cce000f42400a01cd01f4cd2710cd2ee0cd4e20cd27110a3c07ce000186a3ce0007a120 -> d00e3a963859eed91225e4e2797131ddd8ecf4575996dc5424b7778cea277e99",
        "supply: 000001 = 93cf00038d7ea4c6800000cd1388 -> 63325bc5458c76402ecb593fe66b03cd25e9f819ef7b219a9d0de5841d05ca9a",
        "fee pool: 000002 = cd04d2 -> 7af74ee1d28c26847965caf18363c36d79b04658e9c8df18131a28ee1bc25ca8",
        "epoch headers: 000003 = 9200c400 -> 18e5ab182864fdee63765add7242f44bf36812d778c5eea2ef5d620d9208f06d",
        "boundaries: 000004 = 9201c4207f9c9e31ac8256ca2f258583df262dbc7d6f68f2a03043d5c99a4ae5a7396ce9 -> 3c5e3da70f07bb6466757b4433595b93243b8617a35879c2aba1de6ffa367e04",
        "validators: 000005 = 9192c4203333333333333333333333333333333333333333333333333333333333333333ce3b9aca00 -> 9731d28ba619731f67958757107a31eb4c650e285f0568ccb86a1dc2800ea168",
        "account: 014254baaf1893c8df965f33344dcaad648690249b6917f230ae24cc1a40e30478 = 91ce00bebc20 -> 0cc0df48b3458c0f189006cb1cf3a9a6de1c520783f214ab70c9e1ee4781dcd7",
        "open bounty: 02f48473d0fc063a06053c5bafb2d2db147c8b6ad7d073b340fcbe49618a3b9d936666666666666666666666666666666666666666666666666666666666666666 = 9b00c4201111111111111111111111111111111111111111111111111111111111111111c4202222222222222222222222222222222222222222222222222222222222222222c4203333333333333333333333333333333333333333333333333333333333333333c4204444444444444444444444444444444444444444444444444444444444444444cdc350cd271064ce00011170c42055555555555555555555555555555555555555555555555555555555555555555a -> 64600c6add2f2f0b7948d625a21dd2c4785851c7d9b9c2752ac3eb93aa1f2a90",
        "open bounty, open mode: 02f48473d0fc063a06053c5bafb2d2db147c8b6ad7d073b340fcbe49618a3b9d936666666666666666666666666666666666666666666666666666666666666666 = 9b00c4201111111111111111111111111111111111111111111111111111111111111111c4202222222222222222222222222222222222222222222222222222222222222222c4203333333333333333333333333333333333333333333333333333333333333333c0cdc350cd271064ce00011170c42055555555555555555555555555555555555555555555555555555555555555555a -> c03f93a3119bb6126b898931833bd9f3da6fa73c4aea81bae30e4d5a98594f99",
        "claimed bounty: 02f48473d0fc063a06053c5bafb2d2db147c8b6ad7d073b340fcbe49618a3b9d936666666666666666666666666666666666666666666666666666666666666666 = 9e01c4201111111111111111111111111111111111111111111111111111111111111111c4202222222222222222222222222222222222222222222222222222222222222222c4203333333333333333333333333333333333333333333333333333333333333333c4204444444444444444444444444444444444444444444444444444444444444444cdc350cd271064ce00011170c42055555555555555555555555555555555555555555555555555555555555555555acc96c4204444444444444444444444444444444444444444444444444444444444444444c4207777777777777777777777777777777777777777777777777777777777777777 -> 6919792848d25c8722d45ed3d529540c34bf57b5509e53d5961c8346ade1c587",
        "expired bounty: 02f48473d0fc063a06053c5bafb2d2db147c8b6ad7d073b340fcbe49618a3b9d936666666666666666666666666666666666666666666666666666666666666666 = 9d02c4201111111111111111111111111111111111111111111111111111111111111111c4202222222222222222222222222222222222222222222222222222222222222222c4203333333333333333333333333333333333333333333333333333333333333333c4204444444444444444444444444444444444444444444444444444444444444444cdc350cd271064ce00011170c42055555555555555555555555555555555555555555555555555555555555555555ace00011170cd1388 -> 7f3e9e7a0173fdeb3b9167e0ec47d45611b29bfcc907a9028b3c4b7546c5605a",
        "expiry queue: 030000000000011170f48473d0fc063a06053c5bafb2d2db147c8b6ad7d073b340fcbe49618a3b9d936666666666666666666666666666666666666666666666666666666666666666 = 90 -> 8d716e77f22a98a12c5d2efa45eac8e8cd5c6d99eeac705b2936957f0112340f",
        "closed queue: 040000000000093b16f48473d0fc063a06053c5bafb2d2db147c8b6ad7d073b340fcbe49618a3b9d936666666666666666666666666666666666666666666666666666666666666666 = 90 -> 8e19622952870d30954293abeb84fe356e125e7867a6f0fe35212a3b7cc3b517",
      ]
    `);
    const genesis = genesisEntries({
      parameters: PARAMETERS,
      accounts: [1, 2, 3].map((i) => ({ address: named(i), amount: BigInt(i) * 1_000_000n })),
      validators: [{ publicKey: named('validator'), stake: 5_000_000n }],
      genesisHash: GENESIS_HASH,
    });
    const state = Ledger.open(new MemoryStore(genesis), genesis).committed;
    expect(toHex(state.root)).toMatchInlineSnapshot(
      `"45704cff600800e02483463def3ce81bcd173ae0d58919c8d2523f26fa9b29d8"`,
    );
    expect(toHex(sha256(encodeProof(state.prove(addressKey(named(2))))))).toMatchInlineSnapshot(
      `"b6d34f3c017c486381102fc1f23a8827d8f5ae7506295aa8850806045b2e27cc"`,
    );
  });

  it('survive their encoding', () => {
    for (const bounty of [open, openMode, claimed, expired]) {
      expect(decodeBounty(encodeBounty(bounty))).toEqual(bounty);
    }
    expect(decodeParameters(encodeParameters(PARAMETERS))).toEqual(PARAMETERS);
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (amount) => {
        expect(decodeAccount(encodeAccount(amount))).toBe(amount);
        expect(decodeAmount(encodeAmount(amount))).toBe(amount);
        const supply = { genesis: amount, minted: 3n, burned: amount };
        expect(decodeSupply(encodeSupply(supply))).toEqual(supply);
        const validators = [{ publicKey: named('v'), stake: amount }];
        expect(decodeValidators(encodeValidators(validators))).toEqual(validators);
      }),
    );
  });

  it('have one encoding: what a reader takes, the writer gives back', () => {
    const readers: readonly (readonly [Bytes, (value: Bytes) => Bytes])[] = [
      [encodeBounty(claimed), (value) => encodeBounty(decodeBounty(value))],
      [encodeBounty(expired), (value) => encodeBounty(decodeBounty(value))],
      [encodeBounty(open), (value) => encodeBounty(decodeBounty(value))],
      [encodeAccount(12_500_000n), (value) => encodeAccount(decodeAccount(value))],
      [encodeParameters(PARAMETERS), (value) => encodeParameters(decodeParameters(value))],
      [Frontier.EMPTY.append(named(1)).encode(), (value) => Frontier.decode(value).encode()],
    ];
    fc.assert(
      fc.property(fc.constantFrom(...readers), fc.nat(), fc.nat(255), ([value, again], at, byte) => {
        const mutated = value.slice();
        mutated[at % value.length] = byte;
        const code = codeOf(() => expect(again(mutated)).toEqual(mutated));
        if (code !== 'ok') expect(code).toMatch(/^(CODEC|ENTRY)_/);
      }),
      { numRuns: 2_000 },
    );
    expect(codeOf(() => decodeBounty(concat(encodeBounty(open), MARK)))).toBe('CODEC_TRAILING');
    const wrongCount = encodeBounty(open).slice();
    wrongCount[1] = 1;
    expect(codeOf(() => decodeBounty(wrongCount))).toBe('ENTRY_SHAPE');
  });

  it('never have a leaf of 64 bytes that is hashed as it stands', () => {
    // An account's leaf has 2 + 33 + 11 bytes at most, a bounty's over 64: only singletons could come close.
    for (const [, key, value] of sample) expect(2 + key.length + value.length).not.toBe(64);
    expect(encodeAccount((1n << 64n) - 1n).length).toBe(10);
  });
});

describe('keys', () => {
  it('are prefix-free and typed', () => {
    const keys = sample.map(([, key]) => key);
    for (const a of keys) {
      expect(codeOf(() => typeOfKey(a))).toBe('ok');
      for (const b of keys) if (b.length > a.length) expect(b.subarray(0, a.length)).not.toEqual(a);
    }
    expect(codeOf(() => typeOfKey(fromHex('0100')))).toBe('ENTRY_KEY');
    expect(codeOf(() => typeOfKey(fromHex('ff')))).toBe('ENTRY_KEY');
    expect(codeOf(() => typeOfKey(new Uint8Array(0)))).toBe('ENTRY_KEY');
  });

  it('say what they stand for, in the order of height', () => {
    expect(placeInQueue(expiryKey(5, place))).toEqual(place);
    expect(placeOfBounty(bountyKey(place))).toEqual(place);
    expect(compare(expiryKey(255, place), expiryKey(256, place))).toBeLessThan(0);
    for (const [type, make] of [
      [TYPE_EXPIRY, expiryKey],
      [TYPE_CLOSED, closedKey],
    ] as const) {
      const { from, to } = dueRange(type, 70_000);
      const due = (height: number): boolean =>
        compare(make(height, place), from) >= 0 && compare(make(height, place), to) < 0;
      expect([0, 69_999, 70_000, 70_001].map(due)).toEqual([true, true, true, false]);
    }
  });

  it('have ranges that end right behind their prefix', () => {
    expect(toHex(prefixRange(fromHex('02ffff')).to)).toBe('03');
    expect(toHex(prefixRange(fromHex('0201ff')).to)).toBe('0202');
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        (a, b) => {
          const { from, to } = prefixRange(Uint8Array.of(2, a[0]!, a[1]!));
          const key = concat(Uint8Array.of(2), b);
          const inside = compare(key, from) >= 0 && compare(key, to) < 0;
          expect(inside).toBe(b[0] === a[0] && b[1] === a[1]);
        },
      ),
    );
    expect(toHex(bountiesRange(terms.tag).from)).toBe(`02${toHex(bountyTagHash(terms.tag))}`);
  });
});

describe('the recount', () => {
  const good = [SINGLETON.supply, SINGLETON.feePool].map((key) => ({
    key,
    value:
      key === SINGLETON.supply
        ? encodeSupply({ genesis: 60_100n, minted: 0n, burned: 0n })
        : encodeAmount(100n),
  }));
  const entry = { key: bountyKey(place), value: encodeBounty(open) };
  const queued = { key: expiryKey(terms.claimUntil, place), value: MARK };

  it('finds nothing when all is in order', () => {
    expect(recount([...good, entry, queued]).findings).toEqual([]);
  });

  it('finds missing coins, lost and doubled queue entries, and empty accounts', () => {
    const findings = (...entries: { key: Bytes; value: Bytes }[]): string =>
      recount([...good, ...entries]).findings.join();
    expect(findings()).toMatch(/entries hold 100 µKRY, the counters say 60100/);
    expect(findings(entry)).toMatch(/without its place/);
    expect(findings(entry, queued, { key: expiryKey(9, place), value: MARK })).toMatch(/without its bounty/);
    expect(findings({ ...entry, value: encodeBounty(expired) }, queued)).toMatch(
      /closed .* without its place/,
    );
    expect(findings(entry, queued, { key: addressKey(named(1)), value: encodeAccount(0n) })).toMatch(
      /holds nothing/,
    );
  });
});
