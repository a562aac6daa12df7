/**
 * `kryder bounty`: an owner adverts a blob and posts bounties on it, a steward claims them with its copy, and
 * anybody lists them.
 */
import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { formatKry } from '../../codec/amount.ts';
import { toHex, utf8 } from '../../codec/bytes.ts';
import { MAX_PRECOMPUTED, tagOfFile } from '../../node/challenge-file.ts';
import { MAX_OFFER_BYTES, OUTPUT_ADVERT } from '../../tx/types.ts';
import { ApiClient, type BountyAnswer } from '../client.ts';
import { type ApiOption, hex32, wholeNumber, withApi } from '../options.ts';
import { addCommand, usageError } from '../output.ts';
import { precomputeToFile } from '../precomputed.ts';
import { type Sending, sendOutputs, tagOf, withSending } from '../sending.ts';
import { describe } from '../submit.ts';
import { registerClaim } from './bounty-claim.ts';
import { registerPost } from './bounty-post.ts';

function registerAdvert(bounty: Command): void {
  addCommand<Sending & { blob: string; offer?: string }>(bounty, {
    usage: 'advert',
    description: 'say on the chain that a blob is to be kept',
    configure: (c) =>
      withSending(c, 'the owner')
        .requiredOption('--blob <file>', 'the blob')
        .option('--offer <text>', `how to get it, for stewards: at most ${MAX_OFFER_BYTES} bytes`),
    run: async (_, options) => {
      const offer = utf8(options.offer ?? '');
      if (offer.length > MAX_OFFER_BYTES) throw usageError(`an offer has at most ${MAX_OFFER_BYTES} bytes`);
      const { tag, length } = await tagOfFile(options.blob);
      const { outcome, fee } = await sendOutputs(options, new ApiClient(options.api), () => ({
        outputs: [{ type: OUTPUT_ADVERT, tag, size: BigInt(length), offer }],
      }));
      return {
        json: { ...outcome, tag, size: length, fee },
        text: [`tag ${toHex(tag)}, ${length} bytes`, describe(outcome)],
      };
    },
  });
}

function fate(bounty: BountyAnswer): string {
  if (bounty.status === 'open') {
    return `heights ${bounty.claimFrom} to ${bounty.claimUntil}, ${bounty.payee ?? 'open to all'}`;
  }
  if (bounty.status === 'claimed') return `at height ${bounty.height} by ${bounty.destination}`;
  return `at height ${bounty.height}, ${formatKry(bounty.burned)} KRY of it burned`;
}

function registerList(bounty: Command): void {
  addCommand<ApiOption & { tag?: string; blob?: string }>(bounty, {
    usage: 'list',
    description: 'list the bounties on a blob, open and closed',
    configure: (c) => withApi(c).option('--tag <hex>', 'tag of the blob').option('--blob <file>', 'the blob'),
    run: async (_, options) => {
      const tag = await tagOf(options);
      const { height, bounties } = await new ApiClient(options.api).bounties(tag);
      return {
        json: { tag, height, bounties },
        text: [
          `${bounties.length} bounties on ${toHex(tag)} at height ${height}`,
          ...bounties.map((b) => `${b.id}  ${b.status.padEnd(7)}  ${formatKry(b.amount)} KRY  ${fate(b)}`),
        ],
      };
    },
  });
}

function registerPrecompute(bounty: Command): void {
  addCommand<{ blob: string; tag?: string; count: string; first: string; genesis: string }>(bounty, {
    usage: 'precompute <file>',
    description: 'compute challenges of a blob in advance, so that the blob can be forgotten',
    configure: (c) =>
      c
        .requiredOption('--blob <file>', 'the blob')
        .requiredOption('--genesis <hash>', 'genesis hash of the chain that they are for')
        .option('--tag <hex>', 'its tag, where that is not its SHA-256')
        .option('--count <n>', 'how many', '100')
        .option('--first <index>', 'index of the first one', '0'),
    run: async ([file], options) => {
      const { tag, length } = await tagOfFile(options.blob);
      const kept = await precomputeToFile({
        file: file!,
        blob: options.blob,
        length,
        genesisHash: hex32(options.genesis, '--genesis'),
        tag: options.tag === undefined ? tag : hex32(options.tag, '--tag'),
        secret: new Uint8Array(randomBytes(32)),
        first: wholeNumber(options.first, '--first', 0, 2 ** 40),
        count: wholeNumber(options.count, '--count', 1, MAX_PRECOMPUTED),
      });
      return {
        json: { file, tag: kept.tag, count: kept.claimKeys.size },
        text: [
          `${kept.claimKeys.size} challenges of ${toHex(kept.tag)} in ${file}`,
          'whoever has this file knows the nonces: keep it as you keep a key',
        ],
      };
    },
  });
}

export function register(program: Command): void {
  const bounty = program.command('bounty').description('bounties on blobs');
  registerAdvert(bounty);
  registerPost(bounty);
  registerClaim(bounty);
  registerList(bounty);
  registerPrecompute(bounty);
}
