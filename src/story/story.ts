/**
 * The story of one blob, played by real processes: validators finalise blocks; an owner says that it wants a blob
 * kept; a steward takes a copy, proves that it has it, and is paid; then a byte of the copy is damaged, the next
 * claim is refused everywhere, and the owner gets its money back. Here the network is started,
 * the play is played on it, and everything is stopped and put away; whatever goes wrong ends the story with an
 * error and leaves no process behind.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DEVNET_PARAMETERS, type Genesis } from '../chain/genesis.ts';
import { formatKry } from '../codec/amount.ts';
import { ProtocolError } from '../codec/errors.ts';
import { tagOfFile } from '../node/challenge-file.ts';
import { readGenesisFile } from '../node/data-directory.ts';
import { createDevnet, type Devnet, genesisFileOf, readDevnet, startDevnet } from './devnet.ts';
import { ownPeakRss, peakRss, stopAndMeasure } from './memory.ts';
import { type Narrator, seconds } from './narrator.ts';
import { withParameters } from './new-genesis.ts';
import { type Blob, BYTES_PER_MS, type Outcome, Play } from './play.ts';

/** What starting, stopping and the machine's moods may take, beside blocks and bytes. */
const SLACK_MS = 180_000;

export interface StoryOptions {
  readonly blob: string;
  /** Where everything is kept; a temporary folder, removed afterwards, when it is not given. */
  readonly dir: string | undefined;
  readonly validators: number;
  /** Assignments to parameters of a new network, such as `blockInterval=200`. */
  readonly set: readonly string[];
  readonly logLevel: string;
}

/** What `--exit` prints. */
export interface StoryResult extends Outcome {
  /** The largest resident set that any process of the story had. */
  readonly peakRssBytes: number;
  readonly seconds: number;
}

/** Starts a devnet in `dir`, and makes one before that where there is none. */
async function startNetwork(
  dir: string,
  options: StoryOptions,
  tell: Narrator,
  signal: AbortSignal,
): Promise<Devnet> {
  const found = await readDevnet(dir);
  if (found === undefined) {
    const parameters = withParameters(DEVNET_PARAMETERS, options.set);
    await createDevnet(dir, { validators: options.validators, followers: 0, parameters });
  } else if (found.validators !== options.validators || found.followers > 0) {
    throw new ProtocolError(
      'DEVNET_DIRECTORY',
      `"${dir}" holds a devnet of ${found.validators} validators; choose another folder`,
    );
  } else tell.note('they are started again, with the genesis that they had');
  const devnet = await startDevnet(dir, { logLevel: options.logLevel, signal, report: tell.note });
  for (const { child, api } of devnet.nodes) tell.note(`${child.name}  ${api}  process ${child.pid}`);
  tell.note(`genesis ${devnet.genesisHash}`);
  return devnet;
}

function summary(
  result: StoryResult,
  peaks: ReadonlyMap<string, number>,
  times: readonly number[],
): string[] {
  const median = times[Math.floor(times.length / 2)] ?? 0;
  return [
    `owner    ${formatKry(BigInt(result.balances.owner))} KRY`,
    `steward  ${formatKry(BigInt(result.balances.steward))} KRY`,
    `supply   ${formatKry(BigInt(result.supply))} KRY, which is the sum of all entries`,
    `${times.length} blocks, half of them final within ${seconds(median)}`,
    `memory peaks: ${[...peaks].map(([name, bytes]) => `${name} ${(bytes / 1_048_576).toFixed(0)} MB`).join(', ')}`,
  ];
}

export interface StoryContext {
  readonly tell: Narrator;
  readonly stop: AbortSignal;
  /** Called when the story is over; the network runs until it resolves. */
  readonly afterwards: () => Promise<void>;
}

/** Far more than the play takes; it is there so that nothing can hang for ever. */
function timeLimit(genesis: Genesis, blob: Blob): number {
  const { blockInterval, leastClaimWindow } = genesis.parameters;
  return (
    SLACK_MS + (4 * leastClaimWindow + 120) * blockInterval + Math.ceil((10 * blob.length) / BYTES_PER_MS)
  );
}

/** The play on a network that runs, and its end; the last figures are those with the nodes stopped. */
async function perform(
  devnet: Devnet,
  dir: string,
  blob: Blob,
  started: number,
  { tell, stop, afterwards }: StoryContext,
): Promise<StoryResult> {
  const genesis = await readGenesisFile(genesisFileOf(dir));
  const overdue = AbortSignal.timeout(timeLimit(genesis, blob));
  const signal = AbortSignal.any([stop, overdue]);
  const play = new Play({ tell, signal, blob, devnet, genesis, dir });
  const narrating = new AbortController();
  tell.follow(devnet.nodes[0]!.api, narrating.signal);
  try {
    const outcome = await play.perform();
    const peaks = new Map([['the story', await ownPeakRss()], ...(await play.dismiss())]);
    for (const { child } of devnet.nodes) peaks.set(child.name, (await peakRss(child.pid)) ?? 0);
    const result = (): StoryResult => ({
      ...outcome,
      peakRssBytes: Math.max(...peaks.values()),
      seconds: Math.round(performance.now() - started) / 1_000,
    });
    tell.step('The end.');
    for (const line of summary(result(), peaks, tell.finalityTimes())) tell.note(line);
    await afterwards();
    narrating.abort();
    const last = await stopAndMeasure(devnet.nodes.map(({ child }) => child));
    for (const [name, bytes] of last) peaks.set(name, bytes);
    return result();
  } catch (error) {
    if (!overdue.aborted) throw error;
    throw new ProtocolError('STORY_OVERDUE', 'the story did not come to its end in time');
  } finally {
    narrating.abort();
    await play.dismiss().catch(() => undefined);
  }
}

/**
 * Plays the story. Throws `BLOB_EMPTY` and its like before anything is started, and whatever went wrong later
 * when everything has been stopped again. Returns the result with the nodes stopped.
 */
export async function playStory(options: StoryOptions, context: StoryContext): Promise<StoryResult> {
  const started = performance.now();
  const blob = { path: resolve(options.blob), ...(await tagOfFile(options.blob)) };
  const { tell, stop } = context;
  const dir =
    options.dir === undefined ? await mkdtemp(join(tmpdir(), 'kryder-story-')) : resolve(options.dir);
  let keep = options.dir !== undefined;
  let devnet: Devnet | undefined;
  try {
    tell.step(`${options.validators} validators start on this machine, each knowing one other.`);
    devnet = await startNetwork(dir, options, tell, stop);
    return await perform(devnet, dir, blob, started, context);
  } catch (error) {
    keep ||= !stop.aborted;
    if (keep) tell.note(`what the processes wrote is in ${dir}`);
    throw error;
  } finally {
    await devnet?.stop();
    if (!keep) await rm(dir, { recursive: true, force: true });
  }
}
