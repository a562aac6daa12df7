/**
 * Makes certificates out of what it has, its own few signatures and the genuine certificates of others: with
 * noise for the missing signatures, with too few signers, with signatures moved to another subject, with one
 * bit changed, with signers who do not exist. And it sends genuine ones again, long after their time.
 */
import { concat } from '../../../src/codec/bytes.ts';
import { Writer } from '../../../src/codec/writer.ts';
import { decodeCertificate, encodeCertificate } from '../../../src/consensus/certificate.ts';
import { type Certificate, FINALIZE, NOTARIZE, NULLIFY, type Subject } from '../../../src/consensus/types.ts';
import { subjectView, writeSubject } from '../../../src/consensus/vote.ts';
import type { Message } from '../network.ts';
import { Adversary, bitmapOf } from './base.ts';

const FORGERIES = [
  'noise for signatures',
  'too few signers',
  'signatures of another subject',
  'one bit changed',
  'signers who do not exist',
  'fewer signatures than signers',
  'genuine, once more',
] as const;
type Forgery = (typeof FORGERIES)[number];

export class Forger extends Adversary<Forgery> {
  readonly #genuine: Message[] = [];

  protected override onCertificate(subject: Subject, message: Message): void {
    super.onCertificate(subject, message);
    this.#genuine.push(message);
    if (this.#genuine.length > 64) this.#genuine.shift();
    const { random } = this;
    // One bit changed in what most do not have yet is worth most at once.
    const forgery = random.pick(FORGERIES);
    const bytes = this.#forge(forgery, subject, message);
    this.did(forgery);
    this.tell(random.pick(this.seats), this.others(), { kind: 'certificate', bytes });
  }

  #forge(forgery: Forgery, subject: Subject, message: Message): Uint8Array {
    const { random } = this;
    const { set } = this.options;
    const view = subjectView(subject);
    const wanted = this.#wanted(subject, view);
    const count = set.validators.length;
    switch (forgery) {
      case 'noise for signatures':
        return this.forgery(wanted);
      case 'too few signers': {
        const own = [...this.seats].sort((a, b) => a.index - b.index);
        const signers = new Uint8Array((count + 7) >> 3);
        signers.set(bitmapOf(own.map(({ index }) => index)));
        return encodeCertificate({
          subject: wanted,
          signers,
          signatures: own.map((seat) => seat.sign(wanted)),
        });
      }
      case 'signatures of another subject':
        return encodeCertificate({ ...decodeCertificate(message.bytes, set), subject: wanted });
      case 'one bit changed': {
        const certificate = decodeCertificate(message.bytes, set);
        const at = random.int(0, certificate.signatures.length - 1);
        certificate.signatures[at]![random.int(0, 63)]! ^= 1 << random.int(0, 7);
        return encodeCertificate(certificate);
      }
      case 'signers who do not exist': {
        const signers = bitmapOf(Array.from({ length: count + random.int(1, 9) }, (_, index) => index));
        return raw({ subject: wanted, signers, signatures: this.#noise(count) });
      }
      case 'fewer signatures than signers': {
        const signers = bitmapOf(set.validators.keys());
        return raw({ subject: wanted, signers, signatures: this.#noise(random.int(1, count - 1)) });
      }
      case 'genuine, once more':
        return random.pick(this.#genuine).bytes;
    }
  }

  #noise(count: number): Uint8Array[] {
    return Array.from({ length: count }, () => this.random.bytes(64));
  }

  /** What it would like to see certified: other things than `subject`, which is. */
  #wanted(subject: Subject, view: number): Subject {
    const { random } = this;
    const { epoch } = this.options.set;
    const nullified: Subject = { kind: NULLIFY, epoch, view: view + random.int(0, 2) };
    if (subject.kind === NULLIFY) return { ...nullified, view: view + 1 };
    const { proposal } = subject;
    return random.pick<Subject>([
      nullified,
      { kind: FINALIZE, proposal },
      { kind: FINALIZE, proposal: { ...proposal, payload: random.bytes(32) } },
      { kind: NOTARIZE, proposal: { ...proposal, payload: random.bytes(32) } },
      { kind: NOTARIZE, proposal: { ...proposal, view: view + 1, parentView: view } },
      { kind: FINALIZE, proposal: { ...proposal, parentView: view + 1 } },
    ]);
  }
}

/** As `encodeCertificate`, for what it would not write. */
function raw({ subject, signers, signatures }: Certificate): Uint8Array {
  const writer = new Writer().array((subject.kind === NULLIFY ? 3 : 5) + 2);
  return writeSubject(writer, subject)
    .bin(signers)
    .bin(concat(...signatures))
    .finish();
}
