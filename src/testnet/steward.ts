/**
 * The steward as a service: takes the first blob that is offered on the chain by a host that it trusts, keeps it,
 * and claims every bounty on it that names it. What it stored before it was stopped it has again afterwards, if
 * the bytes are still those of the tag.
 *
 * Says on standard output, one JSON object a line, what the story's steward says (src/story/steward.ts).
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { remark } from '../cli/output.ts';
import { toHex } from '../codec/bytes.ts';
import { tagOfFile } from '../node/challenge-file.ts';
import { readGenesisFile } from '../node/data-directory.ts';
import { say } from '../story/conversation.ts';
import { type Copy, Steward } from '../story/steward.ts';
import { accountKeyIn } from '../story/wallet.ts';
import { makeDirectory } from '../system/directory.ts';
import { again } from './again.ts';

export interface StewardServiceOptions {
  /** Its own folder: its account key, and the copy. */
  readonly dir: string;
  readonly genesis: string;
  readonly api: readonly string[];
  /** Hosts from which it takes a blob. */
  readonly hosts: readonly string[];
}

/** The copy that an earlier run left in `dir`, if its bytes still have the tag that it is named after. */
async function copyIn(dir: string): Promise<Copy | undefined> {
  for (const name of (await readdir(dir)).sort()) {
    if (!/^[0-9a-f]{64}$/.test(name)) continue;
    const path = join(dir, name);
    const { tag } = await tagOfFile(path);
    if (toHex(tag) === name) return { path, tag };
    remark(`the copy in ${path} is damaged: it is not used any more`);
  }
  return undefined;
}

/** Runs until `stop` is aborted. Throws when its own files are not usable. */
export async function runStewardService(options: StewardServiceOptions, stop: AbortSignal): Promise<void> {
  const { dir, api, hosts } = options;
  const genesis = await readGenesisFile(options.genesis);
  await makeDirectory(dir);
  const key = await accountKeyIn(dir);
  const lookBack = genesis.parameters.txLifetime;
  await again('the steward', stop, async () => {
    const copy = await copyIn(dir);
    const setting = { genesis, key, dir, api, hosts, lookBack, signal: stop, say };
    const steward = new Steward(copy === undefined ? setting : { ...setting, copy });
    await steward.open();
    await steward.watch();
  });
}
