import { expect, it } from 'vitest';
import { PeerChoice } from '../../src/node/peer-choice.ts';

function fixture(random = (): number => 0.5) {
  let time = 1_000;
  const choice = new PeerChoice(() => time, random);
  return {
    choice,
    pass: (ms: number) => {
      time += ms;
    },
  };
}

it('asks who answered lately, and leaves alone who did not answer', () => {
  const { choice, pass } = fixture();
  choice.answered('b', 1, 100);
  choice.failed('c');
  const peers = ['a', 'b', 'c'];
  expect(choice.pick(peers)).toBe('b');
  pass(60_001);
  expect(choice.pick(peers)).not.toBe(undefined);
  choice.failed('b');
  expect(choice.pick(['b', 'a'])).toBe('a');
});

it('tries others than the good ones now and then', () => {
  const { choice } = fixture(() => 0);
  choice.answered('b', 1, 100);
  expect(choice.pick(['a', 'b'])).toBe('a');
});

it('rests longer after each failure, forgives an answer, and asks somebody even when all rest', () => {
  const { choice, pass } = fixture();
  choice.failed('a');
  pass(1);
  choice.failed('b');
  expect(choice.pick(['b', 'a'])).toBe('a');
  pass(5_000);
  choice.failed('a');
  pass(5_001);
  expect(choice.pick(['a', 'b'])).toBe('b');
  choice.answered('a', 1, 100);
  expect(choice.pick(['a', 'b'])).toBe('a');
  expect(choice.pick([])).toBeUndefined();
});

it('remembers a bounded number of peers', () => {
  const { choice } = fixture();
  choice.failed('first');
  for (let i = 0; i < 300; i++) choice.failed(`peer ${i}`);
  expect(choice.pick(['peer 299', 'first'])).toBe('first');
});

it('takes an answer that comes drop by drop for none, and a large one that takes its time for one', () => {
  const { choice } = fixture();
  choice.answered('drop by drop', 1, 19_000);
  expect(choice.pick(['drop by drop', 'a'])).toBe('a');
  choice.answered('large', 400, 19_000);
  expect(choice.pick(['a', 'large'])).toBe('large');
  expect(choice.order(['drop by drop', 'a', 'large'])).toEqual(['a', 'large', 'drop by drop']);
});
