/**
 * The ledger's rules a second time, as plainly as they can be put: maps and loops over decoded transactions, no
 * tree, no overlays, nothing shared with src/ledger but the hashes of ids. Histories in history.test.ts hold
 * the two against each other.
 */
import { type Bytes, toHex } from '../../src/codec/bytes.ts';
import type { ChainParameters } from '../../src/ledger/parameters.ts';
import type { CheckedTransaction } from '../../src/tx/check.ts';
import { bountyId, bountyTagHash } from '../../src/tx/encode.ts';
import {
  type ClaimsBody,
  KIND_CLAIMS,
  OUTPUT_ADVERT,
  OUTPUT_BOUNTY,
  OUTPUT_PAY,
  type TransferBody,
} from '../../src/tx/types.ts';

export interface ModelBounty {
  readonly tagHash: string;
  readonly id: string;
  readonly claimKey: string;
  readonly payee: string | undefined;
  readonly amount: bigint;
  readonly claimFrom: number;
  readonly claimUntil: number;
  readonly refundTo: string;
  status: 'open' | 'claimed' | 'expired';
  closedAt: number;
}

export class Model {
  readonly #p: ChainParameters;
  readonly balances = new Map<string, bigint>();
  bounties: ModelBounty[] = [];
  feePool = 0n;
  burned = 0n;
  readonly #seen = new Set<string>();
  #height = 0;
  #room = 0;
  #ordinaryRoom = 0;

  constructor(parameters: ChainParameters, balances: Iterable<readonly [Bytes, bigint]>) {
    this.#p = parameters;
    for (const [address, amount] of balances) this.balances.set(toHex(address), amount);
  }

