/** `kryder status`: what a node says about itself and the chain. */
import type { Command } from 'commander';
import { ApiClient } from '../client.ts';
import { type ApiOption, withApi } from '../options.ts';
import { addCommand } from '../output.ts';

export function register(program: Command): void {
  addCommand<ApiOption>(program, {
    usage: 'status',
    description: 'show height, peers and validators as a node sees them',
    configure: withApi,
    run: async (_, { api }) => {
      const status = await new ApiClient(api).status();
      const role = status.self === null ? 'follower' : `validator ${status.self}`;
      return {
        json: status,
        text: [
          `chain       ${status.chainName}, genesis ${status.genesisHash}`,
          `height      ${status.height}, block ${status.blockHash}`,
          `block time  ${new Date(status.time).toISOString()}`,
          `view        ${status.view}${status.syncing ? ' (catching up)' : ''}`,
          `node        ${role} of ${status.validators}, version ${status.version}, up ${Math.round(status.uptimeSeconds)} s`,
          `peers       ${status.peers.length}`,
          `mempool     ${status.mempool.transactions} transactions, ${status.mempool.bytes} bytes`,
          ...status.warnings.map(({ code, message }) => `warning     ${message} (${code})`),
        ],
      };
    },
  });
}
