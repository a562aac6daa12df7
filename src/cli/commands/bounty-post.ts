/** `kryder bounty post`: pays for the proof that a blob is still whole. */
import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { decodeAddress } from '../../codec/address.ts';
import { formatKry, parseKry } from '../../codec/amount.ts';
import { type Bytes, fromHex, toHex } from '../../codec/bytes.ts';
import { challengeSeedOfFile } from '../../node/challenge-file.ts';
import { selectSigningKeys } from '../../node/crypto/select.ts';
import { precomputedNonce } from '../../tx/challenge.ts';
import { bountyId } from '../../tx/encode.ts';
import { type BountyOutput, OUTPUT_BOUNTY } from '../../tx/types.ts';
import { ApiClient, type ChainStatus } from '../client.ts';
import { wholeNumber } from '../options.ts';
import { addCommand, usageError } from '../output.ts';
import { readPrecomputed } from '../precomputed.ts';
import { type OutputPlan, type Sending, sendOutputs, tagOf, withSending } from '../sending.ts';
import { describe } from '../submit.ts';

interface PostOptions extends Sending {
  readonly blob?: string;
  readonly tag?: string;
  readonly precomputed?: string;
  readonly index?: string;
  readonly amount: string;
  readonly payee?: string;
  readonly open?: boolean;
  readonly claimFrom?: string;
  readonly window?: string;
  readonly refundTo?: string;
}

/** A bounty's window is judged when it is posted: this many blocks are left for that. */
const POSTING_BLOCKS = 10;

type Challenge = Pick<BountyOutput, 'tag' | 'nonce' | 'claimKey'>;

/** Nonce and claim key, from the blob or from what was precomputed. */
async function challengeFor(options: PostOptions, genesisHash: Bytes, client: ApiClient): Promise<Challenge> {
  if (options.precomputed !== undefined) {
    const kept = await readPrecomputed(options.precomputed, genesisHash);
    const index = wholeNumber(options.index ?? '', '--index', 0, Number.MAX_SAFE_INTEGER);
    const claimKey = kept.claimKeys.get(index);
    if (claimKey === undefined) throw usageError(`"${options.precomputed}" holds no challenge ${index}`);
    const nonce = precomputedNonce(kept.secret, kept.tag, index);
    const { bounties } = await client.bounties(kept.tag);
    if (bounties.some((bounty) => bounty.nonce === toHex(nonce))) {
      throw usageError(`challenge ${index} has been posted already`, 'take the next index');
    }
    return { tag: kept.tag, nonce, claimKey };
  }
  if (options.blob === undefined)
    throw usageError('which blob?', 'give --blob, or --precomputed and --index');
  const tag = await tagOf(options);
  const nonce = new Uint8Array(randomBytes(32));
  const seed = await challengeSeedOfFile(options.blob, genesisHash, tag, nonce);
  return { tag, nonce, claimKey: selectSigningKeys()(seed).publicKey };
}

function planBounty(
  options: PostOptions,
  challenge: Challenge,
  { parameters, height }: ChainStatus,
  self: Bytes,
): OutputPlan<readonly [BountyOutput]> {
  const { leastClaimWindow, longestClaimUntil } = parameters;
  const claimFrom =
    options.claimFrom === undefined
      ? 0
      : wholeNumber(options.claimFrom, '--claim-from', 0, height + longestClaimUntil);
  const least = leastClaimWindow + POSTING_BLOCKS;
  const window =
    options.window === undefined ? least : wholeNumber(options.window, '--window', least, longestClaimUntil);
  const claimUntil = Math.max(claimFrom, height) + window;
  const output: BountyOutput = {
    type: OUTPUT_BOUNTY,
    ...challenge,
    payee: options.payee === undefined ? undefined : decodeAddress(options.payee),
    amount: parseKry(options.amount),
    claimFrom,
    claimUntil,
    refundTo: options.refundTo === undefined ? self : decodeAddress(options.refundTo),
  };
  return { outputs: [output], latest: claimUntil - leastClaimWindow };
}

export function registerPost(bounty: Command): void {
  addCommand<PostOptions>(bounty, {
    usage: 'post',
    description: 'post a bounty for whoever proves that a blob is still whole',
    configure: (c) =>
      withSending(c, 'the owner')
        .option('--blob <file>', 'the blob')
        .option('--tag <hex>', 'its tag, where that is not its SHA-256')
        .option('--precomputed <file>', 'use a challenge of `bounty precompute` instead of the blob')
        .option('--index <n>', 'which one of them; never use one twice')
        .requiredOption('--amount <kry>', 'what the claim pays')
        .option('--payee <address>', 'the one address that it may be paid to')
        .option('--open', 'pay whoever has the data; the owner can race for it too')
        .option('--claim-from <height>', 'first height at which it can be claimed (default: at once)')
        .option('--window <blocks>', 'how long it can be claimed (default: the shortest allowed)')
        .option('--refund-to <address>', 'where the rest goes if nobody claims it (default: the owner)'),
    run: async (_, options) => {
      if ((options.payee === undefined) === (options.open !== true)) {
        throw usageError('who may be paid?', 'give either --payee or --open');
      }
      const client = new ApiClient(options.api);
      const { genesisHash } = await client.status();
      const challenge = await challengeFor(options, fromHex(genesisHash), client);
      const sent = await sendOutputs(options, client, (status, self) =>
        planBounty(options, challenge, status, self),
      );
      const { tag, nonce, claimKey, amount, claimFrom, claimUntil } = sent.outputs[0];
      const { outcome } = sent;
      const id = bountyId(sent.id, 0);
      return {
        json: {
          bounty: { id, tag, nonce, claimKey, amount, claimFrom, claimUntil },
          transaction: outcome.id,
          status: outcome.status,
          validUntil: outcome.validUntil,
          ...(outcome.height === undefined ? {} : { height: outcome.height }),
        },
        text: [
          `bounty ${toHex(id)} of ${formatKry(amount)} KRY on ${toHex(tag)}`,
          `claimable from height ${claimFrom} until ${claimUntil}`,
          describe(outcome),
        ],
      };
    },
  });
}
