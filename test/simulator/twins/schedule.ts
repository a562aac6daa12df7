/**
 * What a scenario of the twins is: for each of the first views a leader and a two-way partition of the machines
 * (Bano et al., *Twins: BFT Systems Made Robust*). Machines 0 … n − 1 are the validators' own; machine n + i is
 * the twin of the i-th validator from the end, a second machine with the same key.
 *
 * The exhaustive suite is four validators, one of them twinned, and three views: five machines have 2⁴ two-way
 * partitions (the one with an empty side, which cuts nothing, among them), times 4 leaders is 64 a view, and
 * 64³ = 262,144 scenarios. Renaming the three honest validators, or swapping the two machines of the twinned one,
 * changes nothing but names: a group of 3! · 2 = 12 renamings, of which each class keeps its least member. By
 * Burnside's lemma that leaves (64³ + 3·16³ + 2·4³ + 32³ + 3·8³ + 2·2³) / 12 = 25,740.
 */
import { Prng } from '../prng.ts';

interface Round {
  readonly leader: number;
  /** Bit m: machine m is on the second side. Bit 0 is never set: the sides have no names. */
  readonly partition: number;
}

export interface Schedule {
  readonly validators: number;
  /** How many of the last validators have a twin. */
  readonly twins: number;
  /** Of views 1, 2, … */
  readonly rounds: readonly Round[];
}

/** The most twins that keep the guilty under a third. */
function twinsOf(validators: number): number {
  return Math.floor((validators - 1) / 3);
}

/** The validator whose key a machine holds. */
export function validatorOf({ validators, twins }: Schedule, machine: number): number {
  return machine < validators ? machine : machine - twins;
}

export function machinesOf({ validators, twins }: Schedule): number {
  return validators + twins;
}

/** Number of scenarios before symmetric ones are taken out. */
export function scenarioCount(validators: number, views: number): number {
  return choices(validators) ** views;
}

/** Two-way partitions times leaders. */
function choices(validators: number): number {
  return partitions(validators) * validators;
}

function partitions(validators: number): number {
  return 2 ** (validators + twinsOf(validators) - 1);
}

/** The scenario with this number, view 1 in its lowest digit. */
export function scheduleOf(validators: number, views: number, index: number): Schedule {
  const rounds: Round[] = [];
  let rest = index;
  for (let view = 1; view <= views; view++) {
    const digit = rest % choices(validators);
    rest = Math.floor(rest / choices(validators));
    rounds.push({ leader: digit % validators, partition: Math.floor(digit / validators) * 2 });
  }
  return { validators, twins: twinsOf(validators), rounds };
}

/** A scenario at random; a seed stands for the same one for ever. */
export function sampledSchedule(validators: number, views: number, seed: number): Schedule {
  const random = new Prng(`twins ${validators} ${views} ${seed}`);
  const rounds = Array.from({ length: views }, () => ({
    leader: random.int(0, validators - 1),
    partition: random.int(0, partitions(validators) - 1) * 2,
  }));
  return { validators, twins: twinsOf(validators), rounds };
}

/** All orders of `items`. */
function orders(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((first) =>
    orders(items.filter((other) => other !== first)).map((rest) => [first, ...rest]),
  );
}

/** For each renaming of machines that keeps the rules, what becomes of each digit. */
function renamings(validators: number): Uint16Array[] {
  const twins = twinsOf(validators);
  const honest = Array.from({ length: validators - twins }, (_, i) => i);
  const guilty = Array.from({ length: twins }, (_, i) => honest.length + i);
  const tables: Uint16Array[] = [];
  for (const honestOrder of orders(honest)) {
    for (const guiltyOrder of orders(guilty)) {
      for (let swaps = 0; swaps < 2 ** twins; swaps++) {
        const validator = [...honestOrder, ...guiltyOrder];
        const machine = [...validator, ...guiltyOrder.map((to) => to + twins)];
        for (let i = 0; i < twins; i++) {
          if ((swaps & (1 << i)) === 0) continue;
          const [own, twin] = [honest.length + i, validators + i];
          [machine[own], machine[twin]] = [machine[twin]!, machine[own]!];
        }
        tables.push(renameDigits(validators, validator, machine));
      }
    }
  }
  return tables;
}

function renameDigits(
  validators: number,
  validator: readonly number[],
  machine: readonly number[],
): Uint16Array {
  const all = 2 ** machine.length - 1;
  return Uint16Array.from({ length: choices(validators) }, (_, digit) => {
    const leader = validator[digit % validators]!;
    const side = Math.floor(digit / validators) * 2;
    let partition = 0;
    machine.forEach((to, from) => {
      if (side & (1 << from)) partition |= 1 << to;
    });
    if (partition & 1) partition ^= all;
    return (partition >> 1) * validators + leader;
  });
}

/** The least scenario of each class of equal ones, ascending; for four validators. */
export function distinctScenarios(validators: number, views: number): Uint32Array {
  const tables = renamings(validators);
  const base = choices(validators);
  const count = scenarioCount(validators, views);
  const kept: number[] = [];
  const digits = new Array<number>(views).fill(0);
  for (let index = 0; index < count; index++) {
    let rest = index;
    for (let at = 0; at < views; at++) {
      digits[at] = rest % base;
      rest = Math.floor(rest / base);
    }
    if (tables.every((table) => !isLess(table, digits))) kept.push(index);
  }
  return Uint32Array.from(kept);
}

/** Whether the renamed scenario has a lower number. */
function isLess(table: Uint16Array, digits: readonly number[]): boolean {
  for (let at = digits.length - 1; at >= 0; at--) {
    const renamed = table[digits[at]!]!;
    if (renamed !== digits[at]) return renamed < digits[at]!;
  }
  return false;
}

/** "3 | 0 1 4 / 2 3" a view: the leader, then the two sides. */
export function describeSchedule(schedule: Schedule): string {
  const machines = Array.from({ length: machinesOf(schedule) }, (_, machine) => machine);
  const side = (partition: number, second: boolean): string =>
    machines.filter((machine) => ((partition >> machine) & 1) === (second ? 1 : 0)).join(' ');
  return schedule.rounds
    .map(({ leader, partition }) => `${leader} | ${side(partition, false)} / ${side(partition, true)}`)
    .join('; ');
}
