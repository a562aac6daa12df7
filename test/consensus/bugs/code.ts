/** What the tests of this folder drive, once as it is and once with the bug in it. */
import { decodeCertificate, verifyCertificate } from '../../../src/consensus/certificate.ts';
import { Pacing } from '../../../src/consensus/engine/pacing.ts';
import { Engine } from '../../../src/consensus/engine.ts';
import { Journal } from '../../../src/consensus/journal/journal.ts';
import { Signer } from '../../../src/consensus/signer.ts';

export const code = { Engine, Pacing, Journal, Signer, decodeCertificate, verifyCertificate };
export type Code = typeof code;
