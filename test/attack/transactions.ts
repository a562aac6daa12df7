/** Transactions that are wrong in one way each. */
import type { Bytes } from '../../src/codec/bytes.ts';
import { encodeBody, encodeTransaction, signedMessage, transactionId } from '../../src/tx/encode.ts';
import { KIND_TRANSFER, OUTPUT_PAY, type TransferBody } from '../../src/tx/types.ts';
import type { Prng } from '../simulator/prng.ts';
import type { World } from './world.ts';

/** A point of order one: a key whose signatures can be made up. */
const SMALL_ORDER = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0));

interface Form {
  readonly validUntil?: number;
  readonly amount?: bigint;
  readonly salt?: Bytes;
  readonly chain?: Bytes;
  readonly change?: (body: TransferBody) => TransferBody;
  readonly sign?: (signature: Bytes) => Bytes;
}

function transfer(world: World, rng: Prng, form: Form = {}): Bytes {
  const from = rng.pick(world.accounts);
  const amount = form.amount ?? 1_000n;
  const plain: TransferBody = {
    kind: KIND_TRANSFER,
    validUntil: form.validUntil ?? world.height + 20,
    salt: form.salt ?? rng.bytes(8),
    inputs: [{ address: from.publicKey, amount: amount + 1_000n }],
    outputs: [{ type: OUTPUT_PAY, to: rng.pick(world.accounts).publicKey, amount }],
    fee: 1_000n,
    comment: undefined,
  };
  const body = form.change?.(plain) ?? plain;
  const id = transactionId(encodeBody(body));
  const signature = from.sign(signedMessage(form.chain ?? world.genesisHash, id));
  return encodeTransaction({ body, signatures: [form.sign?.(signature) ?? signature] });
}

/** What no node may pass on. */
export function invalidTransaction(world: World, rng: Prng): Bytes {
  switch (rng.int(0, 5)) {
    case 0:
      return transfer(world, rng, { chain: rng.bytes(32) });
    case 1:
      return transfer(world, rng, { sign: (signature) => Uint8Array.of(...signature, 0) });
    case 2:
      return transfer(world, rng, {
        change: (body) => ({ ...body, inputs: [{ ...body.inputs[0]!, address: SMALL_ORDER }] }),
        sign: () => Uint8Array.of(...SMALL_ORDER, ...new Uint8Array(32)),
      });
    case 3:
      return transfer(world, rng, {
        change: (body) => ({ ...body, inputs: [...body.inputs, ...body.inputs] }),
      });
    case 4:
      return transfer(world, rng, { change: (body) => ({ ...body, fee: 2_000n }) });
    default:
      return transfer(world, rng, {
        sign: (signature) => {
          const broken = signature.slice();
          broken[rng.int(0, 63)]! ^= 1 << rng.int(0, 7);
          return broken;
        },
      });
  }
}

/** Signed well, and refused all the same. */
export function refusedTransaction(world: World, rng: Prng): Bytes {
  switch (rng.int(0, 3)) {
    case 0:
      return transfer(world, rng, { validUntil: Math.max(1, world.height - 5) });
    case 1:
      return transfer(world, rng, { validUntil: world.height + 1_000_000 });
    case 2:
      return transfer(world, rng, { amount: 1n << 60n });
    default:
      // one salt for all: after the first they are replays
      return transfer(world, rng, { salt: new Uint8Array(8), validUntil: 50 });
  }
}

export function shuffled<T>(rng: Prng, items: readonly T[]): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = rng.int(0, i);
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}
