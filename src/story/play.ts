/**
 * The play: what owner and steward do on a network that runs, one scene after the other. It starts the two of
 * them, tells the owner when to go on, damages the steward's copy, and compares what everybody says; it takes no
 * part itself, and what it is told has to fit together or the play fails.
 */
import { mkdir, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Genesis } from '../chain/genesis.ts';
import { ApiClient } from '../cli/client.ts';
import { decodeAddress } from '../codec/address.ts';
import { formatKry, parseKry } from '../codec/amount.ts';
import { toHex } from '../codec/bytes.ts';
import { ProtocolError } from '../codec/errors.ts';
import type { FileTag } from '../node/challenge-file.ts';
import { PLAIN_ACCESS, readKeyFile } from '../node/keys/key-file.ts';
import { OUTPUT_PAY } from '../tx/types.ts';
import { Child, type Line } from './child.ts';
import { type Devnet, faucetFileOf, genesisFileOf } from './devnet.ts';
import { stopAndMeasure } from './memory.ts';
import type { Narrator } from './narrator.ts';
import { finalBlock, supply } from './queries.ts';
import { patience, pay } from './wallet.ts';

const OWNER_FUNDS = parseKry('1000');
const BOUNTY = parseKry('25');
/** Bytes that every process reads, hashes or sends in a millisecond, at least. */
export const BYTES_PER_MS = 2_000;

export interface Blob extends FileTag {
  readonly path: string;
}

/** What came out of it; amounts are µKRY. */
export interface Outcome {
  readonly validators: number;
  readonly genesisHash: string;
  readonly blobBytes: number;
  readonly blobSha256: string;
  readonly bounty: { id: string; tag: string; nonce: string; claimKey: string; amount: string };
  readonly claim: { readonly tx: string; readonly height: number };
  readonly flipped: { readonly code: string; readonly refundHeight: number };
  readonly balances: { readonly owner: string; readonly steward: string };
  readonly supply: string;
}

function fail(code: string, message: string): never {
  throw new ProtocolError(code, message);
}

