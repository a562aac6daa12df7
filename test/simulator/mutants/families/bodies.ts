/** Validation: what a node that lacks something, or is lied to, may not conclude from it. */
import type { Mutant } from '../mutant.ts';

export const BODIES: readonly Mutant[] = [
  {
    name: 'a missing body is taken for an invalid block',
    trial: 'bodies',
    patches: [
      {
        file: 'node/application.ts',
        find: 'const assembled = await bodies.want(proposal.payload, [], signal);\n    const { block } = assembled;',
        replace:
          'const assembled = await Promise.race([bodies.want(proposal.payload, [], signal), this.#o.sleep(400, signal).then(() => undefined)]);\n' +
          "    if (assembled === undefined) return { ok: false, body: new Uint8Array(0), reason: 'BODY_MISSING' };\n" +
          '    const { block } = assembled;',
      },
    ],
  },
  {
    name: 'a body that does not match its root is taken for an invalid block',
    trial: 'bodies',
    patches: [
      {
        file: 'node/bodies.ts',
        find: 'if (!equal(transactionRoot(leaves), header.transactionRoot)) return undefined;',
        replace:
          "if (!equal(transactionRoot(leaves), header.transactionRoot)) return { block, transactions: [], invalid: new ProtocolError('BODY_ROOT', 'the root does not match') };",
      },
    ],
  },
  {
    name: 'a body that does not match its root is taken',
    trial: 'bodies',
    patches: [
      {
        file: 'node/bodies.ts',
        find: 'if (!equal(transactionRoot(leaves), header.transactionRoot)) return undefined;',
        replace: '',
      },
    ],
  },
  {
    name: 'the certificate of the parent is not compared with the header',
    trial: 'bodies',
    patches: [
      {
        file: 'node/bodies.ts',
        find: 'if (!certificateMatches(header, block.parentCertificate)) return undefined;',
        replace: 'void certificateMatches;',
      },
    ],
  },
  {
    name: 'a block of another hash is taken from whoever was asked',
    trial: 'bodies',
    patches: [
      {
        file: 'node/bodies.ts',
        find: 'if (equal(block.hash, hash)) return { block, known: this.#known(block), from: peer };',
        replace: 'return { block, known: this.#known(block), from: peer };',
      },
    ],
  },
];
