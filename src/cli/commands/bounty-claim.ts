/** `kryder bounty claim`: a steward is paid for what its copy proves. */
import type { Command } from 'commander';
import { decodeAddress, encodeAddress } from '../../codec/address.ts';
import { type Bytes, fromHex, toHex } from '../../codec/bytes.ts';
import { challengeSeedsOfFile } from '../../node/challenge-file.ts';
import { selectSigningKeys } from '../../node/crypto/select.ts';
import { readKeyFile } from '../../node/keys/key-file.ts';
import { type AnsweredClaim, signClaims } from '../../tx/build.ts';
import { MAX_CLAIMS } from '../../tx/types.ts';
import { claimable } from '../claimable.ts';
import { ApiClient, type OpenBountyAnswer } from '../client.ts';
import { hex32, randomSalt } from '../options.ts';
import { addCommand, CommandError, EXIT, remark } from '../output.ts';
import { keyAccess } from '../passphrase.ts';
import { type Sending, tagOf, withSending } from '../sending.ts';
import { describe, submitAndWait } from '../submit.ts';

interface ClaimOptions extends Sending {
  readonly blob: string;
  readonly tag?: string;
  readonly bounty?: string;
  readonly destination?: string;
  readonly force?: boolean;
}

/** Derives the key of each bounty from the blob; without `force` those that do not fit are left out. */
async function answer(
  bounties: readonly OpenBountyAnswer[],
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

export function registerClaim(bounty: Command): void {
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
      const { key } = await readKeyFile(options.key, 'account', keyAccess(options));
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
      const now = await client.status();
      const validUntil = now.height + now.parameters.txLifetime;
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
