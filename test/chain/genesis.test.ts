import { describe, expect, it } from 'vitest';
import {
  DEVNET_PARAMETERS,
  encodeGenesis,
  type Genesis,
  genesisFromJson,
  genesisHash,
  genesisToJson,
  MAIN_PARAMETERS,
  PARAMETER_RULES,
  validateGenesis,
} from '../../src/chain/genesis.ts';
import { toHex } from '../../src/codec/bytes.ts';
import { sha256 } from '../../src/codec/hash.ts';
import { decodeParameters, encodeParameters } from '../../src/ledger/parameters.ts';
import { named } from '../ledger/support.ts';

const EXAMPLE: Genesis = {
  name: 'example',
  time: 1_700_000_000_000,
  parameters: DEVNET_PARAMETERS,
  accounts: [{ address: named('owner'), amount: 5_000_000n }],
  validators: [1, 2, 3, 4].map((i) => ({
    publicKey: named(`validator ${i}`),
    stake: BigInt(i) * 1_000_000n,
  })),
  seed: named('seed'),
};

const edited = (edit: (json: Record<string, unknown>) => void): string => {
  const json = JSON.parse(genesisToJson(EXAMPLE)) as Record<string, unknown>;
  edit(json);
  return JSON.stringify(json);
};

describe('genesis', () => {
  it('has an encoding that is pinned', () => {
    expect(toHex(sha256(encodeGenesis(EXAMPLE)))).toMatchInlineSnapshot(
      `"2bc0c5d3ece9449e0a5de12a47fa207bd19605cfad65753c82dd0635843198f0"`,
    );
    expect(toHex(genesisHash(EXAMPLE))).toMatchInlineSnapshot(
      `"9ff1b15b08450fd85767714bda23dcc5eaff62dba0eb5f6009aff971de9c7fad"`,
    );
  });

  it('says the same as JSON and back', () => {
    for (const parameters of [DEVNET_PARAMETERS, MAIN_PARAMETERS]) {
      const genesis = { ...EXAMPLE, parameters };
      expect(toHex(genesisHash(genesisFromJson(genesisToJson(genesis))))).toBe(toHex(genesisHash(genesis)));
    }
  });

  it('changes its hash with every single field', () => {
    const hashes = new Set([toHex(genesisHash(EXAMPLE))]);
    for (const { name } of PARAMETER_RULES) {
      const value = EXAMPLE.parameters[name];
      const parameters = {
        ...EXAMPLE.parameters,
        [name]: typeof value === 'bigint' ? value + 1n : value + 1,
      };
      hashes.add(toHex(genesisHash({ ...EXAMPLE, parameters })));
    }
    for (const change of [
      { name: 'other' },
      { time: 1 },
      { accounts: [] },
      { validators: [] },
      { seed: named('x') },
    ]) {
      hashes.add(toHex(genesisHash({ ...EXAMPLE, ...change })));
    }
    expect(hashes.size).toBe(1 + PARAMETER_RULES.length + 5);
  });

  it('lists the parameters in the order in which the account tree holds them', () => {
    const decoded = decodeParameters(encodeParameters(MAIN_PARAMETERS));
    expect(Object.keys(decoded)).toEqual(PARAMETER_RULES.map(({ name }) => name));
    expect(decoded).toEqual(MAIN_PARAMETERS);
  });

  it.each([
    ['no JSON', '{'],
    ['a list', '[]'],
    ['an unknown field', edited((json) => Object.assign(json, { extra: 1 }))],
    ['a missing field', edited((json) => delete json.seed)],
    ['another version', edited((json) => Object.assign(json, { version: 2 }))],
    ['a name with spaces', edited((json) => Object.assign(json, { name: 'a b' }))],
    ['a fraction as time', edited((json) => Object.assign(json, { time: 1.5 }))],
    ['a number as amount', edited((json) => Object.assign((json.accounts as object[])[0]!, { amount: 5 }))],
    [
      'an amount with a leading zero',
      edited((json) => Object.assign((json.accounts as object[])[0]!, { amount: '05000000' })),
    ],
    [
      'an account below the deposit',
      edited((json) => Object.assign((json.accounts as object[])[0]!, { amount: '9999' })),
    ],
    [
      'the same account twice',
      edited((json) => (json.accounts as object[]).push((json.accounts as object[])[0]!)),
    ],
    [
      'the same validator twice',
      edited((json) => (json.validators as object[]).push((json.validators as object[])[0]!)),
    ],
    ['no validators', edited((json) => Object.assign(json, { validators: [] }))],
    [
      'a validator without stake',
      edited((json) => Object.assign((json.validators as object[])[0]!, { stake: '0' })),
    ],
    [
      'a supply over 2^63',
      edited((json) => Object.assign((json.validators as object[])[0]!, { stake: '9223372036854775807' })),
    ],
    ['a short seed', edited((json) => Object.assign(json, { seed: '00' }))],
    [
      'a parameter out of range',
      edited((json) => Object.assign(json.parameters as object, { blockInterval: 1 })),
    ],
    [
      'a claim window under the lifetime',
      edited((json) => Object.assign(json.parameters as object, { leastClaimWindow: 59 })),
    ],
    [
      'a bounty deposit under the account deposit',
      edited((json) => Object.assign(json.parameters as object, { bountyDeposit: '9999' })),
    ],
  ])('refuses %s', (_, text) => {
    expect(() => genesisFromJson(text)).toThrowError(
      expect.objectContaining({ code: expect.stringMatching(/^(GENESIS|ADDRESS)_INVALID$/) }),
    );
  });

  it('accepts its own defaults', () => {
    validateGenesis(EXAMPLE);
    validateGenesis({ ...EXAMPLE, parameters: MAIN_PARAMETERS });
  });
});
