/** Conservation, judged apart from the node: from its own recount, and from what other nodes counted at that height. */

export interface SupplyAnswer {
  readonly height: number;
  readonly genesis: bigint;
  readonly minted: bigint;
  readonly burned: bigint;
  readonly accounts: bigint;
  readonly bounties: bigint;
  readonly deposits: bigint;
  readonly feePool: bigint;
  readonly staked: bigint;
  readonly findings: readonly string[];
}

const PARTS = ['accounts', 'bounties', 'deposits', 'feePool', 'staked'] as const;

export class SupplyBook {
  readonly errors: string[] = [];
  /** Recounts so far. */
  counted = 0;
  readonly #genesis: bigint;
  readonly #counts = new Map<number, { readonly node: number; readonly text: string }>();
  #burned = { height: 0, amount: 0n };

  /** `genesis`: every coin that the genesis file hands out, stakes included. */
  constructor(genesis: bigint) {
    this.#genesis = genesis;
  }

  add(node: number, answer: SupplyAnswer): void {
    const { height, genesis, minted, burned, findings } = answer;
    const refuse = (what: string): void => {
      this.errors.push(`node ${node} at height ${height}: ${what}`);
    };
    this.counted += 1;
    for (const finding of findings) refuse(finding);
    // Nothing mints yet: a coin that is booked as minted came from nowhere.
    if (minted !== 0n) refuse(`${minted} minted`);
    if (genesis !== this.#genesis) refuse(`a genesis supply of ${genesis}, not ${this.#genesis}`);
    const sum = PARTS.reduce((total, part) => total + answer[part], 0n);
    if (sum !== genesis + minted - burned) {
      refuse(`the parts make ${sum}, genesis + minted − burned ${genesis + minted - burned}`);
    }
    const text = [minted, burned, ...PARTS.map((part) => answer[part])].join('/');
    const other = this.#counts.get(height);
    if (other === undefined) this.#counts.set(height, { node, text });
    else if (other.text !== text) refuse(`counts ${text}, node ${other.node} counted ${other.text}`);
    const { height: then, amount } = this.#burned;
    if (height >= then ? burned < amount : burned > amount) {
      refuse(`${burned} burned, where ${amount} were burned at height ${then}`);
    }
    if (height > then) this.#burned = { height, amount: burned };
  }
}
