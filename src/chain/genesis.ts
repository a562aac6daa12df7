/**
 * The genesis: name, time, parameters, first balances and the validator set. Its canonical encoding's tagged
 * hash is the chain's identity: every signature covers it. The JSON form is for people and is bounded and
 * checked field by field; the two forms say the same, and the hash is of the canonical one.
 */
import { decodeAddress, encodeAddress } from '../codec/address.ts';
import { type Bytes, fromHex, keyOf, toHex, U64_MAX, utf8 } from '../codec/bytes.ts';
import { DOMAIN } from '../codec/domains.ts';
import { ProtocolError } from '../codec/errors.ts';
import { sha256 } from '../codec/hash.ts';
import { Writer } from '../codec/writer.ts';
import type { ChainParameters } from '../ledger/parameters.ts';

export const MAX_GENESIS_BYTES = 64 * 1024 * 1024;
const MAX_ACCOUNTS = 1_000_000;
const MAX_VALIDATORS = 1_024;

export interface GenesisAccount {
  readonly address: Bytes;
  readonly amount: bigint;
}

interface GenesisValidator {
  readonly publicKey: Bytes;
  readonly stake: bigint;
}

export interface Genesis {
  /** 1 to 64 characters of a-z, 0-9 and "-". */
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly parameters: ChainParameters;
  readonly accounts: readonly GenesisAccount[];
  readonly validators: readonly GenesisValidator[];
  /** 32 bytes from which leaders are drawn. */
  readonly seed: Bytes;
}

function refuse(message: string): never {
  throw new ProtocolError('GENESIS_INVALID', message);
}

interface ParameterRule {
  readonly name: keyof ChainParameters;
  readonly kind: 'blocks' | 'ms' | 'bytes' | 'ppm' | 'amount';
  readonly least: number;
  readonly most: number;
}

const rule = (name: keyof ChainParameters, kind: ParameterRule['kind'], least: number, most: number) => ({
  name,
  kind,
  least,
  most,
});

/** Every parameter in its place of the canonical encoding, with its range. */
export const PARAMETER_RULES: readonly ParameterRule[] = [
  rule('blockInterval', 'ms', 50, 600_000),
  rule('delta', 'ms', 10, 60_000),
  rule('executionBudget', 'ms', 10, 60_000),
  rule('maxBlockBytes', 'bytes', 262_144, 8_388_608),
  rule('txLifetime', 'blocks', 10, 100_000),
  rule('baseFee', 'amount', 0, 1e12),
  rule('claimFee', 'amount', 0, 1e12),
  rule('accountDeposit', 'amount', 1, 1e12),
  rule('bountyDeposit', 'amount', 1, 1e12),
  rule('leastBounty', 'amount', 1, 1e12),
  rule('advertFee', 'amount', 0, 1e12),
  rule('leastClaimWindow', 'blocks', 1, 1_000_000),
  rule('longestClaimUntil', 'blocks', 2, 100_000_000),
  rule('closedLifetime', 'blocks', 1, 100_000_000),
  rule('unclaimedBurnPpm', 'ppm', 0, 1_000_000),
  rule('advertBurnPpm', 'ppm', 0, 1_000_000),
];

/** Throws `GENESIS_INVALID` unless every rule of docs/protocol.md §5 holds. */
export function validateGenesis(g: Genesis): void {
  if (!/^[a-z0-9-]{1,64}$/.test(g.name)) refuse('name must be 1 to 64 characters of a-z, 0-9 and "-"');
  if (!Number.isSafeInteger(g.time) || g.time < 0) refuse('time must be milliseconds since 1970');
  for (const { name, least, most } of PARAMETER_RULES) {
    const value = g.parameters[name];
    if (value === undefined || value < least || value > most) {
      refuse(`parameter ${name} is ${value}, allowed are ${least} to ${most}`);
    }
  }
  const p = g.parameters;
  if (p.bountyDeposit < p.accountDeposit) refuse('bountyDeposit must not be under accountDeposit');
  if (p.leastClaimWindow < p.txLifetime) refuse('leastClaimWindow must not be under txLifetime');
  if (p.longestClaimUntil < p.leastClaimWindow)
    refuse('longestClaimUntil must not be under leastClaimWindow');
  if (g.seed.length !== 32) refuse('seed must be 32 bytes');
  if (g.validators.length < 1 || g.validators.length > MAX_VALIDATORS)
    refuse(`validators must be 1 to ${MAX_VALIDATORS}`);
  if (g.accounts.length > MAX_ACCOUNTS) refuse(`at most ${MAX_ACCOUNTS} accounts`);
  let supply = 0n;
  const seen = new Set<string>();
  const once = (key: Bytes, what: string): void => {
    if (key.length !== 32) refuse(`${what} must be 32 bytes`);
    const id = what + keyOf(key);
    if (seen.has(id)) refuse(`${what} ${toHex(key)} stands twice`);
    seen.add(id);
  };
  for (const { address, amount } of g.accounts) {
    once(address, 'address');
    if (amount < p.accountDeposit) refuse(`account ${encodeAddress(address)} holds less than accountDeposit`);
    supply += amount;
  }
  for (const { publicKey, stake } of g.validators) {
    once(publicKey, 'validator key');
    if (stake < 1n) refuse('a validator has no stake');
    supply += stake;
  }
  if (supply >= 1n << 63n) refuse('supply passes 2^63 µKRY');
}

