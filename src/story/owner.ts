/**
 * The owner: has a blob, says on the chain that it wants it kept, serves it to a steward, posts bounties on it,
 * and believes only what it can prove from the genesis, by asking a node that the steward has nothing to do with.
 *
 * Says `ready`, `advert`, `served`, `bounty`, `verified`, `refund`; is told `advert`, `bounty {amount}`, `verify`,
 * `refund`.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Genesis, genesisHash } from '../chain/genesis.ts';
import { ApiClient, type BountyAnswer } from '../cli/client.ts';
import { encodeAddress } from '../codec/address.ts';
import { type Bytes, equal, fromHex, toHex, utf8 } from '../codec/bytes.ts';
import { invariant, ProtocolError } from '../codec/errors.ts';
import type { SigningKey } from '../crypto/interfaces.ts';
import { trustGenesis } from '../light/verify.ts';
import { challengeSeedOfFile, type FileTag, tagOfFile } from '../node/challenge-file.ts';
import { selectSigningKeys, selectVerifier } from '../node/crypto/select.ts';
import { readGenesisFile } from '../node/data-directory.ts';
import { makeDirectory } from '../system/directory.ts';
import { bountyId } from '../tx/encode.ts';
import { KIND_CLAIMS, OUTPUT_ADVERT, OUTPUT_BOUNTY } from '../tx/types.ts';
import { type BlobServer, type Door, serveBlob } from './blob-server.ts';
import { type Instruction, instructions, type Say, say } from './conversation.ts';
import { type Inquiry, provenBalance, provenBounty, provenTransaction } from './proven.ts';
import { checkChain, newAccountKey, patience, pay } from './wallet.ts';

/** How long a posted bounty may wait for its block before its window would be too short. */
const MARGIN_MS = 3_000;
const LEAST_MARGIN_BLOCKS = 4;

export interface OwnerOptions {
  /** Its own folder, made here. */
  readonly dir: string;
  readonly genesis: string;
  /** The node that it pays through. */
  readonly api: string;
  /** The node that it asks for proofs. */
  readonly check: string;
  readonly blob: string;
}

interface Posted {
  readonly id: Bytes;
  readonly height: number;
  readonly claimUntil: number;
  /** Its own balance, proven, after posting. */
  readonly balance: bigint;
}

/** An owner and what it needs; `say` hears what it did, in the words that the head of this file lists. */
export interface OwnerSetting {
  readonly genesis: Genesis;
  readonly key: SigningKey;
  readonly blob: FileTag & { readonly path: string };
  /** The node that it pays through, and the one that it asks for proofs. */
  readonly api: string;
  readonly check: string;
  /** Where it serves the blob; any port of 127.0.0.1 when it is not given. */
  readonly door?: Door;
  readonly signal: AbortSignal;
  readonly say: Say;
}

export class Owner {
  readonly #genesis: Genesis;
  readonly #key: SigningKey;
  readonly #client: ApiClient;
  readonly #checks: Omit<Inquiry, 'deadline'>;
  readonly #blob: FileTag & { readonly path: string };
  readonly #place: Door | undefined;
  readonly #say: Say;
  #door: BlobServer | undefined;
  #posted: Posted | undefined;
  /** Whom bounties are for: who took the blob last. */
  steward: Bytes | undefined;

  constructor({ genesis, key, blob, api, check, door, signal, say: tell }: OwnerSetting) {
    this.#genesis = genesis;
    this.#key = key;
    this.#blob = blob;
    this.#place = door;
    this.#say = tell;
    this.#client = new ApiClient(api, { signal });
    const trust = trustGenesis(genesis, selectVerifier());
    this.#checks = { trust, client: new ApiClient(check, { signal }), signal };
  }

  get #inquiry(): Inquiry {
    return { ...this.#checks, deadline: Date.now() + patience(this.#genesis) };
  }

  async open(): Promise<void> {
    await checkChain(this.#client, this.#genesis);
    this.#door = await serveBlob({
      ...this.#blob,
      onServed: (steward) => {
        this.steward = steward;
        void this.#say({ served: encodeAddress(steward) });
      },
      ...(this.#place === undefined ? {} : { door: this.#place }),
    });
    const { tag, length } = this.#blob;
    await this.#say({ ready: true, address: encodeAddress(this.#key.publicKey), tag, bytes: length });
  }

  async close(): Promise<void> {
    await this.#door?.close();
  }

