/**
 * The steward: sees only the chain, an advert on it, and its copy of the blob. It takes the first blob that it
 * can get, watches the bounties on it that name it, derives the claim key from the bytes that it has and claims;
 * it needs no balance for that. When its copy does not give the key that the owner posted, it claims all the
 * same, at every node that it knows, and tells what each of them answered.
 *
 * Says `ready`, `stored`, `claimed`, `refused`; is told nothing.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Genesis, genesisHash } from '../chain/genesis.ts';
import { claimable } from '../cli/claimable.ts';
import { ApiClient, type OpenBountyAnswer } from '../cli/client.ts';
import { randomSalt } from '../cli/options.ts';
import { remark } from '../cli/output.ts';
import { submitAndWait } from '../cli/submit.ts';
import { encodeAddress } from '../codec/address.ts';
import { type Bytes, fromHex, toHex } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import type { SigningKey } from '../crypto/interfaces.ts';
import { challengeSeedOfFile } from '../node/challenge-file.ts';
import { selectSigningKeys } from '../node/crypto/select.ts';
import { readGenesisFile } from '../node/data-directory.ts';
import { makeDirectory } from '../system/directory.ts';
import { type BuiltTransaction, signClaims } from '../tx/build.ts';
import { fetchBlob } from './blob-fetch.ts';
import { instructions, type Say, say } from './conversation.ts';
import { type Advert, advertsIn, finalBlocks } from './queries.ts';
import { checkChain, newAccountKey, patience } from './wallet.ts';

const POLL_MS = 100;
const MAX_SEEN = 10_000;

export interface StewardOptions {
  /** Its own folder, made here. */
  readonly dir: string;
  readonly genesis: string;
  /** Nodes that it knows; the first is the one that it works with. */
  readonly api: readonly string[];
}

export interface Copy {
  readonly path: string;
  readonly tag: Bytes;
}

/** A steward and what it needs; `say` hears what it did, in the words that the head of this file lists. */
export interface StewardSetting {
  readonly genesis: Genesis;
  readonly key: SigningKey;
  /** Where its copy lies. */
  readonly dir: string;
  /** Nodes that it knows; the first is the one that it works with. */
  readonly api: readonly string[];
  /** Hosts from which it takes a blob; 127.0.0.1 when it is not given. */
  readonly hosts?: readonly string[];
  /** What it has from an earlier run. */
  readonly copy?: Copy;
  /** How many blocks that were final before it began are searched for adverts. */
  readonly lookBack?: number;
  readonly signal: AbortSignal;
  readonly say: Say;
}

export class Steward {
  readonly #o: StewardSetting;
  readonly #genesisHash: Bytes;
  readonly #clients: readonly ApiClient[];
  readonly #seen = new Set<string>();
  #copy: Copy | undefined;
  #next: number | undefined;

  constructor(setting: StewardSetting) {
    this.#o = setting;
    this.#genesisHash = genesisHash(setting.genesis);
    this.#clients = setting.api.map((url) => new ApiClient(url, { signal: setting.signal }));
    this.#copy = setting.copy;
  }