  #give(address: string, amount: bigint): void {
    this.balances.set(address, (this.balances.get(address) ?? 0n) + amount);
  }

  /** The first `quota` bounties for which `due` gives a height that has come, in the order of the queue. */
  #due(due: (b: ModelBounty) => number | undefined): ModelBounty[] {
    const order = (b: ModelBounty): string => `${String(due(b)).padStart(20, '0')}/${b.tagHash}/${b.id}`;
    const ordinary = Math.floor((this.#p.maxBlockBytes * 3) / 4);
    const quota = Math.ceil(ordinary / 142);
    return this.bounties
      .filter((b) => (due(b) ?? Number.POSITIVE_INFINITY) <= this.#height)
      .sort((a, b) => (order(a) < order(b) ? -1 : 1))
      .slice(0, quota);
  }

  beginBlock(): void {
    this.#height++;
    this.#room = this.#p.maxBlockBytes;
    this.#ordinaryRoom = Math.floor((this.#p.maxBlockBytes * 3) / 4);
    const over = this.#due((b) => (b.status === 'open' ? undefined : b.closedAt + this.#p.closedLifetime));
    const expired = this.#due((b) => (b.status === 'open' ? b.claimUntil : undefined));
    for (const b of over) this.#give(b.refundTo, this.#p.bountyDeposit);
    this.bounties = this.bounties.filter((b) => !over.includes(b));
    for (const b of expired) {
      const burn = (b.amount * BigInt(this.#p.unclaimedBurnPpm)) / 1_000_000n;
      this.burned += burn;
      this.#give(b.refundTo, b.amount - burn);
      b.status = 'expired';
      b.closedAt = this.#height;
    }
  }

  /** 'ok' after taking the transaction in, or why it is refused. */
  transaction(tx: CheckedTransaction): string {
    const { body } = tx.decode();
    const claims = body.kind === KIND_CLAIMS;
    const size = tx.bytes.length;
    const mark = claims
      ? `claims ${toHex(tx.id)}`
      : `${toHex(body.inputs[0]!.address)} ${toHex(body.salt)} ${body.validUntil}`;
    if (body.validUntil < this.#height) return 'TX_EXPIRED';
    if (body.validUntil - this.#height > this.#p.txLifetime) return 'TX_TOO_FAR';
    if (size > this.#room || (!claims && size > this.#ordinaryRoom)) return 'BLOCK_FULL';
    if (this.#seen.has(mark)) return 'TX_REPLAY';
    const verdict = claims ? this.#claims(body) : this.#transfer(body, tx.id, size);
    if (verdict !== 'ok') return verdict;
    this.#seen.add(mark);
    this.#room -= size;
    if (!claims) this.#ordinaryRoom -= size;
    return 'ok';
  }

  #transfer(body: TransferBody, id: Bytes, size: number): string {
    const p = this.#p;
    const h = this.#height;
    if (body.fee < BigInt(size) * p.baseFee) return 'TX_FEE_LOW';
    for (const output of body.outputs) {
      if (output.type !== OUTPUT_BOUNTY) continue;
      const burn = (output.amount * BigInt(p.unclaimedBurnPpm)) / 1_000_000n;
      if (output.amount - burn - p.claimFee < p.accountDeposit) return 'TX_BOUNTY_AMOUNT';
      const opens = Math.max(h, output.claimFrom);
      if (output.claimUntil - opens < p.leastClaimWindow) return 'TX_BOUNTY_WINDOW';
      if (output.claimUntil - h > p.longestClaimUntil) return 'TX_BOUNTY_TOO_FAR';
    }
    const result = new Map<string, bigint>();
    for (const { address, amount } of body.inputs) {
      const has = this.balances.get(toHex(address)) ?? 0n;
      if (has < amount) return 'TX_OVERSPENT';
      result.set(toHex(address), has - amount);
    }
    for (const output of body.outputs) {
      if (output.type !== OUTPUT_PAY) continue;
      const to = toHex(output.to);
      result.set(to, (result.get(to) ?? this.balances.get(to) ?? 0n) + output.amount);
    }
    for (const [address, balance] of result) {
      if (balance < p.accountDeposit && !this.balances.has(address)) return 'TX_DUST';
    }
    for (const [address, balance] of result) {
      if (balance >= p.accountDeposit) this.balances.set(address, balance);
      else {
        this.balances.delete(address);
        this.feePool += balance;
      }
    }
    this.feePool += body.fee;
    body.outputs.forEach((output, index) => {
      if (output.type === OUTPUT_ADVERT) {
        const burn = (p.advertFee * BigInt(p.advertBurnPpm)) / 1_000_000n;
        this.burned += burn;
        this.feePool += p.advertFee - burn;
      } else if (output.type === OUTPUT_BOUNTY) {
        this.bounties.push({
          tagHash: toHex(bountyTagHash(output.tag)),
          id: toHex(bountyId(id, index)),
          claimKey: toHex(output.claimKey),
          payee: output.payee === undefined ? undefined : toHex(output.payee),
          amount: output.amount,
          claimFrom: output.claimFrom,
          claimUntil: output.claimUntil,
          refundTo: toHex(output.refundTo),
          status: 'open',
          closedAt: 0,
        });
      }
    });
    return 'ok';
  }

  #claims(body: ClaimsBody): string {
    const open: [ModelBounty, string][] = [];
    const reasons: string[] = [];
    for (const claim of body.claims) {
      const tagHash = toHex(bountyTagHash(claim.tag));
      const b = this.bounties.find((one) => one.tagHash === tagHash && one.id === toHex(claim.bountyId));
      const to = toHex(claim.destination);
      if (b === undefined) reasons.push('BOUNTY_UNKNOWN');
      else if (b.status !== 'open') reasons.push('BOUNTY_CLOSED');
      else if (b.claimKey !== toHex(claim.claimKey)) reasons.push('CLAIM_KEY_MISMATCH');
      else if (b.payee !== undefined && b.payee !== to) reasons.push('CLAIM_PAYEE_MISMATCH');
      else if (b.claimUntil <= this.#height) reasons.push('BOUNTY_EXPIRED');
      else if (b.claimFrom > this.#height) reasons.push('BOUNTY_NOT_YET');
      else open.push([b, to]);
    }
    if (open.length < reasons.length) return reasons[0]!;
    for (const [b, to] of open) {
      this.#give(to, b.amount - this.#p.claimFee);
      this.feePool += this.#p.claimFee;
      b.status = 'claimed';
      b.closedAt = this.#height;
    }
    return 'ok';
  }
}
