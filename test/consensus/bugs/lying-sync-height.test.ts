/**
 * CometBFT ASA-2025-001: a peer claims a height that nobody has, and a node that catches up waits for it for ever. Here
 * no peer is asked for a height: an answer counts as far as a finalization certificate proves it, and what only claims
 * to go on ends the peer's part in it.
 */
import { expect } from 'vitest';
import type { Patch } from '../../simulator/mutants/variant.ts';
import { against } from './against.ts';
import { code } from './sync-code.ts';

const instead = (find: string, replace: string): Patch => ({ file: 'node/sync.ts', find, replace });

against('a peer that lies about the height of the chain', {
  module: 'sync-code.ts',
  code,
  check: async ({ catchUp }) => {
    for (const lie of [
      'headers of no chain',
      'a certificate of a later block',
      'a forged certificate',
    ] as const) {
      expect(await catchUp(lie)).toEqual({ tip: 4, synced: [4], punished: ['liar RESPONSE_INVALID'] });
    }
  },
  bugs: {
    'what an answer claims beyond its blocks is believed': [
      instead('    this.#checkLinks(headers, certificate);\n', ''),
    ],
    'a certificate is believed that nobody signed': [
      instead('    verifyCertificate(certificate, set, genesisHash, verifier);\n', ''),
    ],
  },
});
