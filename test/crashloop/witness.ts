/**
 * What nodes have told anybody about finality, and whether they stand by it: a block that one node called final is
 * final under the same hash at every node for ever; a transaction in it is there at every node, at one height; and
 * no node tells a lower height than before, however often it was killed in between.
 */

export interface ToldBlock {
  readonly height: number;
  readonly hash: string;
  readonly parent: string;
  readonly ids: readonly string[];
}

export interface Place {
  readonly height: number;
  readonly index: number;
}

export class Witness {
  readonly lost: string[] = [];
  readonly disagreements: string[] = [];
  readonly regressions: string[] = [];
  readonly #hashes = new Map<number, { readonly hash: string; readonly by: number }>();
  readonly #places = new Map<string, Place>();
  readonly #told: number[];
  /** Ids by height, for asking again. */
  readonly #idsAt = new Map<number, readonly string[]>();

  constructor(nodes: number) {
    this.#told = Array.from({ length: nodes }, () => 0);
  }

  /** The highest height that this node ever called final. A later status must not be lower. */
  toldBy(node: number): number {
    return this.#told[node]!;
  }

  /** The highest height that any node ever called final. */
  get highest(): number {
    return Math.max(...this.#told);
  }

  get transactions(): number {
    return this.#places.size;
  }

  placeOf(id: string): Place | undefined {
    return this.#places.get(id);
  }

  ids(): IterableIterator<string> {
    return this.#places.keys();
  }

  /** Ids of the blocks above `from` up to `to`. */
  idsBetween(from: number, to: number): string[] {
    const out: string[] = [];
    for (let height = from + 1; height <= to; height++) out.push(...(this.#idsAt.get(height) ?? []));
    return out;
  }

  /** A node says that the block at `height` is final. */
  final(node: number, height: number, hash: string): void {
    const known = this.#hashes.get(height);
    if (known === undefined) this.#hashes.set(height, { hash, by: node });
    else if (known.hash !== hash) {
      this.disagreements.push(
        `node ${node} has ${hash} at height ${height}, where node ${known.by} had ${known.hash}`,
      );
    }
    if (height > this.#told[node]!) this.#told[node] = height;
  }

  /** A node answers with its height; `before` is what `toldBy` said when it was asked. */
  status(node: number, before: number, height: number, hash: string): void {
    if (height < before) {
      this.regressions.push(`node ${node} is at height ${height} and had told ${before}`);
    }
    if (height > 0) this.final(node, height, hash);
  }

  /** A node shows a final block with its transactions. */
  block(node: number, { height, hash, parent, ids }: ToldBlock): void {
    this.final(node, height, hash);
    const below = this.#hashes.get(height - 1);
    if (below !== undefined && below.hash !== parent) {
      this.disagreements.push(
        `node ${node}: the block at height ${height} stands on ${parent}, not on ${below.hash}`,
      );
    }
    const held = this.#idsAt.get(height);
    if (held === undefined) this.#idsAt.set(height, ids);
    for (const id of held ?? []) {
      if (!ids.includes(id)) this.lost.push(`node ${node} has ${id} no more at height ${height}`);
    }
    ids.forEach((id, index) => {
      const place = this.#places.get(id);
      if (place === undefined) this.#places.set(id, { height, index });
      else if (place.height !== height || place.index !== index) {
        this.lost.push(
          `node ${node} has ${id} at ${height}/${index}, it was final at ${place.height}/${place.index}`,
        );
      }
    });
  }

  /** A node answers what became of a transaction that some node called final. */
  transaction(node: number, id: string, answer: { status: string; height?: number; index?: number }): void {
    const place = this.#places.get(id);
    if (place === undefined) return;
    if (answer.status !== 'final' || answer.height !== place.height || answer.index !== place.index) {
      const says =
        answer.status === 'final' ? `final at ${answer.height}/${answer.index}` : `"${answer.status}"`;
      this.lost.push(`node ${node} says ${says} of ${id}, which was final at ${place.height}/${place.index}`);
    }
  }

  /** A node does not have a block that some node called final. */
  missing(node: number, height: number): void {
    this.lost.push(`node ${node} has no block at height ${height}, which was final`);
  }
}
