/** What a node takes blocks, proposals and answers apart with, once as it is and once with the bug in it. */
import { decodeBlock } from '../../../src/chain/block.ts';
import { decodeCompactProposal } from '../../../src/chain/compact.ts';
import { checkHeader } from '../../../src/chain/rules.ts';
import { Bodies } from '../../../src/node/bodies.ts';
import { decodeRangeAnswer, decodeTransactionsRequest } from '../../../src/node/requests.ts';
import { FrameDecoder } from '../../../src/p2p/framing.ts';

export const code = {
  decodeBlock,
  decodeCompactProposal,
  checkHeader,
  Bodies,
  decodeRangeAnswer,
  decodeTransactionsRequest,
  FrameDecoder,
};
export type BlocksCode = typeof code;
