/**
 * The owner as a service: offers its blob until a steward has taken it, then posts one bounty after the other,
 * proves how each of them ended, and looks for another steward when one was not claimed. Nodes may come and go,
 * and so may the owner: it goes on with the same account and the same steward.
 *
 * Says on standard output, one JSON object a line, what the story's owner says (src/story/owner.ts).
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { decodeAddress, encodeAddress } from '../codec/address.ts';
import { tagOfFile } from '../node/challenge-file.ts';
import { readGenesisFile } from '../node/data-directory.ts';
import { writeWholeFile } from '../storage/whole-file.ts';
import type { Door } from '../story/blob-server.ts';
import { say } from '../story/conversation.ts';
import { Owner } from '../story/owner.ts';
import { accountKeyIn } from '../story/wallet.ts';
import { makeDirectory } from '../system/directory.ts';
import { again } from './again.ts';

const OFFER_AGAIN_MS = 30_000;
const POLL_MS = 250;

export interface OwnerServiceOptions {
  /** Its own folder, with its account key if that is there already. */
  readonly dir: string;
  readonly genesis: string;
  readonly api: string;
  readonly check: string;
  readonly blob: string;
  readonly door: Door;
  /** µKRY a bounty. */
  readonly amount: bigint;
  /** Pause between two bounties. */
  readonly everyMs: number;
}

/** Whom the bounties are for, remembered in the owner's folder. */
class StewardFile {
  readonly #path: string;

  constructor(dir: string) {
    this.#path = join(dir, 'steward');
  }

  async read(): Promise<Uint8Array | undefined> {
    const text = await readFile(this.#path, 'utf8').catch(() => undefined);
    return text === undefined ? undefined : decodeAddress(text.trim());
  }

  async write(address: Uint8Array): Promise<void> {
    await writeWholeFile(this.#path, `${encodeAddress(address)}\n`);
  }
}

/** Puts the offer on the chain until somebody has taken the blob. */
async function findSteward(owner: Owner, signal: AbortSignal): Promise<Uint8Array> {
  for (;;) {
    await owner.advert();
    for (let waited = 0; waited < OFFER_AGAIN_MS; waited += POLL_MS) {
      if (owner.steward !== undefined) return owner.steward;
      await delay(POLL_MS, undefined, { signal });
    }
  }
}

/** Runs until `stop` is aborted. Throws when its own files are not usable. */
export async function runOwnerService(options: OwnerServiceOptions, stop: AbortSignal): Promise<void> {
  const genesis = await readGenesisFile(options.genesis);
  const blob = { path: options.blob, ...(await tagOfFile(options.blob)) };
  await makeDirectory(options.dir);
  const key = await accountKeyIn(options.dir);
  const memory = new StewardFile(options.dir);
  const { api, check, door, amount, everyMs } = options;
  await again('the owner', stop, async () => {
    const owner = new Owner({ genesis, key, blob, api, check, door, signal: stop, say });
    owner.steward = await memory.read();
    try {
      await owner.open();
      for (;;) {
        if (owner.steward === undefined) await memory.write(await findSteward(owner, stop));
        await owner.bounty(amount);
        if ((await owner.settle()) === 'expired') owner.steward = undefined;
        await delay(everyMs, undefined, { signal: stop });
      }
    } finally {
      await owner.close();
    }
  });
}
