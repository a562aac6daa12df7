/**
 * The journals of all validators, read with the production reader. A node deletes a journal segment once the next
 * one stands; a hard link that is made while it lives keeps it, with everything that is still appended to it, so no
 * vote that was ever written is missed. Segments are numbered: one that was never seen shows as a gap.
 */
import { link, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bytes } from '../../src/codec/bytes.ts';
import { signersOf } from '../../src/consensus/certificate.ts';
import { CHECKPOINT_END, decodeRecord } from '../../src/consensus/journal/records.ts';
import { scanSegment } from '../../src/consensus/journal/segment.ts';
import type { Subject, ValidatorSet } from '../../src/consensus/types.ts';
import { voteMessage } from '../../src/consensus/vote.ts';
import type { SignatureVerifier } from '../../src/crypto/interfaces.ts';
import { FileDisk } from '../../src/storage/journal-disk.ts';
import type { VoteBook } from './votes.ts';

const SEGMENT = /^journal-(\d{10})$/;

export interface JournalsOptions {
  /** Own folder for the links, on the same file system as the journals. */
  readonly evidence: string;
  /** The journal directories, one a node. */
  readonly journals: readonly string[];
  readonly set: ValidatorSet;
  readonly genesisHash: Bytes;
  readonly verifier: SignatureVerifier;
  readonly book: VoteBook;
}

/** One node's links. */
interface Kept {
  readonly journal: string;
  readonly folder: string;
  readonly linked: Set<number>;
  highest: number;
}

export class Journals {
  /** What is wrong with a journal itself: it cannot be read, or holds a vote that its key did not sign. */
  readonly findings: string[] = [];
  segments = 0;
  readonly #options: JournalsOptions;
  readonly #kept: Kept[];
  readonly #gaps = new Set<string>();
  /** Nodes in whose journals there were own votes. */
  readonly #heard = new Set<number>();
  #polling: Promise<void> = Promise.resolve();

  constructor(options: JournalsOptions) {
    this.#options = options;
    this.#kept = options.journals.map((journal, i) => ({
      journal,
      folder: join(options.evidence, `node-${i}`),
      linked: new Set(),
      highest: 0,
    }));
  }

  /** Segments that came and went unseen. */
  get gaps(): number {
    return this.#gaps.size;
  }

  /** Nodes of which no vote was ever read: nothing is known of what their keys signed. */
  get silent(): number[] {
    return this.#kept.flatMap((_, node) => (this.#heard.has(node) ? [] : [node]));
  }

  /** Links every segment that is there now; calls follow each other. */
  poll(): Promise<void> {
    this.#polling = this.#polling.then(async () => {
      await Promise.all(this.#kept.map((kept, node) => this.#linkNew(kept, node)));
    });
    return this.#polling;
  }

  async #linkNew(kept: Kept, node: number): Promise<void> {
    const names = await readdir(kept.journal).catch(() => [] as string[]);
    for (const name of names.sort()) {
      const index = Number(SEGMENT.exec(name)?.[1] ?? 0);
      if (index === 0 || index <= kept.highest) continue;
      await mkdir(kept.folder, { recursive: true });
      try {
        await link(join(kept.journal, name), join(kept.folder, name));
      } catch {
        continue;
      }
      for (let missed = kept.highest + 1; missed < index; missed++) this.#gaps.add(`${node}/${missed}`);
      kept.highest = index;
      kept.linked.add(index);
      this.segments += 1;
    }
  }

  /**
   * Enters all votes into the book. A segment that is still written to is read as far as it goes, and again the
   * next time; older ones are read once more, whole, and given up.
   */
  async collect(): Promise<void> {
    await this.poll();
    for (const [node, kept] of this.#kept.entries()) {
      if (kept.linked.size === 0) continue;
      const disk = await FileDisk.open(kept.folder);
      for (const index of [...kept.linked].sort((a, b) => a - b)) {
        const name = `journal-${index.toString().padStart(10, '0')}`;
        await this.#read(disk, node, name);
        if (index === kept.highest) continue;
        kept.linked.delete(index);
        await disk.remove(name);
      }
      await disk.close();
    }
  }

  async #read(disk: FileDisk, node: number, name: string): Promise<void> {
    const { set, genesisHash } = this.#options;
    try {
      await scanSegment(disk, name, genesisHash, ({ records }) => {
        for (const { type, content } of records) {
          const record = decodeRecord(type, content, set);
          if (record === CHECKPOINT_END) continue;
          if (record.type === 'vote') {
            const { vote } = record;
            this.#heard.add(node);
            this.#enter(node, name, vote.signer, vote.subject, vote.signature);
          } else if (record.type === 'certificate') {
            const { certificate } = record;
            signersOf(certificate).forEach((signer, at) => {
              this.#enter(node, name, signer, certificate.subject, certificate.signatures[at]!);
            });
          }
        }
      });
    } catch (error) {
      this.findings.push(`node ${node}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #enter(node: number, name: string, signer: number, subject: Subject, signature: Bytes): void {
    const { set, genesisHash, verifier, book } = this.#options;
    if (book.has(signer, subject)) return;
    const { publicKey } = set.validators[signer]!;
    if (!verifier.verify(signature, voteMessage(genesisHash, subject), publicKey)) {
      this.findings.push(`node ${node}: ${name} holds a signature that is not validator ${signer}'s`);
      return;
    }
    book.add(signer, subject);
  }
}
