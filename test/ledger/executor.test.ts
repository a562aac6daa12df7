import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/codec/bytes.ts';
import { isProtocolError } from '../../src/codec/errors.ts';
import { applyBlock, BlockExecutor } from '../../src/ledger/executor.ts';
import { readFeePool, readParameters, readSupply, readValidators } from '../../src/ledger/read.ts';
import type { CheckedTransaction } from '../../src/tx/check.ts';
import { advert, bounty, codeOf, named, PARAMETERS, pay, TestChain, transfer } from './support.ts';

const DEPOSIT = PARAMETERS.accountDeposit;
const rich = [
  { name: 'owner', amount: 10_000_000n },
  { name: 'other', amount: 1_000_000n },
];

describe('heights', () => {
  it('bound validUntil on both sides', () => {
    const chain = new TestChain();
    chain.until(20);
    const at = (validUntil: number): string => chain.verdict(transfer({ from: 'owner', validUntil }));
    expect(at(20)).toBe('TX_EXPIRED');
    expect(at(21)).toBe('ok');
    expect(at(31)).toBe('ok');
    expect(at(32)).toBe('TX_TOO_FAR');
  });
});

describe('replay', () => {
  it('is refused to the last height of a transaction, in its own block and later', () => {
    const chain = new TestChain();
    const tx = transfer({ from: 'owner', validUntil: 8 });
    expect(chain.verdict(tx, tx)).toBe('TX_REPLAY');
    chain.block(tx);
    expect(chain.verdict(tx)).toBe('TX_REPLAY');
    chain.until(7);
    expect(chain.verdict(tx)).toBe('TX_REPLAY');
    chain.until(8);
    expect(chain.verdict(tx)).toBe('TX_EXPIRED');
    expect(chain.replay.size).toBe(0);
  });

  it('includes whatever shares first address, salt and validUntil', () => {
    const chain = new TestChain({ accounts: rich });
    const salt = new Uint8Array(8).fill(7);
    const first = transfer({ from: 'owner', validUntil: 9, salt, outputs: [pay('x', DEPOSIT)] });
    const dearer = transfer({
      from: 'owner',
      validUntil: 9,
      salt,
      outputs: [pay('x', DEPOSIT)],
      fee: 9_999n,
    });
    chain.block(first);
    expect(chain.verdict(dearer)).toBe('TX_REPLAY');
    expect(chain.verdict(transfer({ from: 'owner', validUntil: 10, salt }))).toBe('ok');
    expect(chain.verdict(transfer({ from: 'other', validUntil: 9, salt }))).toBe('ok');
  });

  it('follows the fork: what only a rival holds is no replay', () => {
    const chain = new TestChain();
    const tx = transfer({ from: 'owner', validUntil: 8 });
    const a = applyBlock(chain.state, chain.next, [tx]);
    const b = applyBlock(chain.state, chain.next, []);
    const on = (state: typeof a.state, keys: typeof a.replayKeys): string =>
      codeOf(() => applyBlock(state, { ...chain.next, height: 2, replay: chain.replay.child(keys) }, [tx]));
    expect(on(a.state, a.replayKeys)).toBe('TX_REPLAY');
    expect(on(b.state, b.replayKeys)).toBe('ok');
  });
});