/** Inverts the bits of one byte of a file. */
export async function flipByte(path: string, position: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const byte = new Uint8Array(1);
    const { bytesRead } = await file.read(byte, 0, 1, position);
    if (bytesRead !== 1) fail('BLOB_LENGTH', `"${path}" has no byte ${position}`);
    byte[0]! ^= 0xff;
    await file.write(byte, 0, 1, position);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A folder for owner and steward that no earlier story used. */
async function stage(dir: string): Promise<string> {
  const earlier = (await readdir(dir)).filter((name) => /^story-\d+$/.test(name)).length;
  const folder = join(dir, `story-${earlier + 1}`);
  await mkdir(folder, { mode: 0o700 });
  return folder;
}

export interface Setting {
  readonly tell: Narrator;
  readonly signal: AbortSignal;
  readonly blob: Blob;
  readonly devnet: Devnet;
  readonly genesis: Genesis;
  /** The network's folder; owner and steward get one in it. */
  readonly dir: string;
}

export class Play {
  readonly #tell: Narrator;
  readonly #signal: AbortSignal;
  readonly #blob: Blob;
  readonly #devnet: Devnet;
  readonly #genesis: Genesis;
  readonly #dir: string;
  readonly #clients: readonly ApiClient[];
  readonly #people: Child[] = [];

  constructor(setting: Setting) {
    const { tell, signal, blob, devnet, genesis, dir } = setting;
    this.#tell = tell;
    this.#signal = signal;
    this.#blob = blob;
    this.#devnet = devnet;
    this.#genesis = genesis;
    this.#dir = dir;
    this.#clients = devnet.nodes.map(({ api }) => new ApiClient(api));
  }

  /** Longest wait for one step: blocks, and bytes to be read and sent. */
  get #stepMs(): number {
    return 2 * patience(this.#genesis) + Math.ceil(this.#blob.length / BYTES_PER_MS);
  }

  #from(child: Child, key: string, blocks = 0): Promise<Line> {
    const ms = this.#stepMs + 2 * blocks * this.#genesis.parameters.blockInterval;
    return child.waitFor(key, ms, this.#signal);
  }

  async #person(role: string, folder: string, args: readonly string[]): Promise<Child> {
    const log = join(folder, `${role}.log`);
    const own = ['--dir', join(folder, role), '--genesis', genesisFileOf(this.#dir)];
    const child = await Child.start({
      name: `the ${role}`,
      args: [`story-${role}`, ...own, ...args, '--json'],
      log,
    });
    this.#people.push(child);
    return child;
  }

  /** Owner and steward work through validators of their own, and the owner asks a third one for proofs. */
  async #castPeople(): Promise<{
    owner: Child;
    steward: Child;
    ownerAddress: string;
    stewardAddress: string;
  }> {
    const folder = await stage(this.#dir);
    const apis = this.#devnet.nodes.map(({ api }) => api);
    const [first, second] = [apis[0]!, apis[1]!];
    const check = apis[2] ?? first;
    const owner = await this.#person('owner', folder, [
      '--api',
      first,
      '--check',
      check,
      '--blob',
      this.#blob.path,
    ]);
    const rest = apis.filter((api) => api !== second);
    const steward = await this.#person('steward', folder, [
      ...['--api', second],
      ...rest.flatMap((api) => ['--api', api]),
    ]);
    const [ownerReady, stewardReady] = await Promise.all([
      this.#from(owner, 'ready'),
      this.#from(steward, 'ready'),
    ]);
    this.#tell.note(`owner    ${String(ownerReady.address)}, works through ${first}`);
    this.#tell.note(`steward  ${String(stewardReady.address)}, works through ${second}`);
    return {
      owner,
      steward,
      ownerAddress: String(ownerReady.address),
      stewardAddress: String(stewardReady.address),
    };
  }

  async #fund(address: string): Promise<void> {
    const { key } = await readKeyFile(faucetFileOf(this.#dir), 'account', PLAIN_ACCESS);
    const { txLifetime } = this.#genesis.parameters;
    const wallet = { genesis: this.#genesis, key, client: this.#clients[0]! };
    const { height } = await pay(wallet, async (now) => ({
      outputs: [{ type: OUTPUT_PAY, to: decodeAddress(address), amount: OWNER_FUNDS }],
      validUntil: now + txLifetime,
    }));
    this.#tell.note(`${formatKry(OWNER_FUNDS)} KRY for the owner, final in block ${height}`);
  }

  async #postBounty(owner: Child): Promise<{ bounty: Outcome['bounty']; claimUntil: number }> {
    owner.tell({ go: 'bounty', amount: BOUNTY.toString() });
    const line = await this.#from(owner, 'bounty');
    const bounty = line.bounty as Outcome['bounty'];
    this.#tell.note(`bounty ${bounty.id}`);
    this.#tell.note(
      `${formatKry(BigInt(bounty.amount))} KRY to the steward alone, in block ${line.height}, until block ${line.claimUntil}`,
    );
    return { bounty, claimUntil: Number(line.claimUntil) };
  }

  /** Every validator must have refused, and for the same reason. Returns its code. */
  #refusalOf(answers: readonly Line[]): string {
    for (const { api, status, code, reason } of answers) {
      this.#tell.note(`${String(api)}: ${String(status)}, ${String(code)}: ${String(reason)}`);
    }
    const codes = new Set(answers.map(({ status, code }) => (status === 'rejected' ? code : undefined)));
    const [code] = codes;
    if (answers.length !== this.#clients.length || codes.size !== 1 || typeof code !== 'string') {
      fail('STORY_REFUSALS', 'the validators did not all refuse the claim for one reason');
    }
    return code;
  }

  async #balance(address: string): Promise<string> {
    return (await this.#clients[0]!.account(decodeAddress(address))).balance.toString();
  }

  /** The supply, which must add up, in a block that all validators have alike. */
  async #audit(height: number): Promise<string> {
    const hashes = await Promise.all(this.#clients.map((client) => finalBlock(client, height)));
    if (new Set(hashes.map(({ hash }) => hash)).size !== 1) {
      fail('STORY_FORK', `the validators do not have the same block ${height}`);
    }
    const s = await supply(this.#clients[0]!);
    if (!s.balanced) fail('STORY_SUPPLY', 'genesis + minted − burned is not the sum of all entries');
    return (s.genesis + s.minted - s.burned).toString();
  }

  async perform(): Promise<Outcome> {
    const { step, note } = this.#tell;
    step('An owner and a steward join, each with a key and a folder of its own.');
    const { owner, steward, ownerAddress, stewardAddress } = await this.#castPeople();
    await this.#fund(ownerAddress);

    step('The owner says on the chain that it wants a blob kept.');
    note(`${this.#blob.length} bytes, tag ${toHex(this.#blob.tag)}`);
    owner.tell({ go: 'advert' });
    const advert = await this.#from(owner, 'advert');
    note(`advert ${String(advert.advert)}, in block ${advert.height}`);

    step('The steward, which sees only the chain, takes a copy and checks it against the tag.');
    const [stored] = await Promise.all([this.#from(steward, 'stored'), this.#from(owner, 'served')]);
    const copy = String(stored.stored);
    note(`copy in ${copy}`);

    step('The owner posts a bounty: who shows that all the bytes are still there?');
    const first = await this.#postBounty(owner);

    step('The steward derives the claim key from nonce and bytes, and claims without owning a coin.');
    const claimed = await this.#from(steward, 'claimed');
    note(`claim ${String(claimed.tx)}, final in block ${claimed.height}`);

    step(
      'The owner proves to itself that it was paid, from the genesis, over a validator the steward did not use.',
    );
    owner.tell({ go: 'verify' });
    const verified = await this.#from(owner, 'verified');
    if (claimed.claimed !== first.bounty.id || verified.verified !== claimed.tx) {
      fail('STORY_CLAIM', 'owner and steward do not speak of the same claim');
    }
    note(`asked ${String(verified.over)}`);
    note(
      `certificate of ${verified.signers} of ${verified.validators} validators over ${verified.headers} ${verified.headers === 1 ? 'header' : 'headers'}, ` +
        `claim in block ${verified.height}, bounty closed in the state of block ${verified.stateHeight}`,
    );

    const position = Math.floor(this.#blob.length / 2);
    step(`One byte of the steward's copy goes bad: byte ${position} of ${this.#blob.length}.`);
    await flipByte(copy, position);

    step('The owner posts another bounty.');
    const second = await this.#postBounty(owner);

    step('The steward claims all the same, at every validator.');
    const refused = await this.#from(steward, 'refused');
    if (refused.refused !== second.bounty.id) fail('STORY_CLAIM', 'the refused claim is of another bounty');
    const code = this.#refusalOf(refused.answers as Line[]);

    step(`Nobody can claim it: it expires at block ${second.claimUntil} and comes back by itself.`);
    owner.tell({ go: 'refund' });
    const blocks = second.claimUntil - (await this.#clients[0]!.status()).height;
    const refund = await this.#from(owner, 'refund', Math.max(0, blocks));
    note(
      `${formatKry(BigInt(String(refund.refund)))} KRY came back in block ${refund.height}, ` +
        `${formatKry(BigInt(String(refund.burned)))} KRY were burned`,
    );
    const refundHeight = Number(refund.height);

    return {
      validators: this.#devnet.nodes.length,
      genesisHash: this.#devnet.genesisHash,
      blobBytes: this.#blob.length,
      blobSha256: toHex(this.#blob.tag),
      bounty: first.bounty,
      claim: { tx: String(claimed.tx), height: Number(claimed.height) },
      flipped: { code, refundHeight },
      balances: { owner: await this.#balance(ownerAddress), steward: await this.#balance(stewardAddress) },
      supply: await this.#audit(refundHeight),
    };
  }

  /** Ends owner and steward, not the network; the peaks of their memory. */
  dismiss(): Promise<ReadonlyMap<string, number>> {
    return stopAndMeasure(this.#people);
  }
}
