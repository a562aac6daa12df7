/**
 * The weighted validator set of one epoch: built and checked once, then trusted by everything that counts
 * stake. A set that exists has distinct keys of 32 bytes, positive stakes, between 1 and 1,024 members and a
 * total below 2^63, so that three times a sum of stakes never leaves what bigint code elsewhere assumes.
 */
import { type Bytes, keyOf } from '../codec/bytes.ts';
import { DOMAIN } from '../codec/domains.ts';
import { ProtocolError } from '../codec/errors.ts';
import { sha256 } from '../codec/hash.ts';
import { Reader } from '../codec/reader.ts';
import { Writer } from '../codec/writer.ts';
import type { Validator, ValidatorSet } from './types.ts';

const MAX_VALIDATORS = 1_024;
export const MAX_TOTAL_STAKE = (1n << 63n) - 1n;

type ValidatorSetErrorCode =
  | 'VALIDATOR_SET_SIZE'
  | 'VALIDATOR_SET_SEED'
  | 'VALIDATOR_SET_EPOCH'
  | 'VALIDATOR_SET_KEY'
  | 'VALIDATOR_SET_DUPLICATE'
  | 'VALIDATOR_SET_STAKE';

function refuse(code: ValidatorSetErrorCode, message: string): never {
  throw new ProtocolError<ValidatorSetErrorCode>(code, message);
}

/** Builds a checked set; the order of `validators` is kept. Throws a `ValidatorSetErrorCode`. */
export function createValidatorSet(
  epoch: number,
  seed: Bytes,
  validators: readonly Validator[],
): ValidatorSet {
  if (!Number.isSafeInteger(epoch) || epoch < 0) refuse('VALIDATOR_SET_EPOCH', `${epoch} is not an epoch`);
  if (seed.length !== 32) refuse('VALIDATOR_SET_SEED', `the seed has ${seed.length} bytes instead of 32`);
  if (validators.length < 1 || validators.length > MAX_VALIDATORS) {
    refuse('VALIDATOR_SET_SIZE', `${validators.length} validators, allowed are 1 to ${MAX_VALIDATORS}`);
  }
  const seen = new Set<string>();
  let totalStake = 0n;
  validators.forEach(({ publicKey, stake }, index) => {
    if (publicKey.length !== 32) {
      refuse('VALIDATOR_SET_KEY', `the key of validator ${index} has ${publicKey.length} bytes`);
    }
    const key = keyOf(publicKey);
    if (seen.has(key)) refuse('VALIDATOR_SET_DUPLICATE', `the key of validator ${index} is there twice`);
    seen.add(key);
    if (stake <= 0n) refuse('VALIDATOR_SET_STAKE', `validator ${index} has a stake of ${stake}`);
    totalStake += stake;
    if (totalStake > MAX_TOTAL_STAKE) refuse('VALIDATOR_SET_STAKE', 'the total stake is 2^63 or more');
  });
  return {
    epoch,
    seed: seed.slice(),
    validators: validators.map(({ publicKey, stake }) => ({ publicKey: publicKey.slice(), stake })),
    totalStake,
  };
}

/** True for more than two thirds of the total; never computed from a head count. */
export function hasQuorum(stake: bigint, totalStake: bigint): boolean {
  return 3n * stake > 2n * totalStake;
}

/** Index of the validator with this key, or undefined. */
export function indexOfKey(set: ValidatorSet, publicKey: Bytes): number | undefined {
  const wanted = keyOf(publicKey);
  const index = set.validators.findIndex((validator) => keyOf(validator.publicKey) === wanted);
  return index < 0 ? undefined : index;
}

/** `[epoch, seed, [[publicKey, stake], …]]` */
export function encodeValidatorSet(set: ValidatorSet): Bytes {
  const writer = new Writer(64 + set.validators.length * 48).array(3).uint(set.epoch).bin(set.seed);
  writer.array(set.validators.length);
  for (const { publicKey, stake } of set.validators) writer.array(2).bin(publicKey).uint(stake);
  return writer.finish();
}

/** Strict inverse of `encodeValidatorSet`. Throws codec errors or a `ValidatorSetErrorCode`. */
export function decodeValidatorSet(bytes: Bytes): ValidatorSet {
  const reader = new Reader(bytes);
  reader.array(3);
  const epoch = reader.uint();
  const seed = reader.bin(32);
  const count = reader.array(1, MAX_VALIDATORS);
  const validators: Validator[] = [];
  for (let i = 0; i < count; i++) {
    reader.array(2);
    validators.push({ publicKey: reader.bin(32), stake: reader.uint64(MAX_TOTAL_STAKE) });
  }
  reader.end();
  return createValidatorSet(epoch, seed, validators);
}

/** What a header commits to: keys, stakes, order, seed and epoch. */
export function validatorSetHash(set: ValidatorSet): Bytes {
  return sha256(DOMAIN.validatorSet, encodeValidatorSet(set));
}
