/** `kryder verify-signatures`: the strict rule at the command line. */
import type { Command } from 'commander';
import { SIGNATURE_BACKENDS } from '../../node/crypto/select.ts';
import { addCommand } from '../output.ts';
import { verifySignatures } from '../verify-signatures.ts';

export function register(program: Command): void {
  addCommand<{ backend?: string }>(program, {
    usage: 'verify-signatures <file>',
    description: 'judge a JSON array of {publicKey, message, signature} (hex) by the strict Ed25519 rule',
    configure: (c) =>
      c.option('--backend <name>', `which library verifies: ${SIGNATURE_BACKENDS.join(', ')}`),
    run: async ([file], options) => {
      const verdicts = await verifySignatures(file!, options);
      const valid = verdicts.filter((v) => v).length;
      return {
        json: { verdicts },
        text: [
          ...verdicts.map((v, i) => `${i}: ${v ? 'valid' : 'invalid'}`),
          `${valid} of ${verdicts.length} are valid`,
        ],
      };
    },
  });
}