  get #client(): ApiClient {
    return this.#clients[0]!;
  }

  async open(): Promise<void> {
    await checkChain(this.#client, this.#o.genesis);
    const { height } = await this.#client.status();
    this.#next ??= Math.max(1, height + 1 - (this.#o.lookBack ?? 0));
    await this.#o.say({ ready: true, address: encodeAddress(this.#o.key.publicKey) });
  }

  /** Works until the signal is aborted; whatever a node or the disk refuses ends it with that error. */
  async watch(): Promise<void> {
    for await (const { height } of finalBlocks(this.#client.url, this.#o.signal)) {
      for (let at = this.#next ?? height; this.#copy === undefined && at <= height; at++) {
        for (const advert of await advertsIn(this.#client, at)) await this.#take(advert);
        this.#next = at + 1;
      }
      if (this.#copy !== undefined) await this.#answerBounties(this.#copy, height);
    }
  }

  /** Takes the blob of an advert. One that cannot be had is passed over: adverts are anybody's word. */
  async #take({ tag, size, offer }: Advert): Promise<void> {
    if (this.#copy !== undefined) return;
    const path = join(this.#o.dir, toHex(tag));
    try {
      const { hosts } = this.#o;
      const wanted = { tag, size, offer, steward: this.#o.key.publicKey };
      await fetchBlob(hosts === undefined ? wanted : { ...wanted, hosts }, path, this.#o.signal);
    } catch (error) {
      this.#o.signal.throwIfAborted();
      remark(
        `advert of ${toHex(tag)} passed over: ${error instanceof Error ? error.message : String(error)}`,
      );
      return;
    }
    this.#copy = { path, tag };
    await this.#o.say({ stored: path, tag, bytes: size });
  }

  async #answerBounties(copy: Copy, height: number): Promise<void> {
    const { bounties } = await this.#client.bounties(copy.tag);
    for (const bounty of claimable(bounties, height + 1, encodeAddress(this.#o.key.publicKey))) {
      if (this.#seen.has(bounty.id)) continue;
      this.#remember(bounty.id);
      await this.#answer(copy, bounty, height);
    }
  }

  /** A bounty is answered once in a run; the oldest are forgotten, long after they have expired. */
  #remember(id: string): void {
    this.#seen.add(id);
    const [oldest] = this.#seen;
    if (this.#seen.size > MAX_SEEN && oldest !== undefined) this.#seen.delete(oldest);
  }

  async #answer(copy: Copy, bounty: OpenBountyAnswer, height: number): Promise<void> {
    const nonce = fromHex(bounty.nonce);
    const seed = await challengeSeedOfFile(copy.path, this.#genesisHash, copy.tag, nonce);
    const key = selectSigningKeys()(seed);
    const built = signClaims(
      {
        validUntil: height + this.#o.genesis.parameters.txLifetime,
        salt: randomSalt(),
        claims: [{ tag: copy.tag, bountyId: fromHex(bounty.id), key, destination: this.#o.key.publicKey }],
      },
      this.#genesisHash,
    );
    if (toHex(key.publicKey) === bounty.claimKey) await this.#claim(bounty, built);
    else await this.#claimInVain(copy, bounty, built);
  }

  async #claim(bounty: OpenBountyAnswer, built: BuiltTransaction): Promise<void> {
    const timeout = String(Math.ceil(patience(this.#o.genesis) / 1_000));
    const { height } = await submitAndWait(this.#client, built, { wait: true, timeout });
    await this.#o.say({ claimed: bounty.id, tx: built.id, height });
  }

  /** Submits a claim with a key that is not the posted one, to every node once it knows the bounty. */
  async #claimInVain(copy: Copy, bounty: OpenBountyAnswer, built: BuiltTransaction): Promise<void> {
    const answers = await Promise.all(
      this.#clients.map(async (client) => {
        await this.#untilListed(client, copy.tag, bounty.id);
        const [outcome] = await client.submit([built.bytes]);
        const { status, code, reason } = outcome!;
        return { api: client.url, status, code, reason };
      }),
    );
    await this.#o.say({ refused: bounty.id, answers });
  }

  async #untilListed(client: ApiClient, tag: Bytes, id: string): Promise<void> {
    const end = Date.now() + patience(this.#o.genesis);
    for (;;) {
      const { bounties } = await client.bounties(tag);
      if (bounties.some((bounty) => bounty.id === id)) return;
      if (Date.now() > end) throw new ProtocolError('BEHIND', `${client.url} does not know bounty ${id}`);
      await delay(POLL_MS, undefined, { signal: this.#o.signal });
    }
  }
}

/** Runs until standard input ends or `stop` is aborted. */
export async function runSteward(options: StewardOptions, stop: AbortSignal): Promise<void> {
  const genesis = await readGenesisFile(options.genesis);
  await makeDirectory(options.dir);
  const abandoned = new AbortController();
  const signal = AbortSignal.any([stop, abandoned.signal]);
  const key = await newAccountKey(options.dir);
  const { dir, api } = options;
  const steward = new Steward({ genesis, key, dir, api, signal, say });
  const untilAbandoned = async (): Promise<void> => {
    for await (const { go } of instructions(stop)) {
      throw new ProtocolError('INSTRUCTION', `the steward cannot "${go}"`);
    }
    abandoned.abort();
  };
  try {
    await steward.open();
    await Promise.all([steward.watch(), untilAbandoned()]);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
