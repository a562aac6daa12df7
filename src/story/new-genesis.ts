/** Makes the genesis of a new chain, with a fresh consensus key for each of its first validators. */
import { randomBytes } from 'node:crypto';
import {
  DEVNET_PARAMETERS,
  type Genesis,
  type GenesisAccount,
  MAIN_PARAMETERS,
  PARAMETER_RULES,
  validateGenesis,
} from '../chain/genesis.ts';
import type { Bytes } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import { publicKeyOf } from '../crypto/keys.ts';
import type { ChainParameters } from '../ledger/parameters.ts';

/** Parameters to start from, by name. */
export const PARAMETER_SETS: Readonly<Record<string, ChainParameters>> = {
  devnet: DEVNET_PARAMETERS,
  main: MAIN_PARAMETERS,
};

export interface NewGenesis {
  readonly name: string;
  readonly validators: number;
  /** µKRY bonded by each of them. */
  readonly stake: bigint;
  readonly accounts: readonly GenesisAccount[];
  readonly parameters: ChainParameters;
}

export interface MadeGenesis {
  readonly genesis: Genesis;
  /** Seeds of the consensus keys, in the order of the validators. */
  readonly seeds: readonly Bytes[];
}

/** `parameters` with assignments such as `txLifetime=20` on top; amounts in µKRY. Throws `GENESIS_INVALID`. */
export function withParameters(parameters: ChainParameters, assignments: readonly string[]): ChainParameters {
  const changed: Record<string, bigint | number> = { ...parameters };
  for (const assignment of assignments) {
    const [, name, digits] = /^(\w+)=(\d{1,15})$/.exec(assignment) ?? [];
    const rule = PARAMETER_RULES.find((candidate) => candidate.name === name);
    if (rule === undefined || digits === undefined) {
      throw new ProtocolError(
        'GENESIS_INVALID',
        `"${assignment.slice(0, 80)}" sets no parameter: write name=digits with one of ` +
          PARAMETER_RULES.map((known) => known.name).join(', '),
      );
    }
    changed[rule.name] = rule.kind === 'amount' ? BigInt(digits) : Number(digits);
  }
  return changed as unknown as ChainParameters;
}

/** Throws `GENESIS_INVALID`, saying what is wrong. */
export function newGenesis(plan: NewGenesis): MadeGenesis {
  const seeds = Array.from({ length: plan.validators }, () => new Uint8Array(randomBytes(32)));
  const genesis: Genesis = {
    name: plan.name,
    time: Date.now(),
    parameters: plan.parameters,
    accounts: plan.accounts,
    validators: seeds.map((seed) => ({ publicKey: publicKeyOf(seed), stake: plan.stake })),
    seed: new Uint8Array(randomBytes(32)),
  };
  validateGenesis(genesis);
  return { genesis, seeds };
}