describe('transfers', () => {
  it('move coins and pay the fee into the pool', () => {
    const chain = new TestChain({ accounts: rich });
    const tx = transfer({ from: 'owner', validUntil: 5, outputs: [pay('new', 50_000n), pay('other', 7n)] });
    chain.block(tx);
    expect(chain.balance('owner')).toBe(10_000_000n - 50_007n - tx.fee);
    expect(chain.balance('new')).toBe(50_000n);
    expect(chain.balance('other')).toBe(1_000_007n);
    expect(readFeePool(chain.state)).toBe(tx.fee);
    expect(readSupply(chain.state)).toEqual({ genesis: 17_000_000n, minted: 0n, burned: 0n });
  });

  it('follow one another within a block', () => {
    const chain = new TestChain({ accounts: rich });
    const to = (amount: bigint) => transfer({ from: 'owner', validUntil: 5, outputs: [pay('new', amount)] });
    const onward = transfer({ from: 'new', validUntil: 5, outputs: [pay('newer', 60_000n)] });
    const all = [to(50_000n), to(40_000n), onward, to(1n)];
    expect(chain.verdict(onward, all[0]!)).toBe('TX_OVERSPENT');
    chain.block(...all);
    expect(chain.balance('new')).toBe(90_001n - 60_000n - onward.fee);
    expect(chain.balance('newer')).toBe(60_000n);
    const fees = all[0]!.fee + all[1]!.fee + all[3]!.fee;
    expect(chain.balance('owner')).toBe(10_000_000n - 90_001n - fees);
  });

  it('pay at least the base fee a byte', () => {
    const chain = new TestChain();
    const enough = transfer({ from: 'owner', validUntil: 5 });
    expect(enough.fee).toBe(BigInt(enough.bytes.length));
    expect(chain.verdict(enough)).toBe('ok');
    const less = transfer({ from: 'owner', validUntil: 5, fee: enough.fee - 1n });
    expect(less.bytes.length).toBe(enough.bytes.length);
    expect(chain.verdict(less)).toBe('TX_FEE_LOW');
  });

  it('cannot spend what is not there, nor what they only bring in', () => {
    const chain = new TestChain({ accounts: rich });
    expect(chain.verdict(transfer({ from: 'nobody', validUntil: 5 }))).toBe('TX_OVERSPENT');
    const all = 1_000_000n;
    const spend = (amount: bigint) => [{ address: named('other'), amount }];
    const plan = (amount: bigint) =>
      transfer({ from: 'owner', validUntil: 5, inputs: spend(amount), outputs: [pay('other', 2_000_000n)] });
    expect(chain.verdict(plan(all))).toBe('ok');
    expect(chain.verdict(plan(all + 1n))).toBe('TX_OVERSPENT');
    // Spent in one transaction, gone for the next one of the same block.
    const drain = transfer({
      from: 'owner',
      validUntil: 5,
      inputs: spend(all),
      outputs: [pay('x', 1_500_000n)],
    });
    expect(chain.verdict(plan(1n), drain)).toBe('TX_OVERSPENT');
  });

  it('close an account that they leave under the deposit; the rest goes to the fees', () => {
    const chain = new TestChain({ accounts: [...rich, { name: 'small', amount: 30_000n }] });
    const out = transfer({
      from: 'small',
      validUntil: 5,
      outputs: [pay('new', 10_000n), pay('other', 10_500n)],
    });
    const rest = 30_000n - 20_500n - out.fee;
    expect(rest > 0n && rest < DEPOSIT).toBe(true);
    chain.block(out);
    expect(chain.balance('small')).toBe(0n);
    expect(readFeePool(chain.state)).toBe(out.fee + rest);
    expect(chain.recount().accounts.count).toBe(3);
  });

  it('judge an account by the net result', () => {
    const chain = new TestChain({ accounts: [...rich, { name: 'small', amount: 30_000n }] });
    const back = (amount: bigint) =>
      transfer({
        from: 'owner',
        validUntil: 5,
        inputs: [{ address: named('small'), amount: 30_000n }],
        outputs: [pay('small', amount), pay('other', 30_000n)],
      });
    const kept = back(DEPOSIT);
    chain.block(kept);
    expect(chain.balance('small')).toBe(DEPOSIT);
    const again = new TestChain({ accounts: [...rich, { name: 'small', amount: 30_000n }] });
    const lost = back(DEPOSIT - 1n);
    again.block(lost);
    expect(again.balance('small')).toBe(0n);
    expect(readFeePool(again.state)).toBe(lost.fee + DEPOSIT - 1n);
  });

  it('leave exactly the deposit standing, and close at exactly zero', () => {
    const chain = new TestChain({ accounts: [...rich, { name: 'small', amount: 30_000n }] });
    const probe = transfer({ from: 'small', validUntil: 5, outputs: [pay('other', 19_000n)] });
    chain.block(transfer({ from: 'small', validUntil: 5, outputs: [pay('other', 20_000n - probe.fee)] }));
    expect(chain.balance('small')).toBe(DEPOSIT);
    chain.block(transfer({ from: 'small', validUntil: 5, outputs: [pay('other', DEPOSIT - probe.fee)] }));
    expect(chain.balance('small')).toBe(0n);
    expect(chain.recount().accounts.count).toBe(2);
  });

  it('do not open an account under the deposit, unless payments add up to it', () => {
    const chain = new TestChain({ accounts: rich });
    const to = (...amounts: bigint[]) =>
      transfer({ from: 'owner', validUntil: 5, outputs: amounts.map((amount) => pay('new', amount)) });
    expect(chain.verdict(to(DEPOSIT - 1n))).toBe('TX_DUST');
    expect(chain.verdict(to(DEPOSIT - 1n, 1n))).toBe('ok');
    expect(chain.verdict(to(DEPOSIT))).toBe('ok');
    expect(chain.verdict(to(1n), to(DEPOSIT)), 'an open account takes any amount').toBe('ok');
  });

  it('burn their share of an advert', () => {
    const chain = new TestChain();
    const tx = transfer({ from: 'owner', validUntil: 5, outputs: [advert(), advert()] });
    chain.block(tx);
    expect(readSupply(chain.state).burned).toBe(2n * 5_000n);
    expect(readFeePool(chain.state)).toBe(tx.fee + 2n * 5_001n);
    expect(chain.recount().openBounties.count).toBe(0);
  });
});

