/**
 * `kryder bounty`: an owner adverts a blob and posts bounties on it, a steward claims them with its copy, and
 * anybody lists them.
 */
import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { decodeAddress, encodeAddress } from '../../codec/address.ts';
import { formatKry, parseKry } from '../../codec/amount.ts';
import { type Bytes, fromHex, toHex, utf8 } from '../../codec/bytes.ts';
import { challengeSeedOfFile, challengeSeedsOfFile, tagOfFile } from '../../node/challenge-file.ts';
import { selectSigningKeys } from '../../node/crypto/select.ts';
import { readKeyFile } from '../../node/key-file.ts';
import { type AnsweredClaim, planTransfer, signClaims, signTransaction } from '../../tx/build.ts';
import { precomputedNonce } from '../../tx/challenge.ts';
import { bountyId } from '../../tx/encode.ts';
import { KIND_TRANSFER, MAX_CLAIMS, MAX_OFFER_BYTES, OUTPUT_ADVERT, OUTPUT_BOUNTY, type Output } from '../../tx/types.ts';
import { claimable } from '../claimable.ts';
import { ApiClient, type BountyAnswer, type ChainStatus } from '../client.ts';
import {
  type ApiOption,
  hex32,
  randomSalt,
  type WaitOption,
  wholeNumber,
  withApi,
  withWait,
} from '../options.ts';
import { addCommand, CommandError, EXIT, remark, usageError } from '../output.ts';
import { precomputeToFile, readPrecomputed } from '../precomputed.ts';
import { describe, submitAndWait } from '../submit.ts';

type Sending = ApiOption & WaitOption & { readonly key: string };

function withSending(command: Command, whose: string): Command {
  return withWait(withApi(command.requiredOption('--key <file>', `key file of ${whose}`)));
}

interface OutputPlan {
  readonly outputs: readonly Output[];
  /** Last height at which they can be posted, where that is earlier than the chain's own limit. */
  readonly latest?: number;
}

async function sendOutputs(
  options: Sending,
  plan: (status: ChainStatus, self: Bytes, client: ApiClient) => Promise<OutputPlan>,
) {
  const { key } = await readKeyFile(options.key, 'account');
  const client = new ApiClient(options.api);
  const status = await client.status();
  const { parameters, height } = status;
  const { outputs, latest } = await plan(status, key.publicKey, client);
  const validUntil = Math.min(height + parameters.txLifetime, latest ?? Number.MAX_SAFE_INTEGER);
  const body = planTransfer(
    { from: key.publicKey, outputs, validUntil, salt: randomSalt() },
    parameters,
    parameters.baseFee,
  );
  const built = signTransaction(body, fromHex(status.genesisHash), [key]);
  return { built, body, outcome: await submitAndWait(client, built, options) };
}

/** The tag that was given, or that of the file. */
async function tagOf(options: { tag?: string; blob?: string }): Promise<Bytes> {
  if (options.tag !== undefined) return hex32(options.tag, '--tag');
  if (options.blob === undefined) throw usageError('which blob?', 'give --tag or --blob');
  return (await tagOfFile(options.blob)).tag;
}

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
      const { outcome, body } = await sendOutputs(options, async () => ({
        outputs: [{ type: OUTPUT_ADVERT, tag, size: BigInt(length), offer }],
      }));
      return {
        json: { ...outcome, tag, size: length, fee: body.fee },
        text: [`tag ${toHex(tag)}, ${length} bytes`, describe(outcome)],
      };
    },
  });
}

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