export function encodeGenesis(g: Genesis): Bytes {
  const w = new Writer(1_024).array(7).uint(1).bin(utf8(g.name)).uint(g.time);
  w.array(PARAMETER_RULES.length);
  for (const { name } of PARAMETER_RULES) w.uint(g.parameters[name]);
  w.array(g.accounts.length);
  for (const { address, amount } of g.accounts) w.array(2).bin(address).uint(amount);
  w.array(g.validators.length);
  for (const { publicKey, stake } of g.validators) w.array(2).bin(publicKey).uint(stake);
  return w.bin(g.seed).finish();
}

export function genesisHash(g: Genesis): Bytes {
  return sha256(DOMAIN.genesis, encodeGenesis(g));
}

/** The JSON form: amounts as decimal strings of µKRY, keys and seed in hex, addresses as text. */
export function genesisToJson(g: Genesis): string {
  const parameters: Record<string, string | number> = {};
  for (const { name, kind } of PARAMETER_RULES) {
    parameters[name] = kind === 'amount' ? g.parameters[name].toString() : Number(g.parameters[name]);
  }
  const json = {
    version: 1,
    name: g.name,
    time: g.time,
    parameters,
    accounts: g.accounts.map(({ address, amount }) => ({
      address: encodeAddress(address),
      amount: amount.toString(),
    })),
    validators: g.validators.map(({ publicKey, stake }) => ({
      publicKey: toHex(publicKey),
      stake: stake.toString(),
    })),
    seed: toHex(g.seed),
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}

type Json = Record<string, unknown>;

function object(value: unknown, what: string, fields: readonly string[]): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return refuse(`${what} must be an object`);
  for (const key of Object.keys(value))
    if (!fields.includes(key)) refuse(`${what} has an unknown field "${key.slice(0, 40)}"`);
  for (const field of fields) if (!(field in value)) refuse(`${what} lacks the field "${field}"`);
  return value as Json;
}

function list(value: unknown, what: string, most: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length > most)
    return refuse(`${what} must be a list of at most ${most}`);
  return value;
}

function amount(value: unknown, what: string): bigint {
  if (typeof value !== 'string' || !/^(0|[1-9]\d{0,19})$/.test(value))
    return refuse(`${what} must be a string of digits (µKRY)`);
  const n = BigInt(value);
  return n > U64_MAX ? refuse(`${what} passes 2^64`) : n;
}

function integer(value: unknown, what: string): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
    ? value
    : refuse(`${what} must be a whole number`);
}

function text(value: unknown, what: string): string {
  return typeof value === 'string' && value.length <= 200 ? value : refuse(`${what} must be a short string`);
}

/** Reads and validates the JSON form. Throws `GENESIS_INVALID`, saying which field is wrong. */
export function genesisFromJson(source: string): Genesis {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    refuse(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const top = object(value, 'genesis', [
    'version',
    'name',
    'time',
    'parameters',
    'accounts',
    'validators',
    'seed',
  ]);
  if (top.version !== 1) refuse('version must be 1');
  const raw = object(
    top.parameters,
    'parameters',
    PARAMETER_RULES.map(({ name }) => name),
  );
  const parameters: Record<string, bigint | number> = {};
  for (const { name, kind } of PARAMETER_RULES) {
    parameters[name] = kind === 'amount' ? amount(raw[name], name) : integer(raw[name], name);
  }
  const hex = (bytes: unknown, what: string): Bytes => {
    try {
      return fromHex(text(bytes, what), 32);
    } catch {
      return refuse(`${what} must be 32 bytes of hex`);
    }
  };
  const genesis: Genesis = {
    name: text(top.name, 'name'),
    time: integer(top.time, 'time'),
    parameters: parameters as unknown as ChainParameters,
    accounts: list(top.accounts, 'accounts', MAX_ACCOUNTS).map((item) => {
      const account = object(item, 'account', ['address', 'amount']);
      return {
        address: decodeAddress(text(account.address, 'address')),
        amount: amount(account.amount, 'amount'),
      };
    }),
    validators: list(top.validators, 'validators', MAX_VALIDATORS).map((item) => {
      const validator = object(item, 'validator', ['publicKey', 'stake']);
      return {
        publicKey: hex(validator.publicKey, 'publicKey'),
        stake: amount(validator.stake, 'stake'),
      };
    }),
    seed: hex(top.seed, 'seed'),
  };
  validateGenesis(genesis);
  return genesis;
}

const COMMON = {
  maxBlockBytes: 8 * 1024 * 1024,
  baseFee: 1n,
  claimFee: 500n,
  accountDeposit: 10_000n,
  bountyDeposit: 10_000n,
  leastBounty: 50_000n,
  advertFee: 10_000n,
  unclaimedBurnPpm: 100_000,
  advertBurnPpm: 500_000,
} as const;

/** Parameters of a long-lived chain (DESIGN §11). */
export const MAIN_PARAMETERS: ChainParameters = {
  ...COMMON,
  blockInterval: 1_000,
  delta: 500,
  executionBudget: 500,
  txLifetime: 600,
  leastClaimWindow: 600,
  longestClaimUntil: 35 * 86_400,
  closedLifetime: 7 * 86_400,
};

/** Parameters of a local test chain: the same rules, shorter spans. */
export const DEVNET_PARAMETERS: ChainParameters = {
  ...COMMON,
  blockInterval: 1_000,
  delta: 100,
  executionBudget: 300,
  txLifetime: 60,
  leastClaimWindow: 60,
  longestClaimUntil: 35 * 86_400,
  closedLifetime: 600,
};