  #pay(plan: Parameters<typeof pay>[1]) {
    return pay({ genesis: this.#genesis, key: this.#key, client: this.#client }, plan);
  }

  /** Says on the chain that the blob is wanted kept, and where it can be had. */
  async advert(): Promise<void> {
    const { tag, length } = this.#blob;
    const offer = utf8(this.#door!.url);
    const { txLifetime } = this.#genesis.parameters;
    const { id, height } = await this.#pay(async (now) => ({
      outputs: [{ type: OUTPUT_ADVERT, tag, size: BigInt(length), offer }],
      validUntil: now + txLifetime,
    }));
    await this.#say({ advert: id, height });
  }

  /** Posts a bounty of `amount` µKRY for the steward. Throws `NO_STEWARD`. */
  async bounty(amount: bigint): Promise<void> {
    const payee = this.steward;
    if (payee === undefined) throw new ProtocolError('NO_STEWARD', 'nobody has taken the blob yet');
    const { tag, path } = this.#blob;
    const { blockInterval, leastClaimWindow } = this.#genesis.parameters;
    const nonce = new Uint8Array(randomBytes(32));
    const seed = await challengeSeedOfFile(path, genesisHash(this.#genesis), tag, nonce);
    const claimKey = selectSigningKeys()(seed).publicKey;
    const margin = Math.max(LEAST_MARGIN_BLOCKS, Math.ceil(MARGIN_MS / blockInterval));
    const refundTo = this.#key.publicKey;
    const paid = await this.#pay(async (now) => {
      const window = { claimFrom: 0, claimUntil: now + margin + leastClaimWindow };
      return {
        outputs: [{ type: OUTPUT_BOUNTY, tag, nonce, claimKey, payee, amount, ...window, refundTo }],
        validUntil: now + margin,
      };
    });
    const [output] = paid.outputs;
    invariant(output?.type === OUTPUT_BOUNTY, 'a bounty was paid for');
    const id = bountyId(paid.id, 0);
    const { height } = paid;
    const { claimUntil } = output;
    const { balance } = await provenBalance(this.#inquiry, refundTo, height);
    this.#posted = { id, height, claimUntil, balance };
    await this.#say({ bounty: { id, tag, nonce, claimKey, amount }, tx: paid.id, height, claimUntil });
  }

  /** The last bounty's state at the node that is paid through, as soon as it is closed: news, not yet proof. */
  async #untilClosed(): Promise<Exclude<BountyAnswer, { status: 'open' }>> {
    const { id, claimUntil } = this.#posted!;
    const { blockInterval } = this.#genesis.parameters;
    const end = Date.now() + patience(this.#genesis);
    for (;;) {
      const { height, bounties } = await this.#client.bounties(this.#blob.tag);
      const found = bounties.find((bounty) => bounty.id === toHex(id));
      if (found !== undefined && found.status !== 'open') return found;
      if (height > claimUntil && Date.now() > end) {
        throw new ProtocolError('BOUNTY_STUCK', `bounty ${toHex(id)} is still open at height ${height}`);
      }
      await delay(Math.min(500, blockInterval), undefined, { signal: this.#checks.signal });
    }
  }

  /** Waits for the end of the last bounty and proves it, whatever it is; tells which it was. */
  async settle(): Promise<'claimed' | 'expired'> {
    const { status } = await this.#untilClosed();
    if (status === 'claimed') await this.verify();
    else await this.refund();
    return status;
  }

  /** Proves that the last bounty was claimed, by whom, and in which final block. */
  async verify(): Promise<void> {
    const posted = this.#posted!;
    const news = await this.#untilClosed();
    if (news.status !== 'claimed') {
      throw new ProtocolError('BOUNTY_UNCLAIMED', `bounty ${news.id} ended ${news.status}`);
    }
    const tx = fromHex(news.transaction);
    const { finality, body } = await provenTransaction(this.#inquiry, tx);
    const claim =
      body.kind === KIND_CLAIMS ? body.claims.find(({ bountyId: id }) => equal(id, posted.id)) : undefined;
    if (claim === undefined || !equal(claim.destination, this.steward!)) {
      throw new ProtocolError('CLAIM_UNPROVEN', `transaction ${news.transaction} does not pay the steward`);
    }
    const place = { tag: this.#blob.tag, id: posted.id };
    const entry = await provenBounty(this.#inquiry, place, finality.height);
    const { bounty } = entry;
    if (
      bounty.status !== 'claimed' ||
      !equal(bounty.transaction, tx) ||
      bounty.closedAt !== finality.height
    ) {
      throw new ProtocolError(
        'CLAIM_UNPROVEN',
        'the bounty’s entry does not name that transaction and block',
      );
    }
    await this.#say({
      verified: tx,
      over: this.#checks.client.url,
      ...finality,
      stateHeight: entry.finality.height,
    });
  }

  /** Proves that the last bounty expired and that what was left of it came back. */
  async refund(): Promise<void> {
    const posted = this.#posted!;
    const news = await this.#untilClosed();
    if (news.status !== 'expired') {
      throw new ProtocolError('BOUNTY_CLAIMED', `bounty ${news.id} was claimed with a damaged copy`);
    }
    const place = { tag: this.#blob.tag, id: posted.id };
    const { bounty } = await provenBounty(this.#inquiry, place, news.height);
    if (bounty.status !== 'expired')
      throw new ProtocolError('REFUND_UNPROVEN', `the entry is ${bounty.status}`);
    const { burned, amount, closedAt } = bounty;
    const { balance } = await provenBalance(this.#inquiry, this.#key.publicKey, closedAt);
    const refund = amount - burned;
    if (balance !== posted.balance + refund) {
      throw new ProtocolError('REFUND_UNPROVEN', `${posted.balance} became ${balance}, not ${refund} more`);
    }
    await this.#say({ refund, burned, height: closedAt, balance });
  }

  async follow({ go, amount }: Instruction): Promise<void> {
    if (go === 'advert') await this.advert();
    else if (go === 'bounty') await this.bounty(BigInt(String(amount)));
    else if (go === 'verify') await this.verify();
    else if (go === 'refund') await this.refund();
    else throw new ProtocolError('INSTRUCTION', `the owner cannot "${go}"`);
  }
}

/** Runs until standard input ends or `stop` is aborted. */
export async function runOwner(options: OwnerOptions, stop: AbortSignal): Promise<void> {
  const genesis = await readGenesisFile(options.genesis);
  const blob = { path: options.blob, ...(await tagOfFile(options.blob)) };
  await makeDirectory(options.dir);
  const key = await newAccountKey(options.dir);
  const { api, check } = options;
  const owner = new Owner({ genesis, key, blob, api, check, signal: stop, say });
  try {
    await owner.open();
    for await (const instruction of instructions(stop)) await owner.follow(instruction);
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    await owner.close();
  }
}
