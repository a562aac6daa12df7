/** `kryder account`: what an address holds. */
import type { Command } from 'commander';
import { decodeAddress } from '../../codec/address.ts';
import { formatKry } from '../../codec/amount.ts';
import { ApiClient } from '../client.ts';
import { type ApiOption, withApi } from '../options.ts';
import { addCommand } from '../output.ts';

export function register(program: Command): void {
  addCommand<ApiOption>(program, {
    usage: 'account <address>',
    description: 'show the balance of an address',
    configure: withApi,
    run: async ([text], { api }) => {
      const account = await new ApiClient(api).account(decodeAddress(text!));
      const { address, exists, balance, pending, height } = account;
      return {
        json: account,
        text: [
          `${address}${exists ? '' : ' (no such account)'}`,
          `balance  ${formatKry(balance)} KRY at height ${height}`,
          ...(pending > 0n ? [`pending  −${formatKry(pending)} KRY`] : []),
        ],
      };
    },
  });
}