describe('space', () => {
  const parameters = { ...PARAMETERS, maxBlockBytes: 2_000 };
  const filler = () =>
    transfer({ from: 'owner', validUntil: 5, outputs: [pay('x', DEPOSIT), pay('y', DEPOSIT)] });

  it('holds 75 % for transactions other than claims', () => {
    const chain = new TestChain({ parameters });
    const executor = new BlockExecutor(chain.state, chain.next);
    executor.begin();
    let code = 'ok';
    let count = 0;
    while (code === 'ok') {
      const tx = filler();
      code = codeOf(() => executor.tryTransaction(tx));
      if (code === 'ok') count++;
    }
    expect(code).toBe('BLOCK_FULL');
    expect(count).toBe(Math.floor(1_500 / filler().bytes.length));
    expect(executor.finish().outcomes.length).toBe(count);
  });

  it('makes an over-full block invalid', () => {
    const chain = new TestChain({ parameters });
    const transactions = Array.from({ length: 20 }, filler);
    expect(codeOf(() => applyBlock(chain.state, chain.next, transactions))).toBe('BLOCK_FULL');
  });
});

describe('blocks', () => {
  it('built and applied give the same state, and a refusal leaves no trace', () => {
    const chain = new TestChain({ accounts: rich });
    const good = [1, 2, 3].map((i) =>
      transfer({ from: 'owner', validUntil: 5, outputs: [pay(`new ${i}`, 50_000n), bounty(), advert()] }),
    );
    const bad: [CheckedTransaction, string][] = [
      [good[0]!, 'TX_REPLAY'],
      [transfer({ from: 'owner', validUntil: 5, fee: 1n }), 'TX_FEE_LOW'],
      [transfer({ from: 'owner', validUntil: 5, outputs: [pay('new 9', 1n)] }), 'TX_DUST'],
      [transfer({ from: 'other', validUntil: 5, outputs: [pay('x', 10n ** 9n)] }), 'TX_OVERSPENT'],
      [transfer({ from: 'owner', validUntil: 5, outputs: [bounty({ claimUntil: 3 })] }), 'TX_BOUNTY_WINDOW'],
    ];
    const executor = new BlockExecutor(chain.state, chain.next);
    executor.begin();
    for (const tx of good) {
      executor.tryTransaction(tx);
      for (const [refused, code] of bad.filter(([, why]) => why !== 'TX_REPLAY' || tx === good[0])) {
        expect(codeOf(() => executor.check(refused))).toBe(code);
        expect(codeOf(() => executor.tryTransaction(refused))).toBe(code);
      }
    }
    const built = executor.finish();
    const applied = applyBlock(chain.state, chain.next, good);
    expect(applied.changes).toEqual(built.changes);
    expect(applied.epochHeadersRoot).toEqual(built.epochHeadersRoot);
    expect(toHex(applied.state.root)).toBe(toHex(chain.state.child(built.changes).root));
    expect(toHex(chain.block(...good).state.root)).toBe(toHex(applied.state.root));
  });

  it('are invalid at their first refusal, which is named', () => {
    const chain = new TestChain();
    const good = transfer({ from: 'owner', validUntil: 5 });
    const nodes = chain.ledger.statistics.nodes;
    let caught: unknown;
    try {
      applyBlock(chain.state, chain.next, [good, good]);
    } catch (error) {
      caught = error;
    }
    expect(isProtocolError(caught, 'TX_REPLAY') && caught.details.index).toBe(1);
    expect(chain.ledger.statistics.nodes, 'nothing is left behind').toBe(nodes);
  });

  it('are found good without being taken in', () => {
    const chain = new TestChain();
    const executor = new BlockExecutor(chain.state, chain.next);
    executor.begin();
    const changes = executor.finish().changes;
    const tx = transfer({ from: 'owner', validUntil: 5, outputs: [bounty(), advert(), pay('x', 50_000n)] });
    executor.check(tx);
    expect(executor.finish().changes).toEqual(changes);
    expect(codeOf(() => executor.tryTransaction(tx))).toBe('ok');
  });

  it('hold the roots of earlier headers, their parent included', () => {
    const chain = new TestChain();
    const roots = [1, 2, 3, 4].map(() => toHex(chain.block().epochHeadersRoot));
    expect(new Set(roots).size).toBe(4);
    expect(roots[0]).toBe('00'.repeat(32));
  });
});

describe('the genesis', () => {
  it('is readable from the state', () => {
    const chain = new TestChain();
    expect(readParameters(chain.state)).toEqual(PARAMETERS);
    expect(readValidators(chain.state)).toEqual(chain.genesis.validators);
    expect(readSupply(chain.state).genesis).toBe(16_000_000n);
  });

  it('cannot hold 2^63', () => {
    const huge = { name: 'owner', amount: (1n << 63n) - 6_000_000n };
    expect(() => new TestChain({ accounts: [huge] })).toThrow(/2\^63/);
    expect(new TestChain({ accounts: [{ ...huge, amount: huge.amount - 1n }] }).balance('owner')).toBe(
      huge.amount - 1n,
    );
  });
});