/** Nonce and claim key, from the blob or from what was precomputed. */
async function challengeFor(options: PostOptions, genesisHash: Bytes, client: ApiClient) {
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

function registerPost(bounty: Command): void {
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
      const { built, outcome } = await sendOutputs(options, async (status, self, client) => {
        const { parameters, height, genesisHash } = status;
        const challenge = await challengeFor(options, fromHex(genesisHash), client);
        const { leastClaimWindow, longestClaimUntil } = parameters;
        const claimFrom =
          options.claimFrom === undefined
            ? 0
            : wholeNumber(options.claimFrom, '--claim-from', 0, height + longestClaimUntil);
        const least = leastClaimWindow + POSTING_BLOCKS;
        const window =
          options.window === undefined
            ? least
            : wholeNumber(options.window, '--window', least, longestClaimUntil);
        const claimUntil = Math.max(claimFrom, height) + window;
        const output: Output = {
          type: OUTPUT_BOUNTY,
          ...challenge,
          payee: options.payee === undefined ? undefined : decodeAddress(options.payee),
          amount: parseKry(options.amount),
          claimFrom,
          claimUntil,
          refundTo: options.refundTo === undefined ? self : decodeAddress(options.refundTo),
        };
        return { outputs: [output], latest: claimUntil - leastClaimWindow };
      });
      const [output] = built.body.kind === KIND_TRANSFER ? built.body.outputs : [];
      if (output?.type !== OUTPUT_BOUNTY) throw new Error('the transaction has no bounty');
      const { tag, nonce, claimKey, amount, claimFrom, claimUntil } = output;
      const id = bountyId(built.id, 0);
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

interface ClaimOptions extends Sending {
  readonly blob: string;
  readonly tag?: string;
  readonly bounty?: string;
  readonly destination?: string;
  readonly force?: boolean;
}

/** Derives the key of each bounty from the blob; without `force` those that do not fit are left out. */
async function answer(
  bounties: readonly BountyAnswer[],
  options: ClaimOptions,
  genesisHash: Bytes,
  destination: Bytes,
): Promise<AnsweredClaim[]> {
  const tag = fromHex(bounties[0]!.tag);
  const seeds = await challengeSeedsOfFile(
    options.blob,
    genesisHash,
    tag,
    bounties.map(({ nonce }) => fromHex(nonce)),
  );
  const makeKey = selectSigningKeys();
  const claims = bounties.map((bounty, i) => {
    const claim = { tag, bountyId: fromHex(bounty.id), key: makeKey(seeds[i]!), destination };
    return { claim, fits: toHex(claim.key.publicKey) === bounty.claimKey };
  });
  const misfits = claims.filter(({ fits }) => !fits).length;
  if (misfits > 0) {
    remark(
      `${misfits} of ${claims.length} challenges are not answered by this copy: it is not what was posted`,
    );
  }
  return claims.filter(({ fits }) => fits || options.force === true).map(({ claim }) => claim);
}

function registerClaim(bounty: Command): void {
  addCommand<ClaimOptions>(bounty, {
    usage: 'claim',
    description: 'claim the open bounties on a blob with a copy of it',
    configure: (c) =>
      withSending(c, 'the steward')
        .requiredOption('--blob <file>', 'the copy')
        .option('--tag <hex>', 'its tag, where that is not its SHA-256')
        .option('--bounty <id>', 'claim this bounty only')
        .option('--destination <address>', 'who is paid (default: the steward)')
        .option('--force', 'submit the claim even if the copy does not answer the challenge'),
    run: async (_, options) => {
      const { key } = await readKeyFile(options.key, 'account');
      const destination =
        options.destination === undefined ? key.publicKey : decodeAddress(options.destination);
      const client = new ApiClient(options.api);
      const status = await client.status();
      const tag = await tagOf(options);
      const listed = await client.bounties(tag);
      const wanted = options.bounty === undefined ? undefined : toHex(hex32(options.bounty, '--bounty'));
      const open = claimable(listed.bounties, status.height + 1, encodeAddress(destination))
        .filter((b) => b.tag === toHex(tag) && (wanted === undefined || b.id === wanted))
        .slice(0, MAX_CLAIMS);
      if (open.length === 0) {
        throw new CommandError(
          EXIT.refused,
          'NOTHING_TO_CLAIM',
          `no bounty on ${toHex(tag)} is open to ${encodeAddress(destination)} at height ${status.height + 1}`,
          '`kryder bounty list` shows all of them',
        );
      }
      const genesisHash = fromHex(status.genesisHash);
      const claims = await answer(open, options, genesisHash, destination);
      if (claims.length === 0) {
        throw new CommandError(
          EXIT.refused,
          'COPY_DAMAGED',
          'this copy answers none of the open challenges',
          'its bytes are not those that the owner had',
        );
      }
      const validUntil = status.height + status.parameters.txLifetime;
      const built = signClaims({ validUntil, salt: randomSalt(), claims }, genesisHash);
      const outcome = await submitAndWait(client, built, options);
      const claimed = claims.map(({ bountyId }) => toHex(bountyId));
      return {
        json: {
          tx: outcome.id,
          status: outcome.status,
          validUntil,
          bounties: claimed,
          ...(outcome.height === undefined ? {} : { height: outcome.height }),
        },
        text: [...claimed.map((id) => `claims bounty ${id}`), describe(outcome)],
      };
    },
  });
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
          ...bounties.map(
            (b) =>
              `${b.id}  ${b.status.padEnd(7)}  ${formatKry(b.amount)} KRY  ` +
              `heights ${b.claimFrom} to ${b.claimUntil}  ${b.payee ?? 'open to all'}`,
          ),
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
        count: wholeNumber(options.count, '--count', 1, 10_000),
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
