/**
 * Changes of MessagePack that know what they change: fields are swapped, doubled, left out, taken from another value,
 * integers go to where types end, and every count and length around them is right again. Byte strings that hold
 * MessagePack themselves are opened. What comes out is canonical; bytes.ts breaks that afterwards.
 */
import { type Bytes, concat, U64_MAX } from '../../src/codec/bytes.ts';

type Item =
  | { readonly kind: 'nil' }
  | { readonly kind: 'integer'; value: bigint }
  | { readonly kind: 'bin'; bytes: Bytes }
  /** A byte string that holds one value. */
  | { readonly kind: 'within'; item: Item }
  | { readonly kind: 'array'; items: Item[] };

/** A change as data, so that it shrinks: what, where, and two numbers that the kind of change makes sense of. */
export type Change = readonly [what: number, where: number, a: number, b: number];

interface Parsed {
  /** Bytes before the value: the type of an envelope and suchlike, or nothing. */
  readonly prefix: Bytes;
  readonly item: Item;
}

const DEEPEST = 16;
const MOST_ITEMS = 20_000;
const LONGEST_PREFIX = 2;

class Parser {
  readonly #bytes: Bytes;
  #at: number;
  #items = 0;

  constructor(bytes: Bytes, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  #number(width: number): bigint | undefined {
    if (this.#at + width > this.#bytes.length) return undefined;
    let value = 0n;
    for (let i = 0; i < width; i++) value = (value << 8n) | BigInt(this.#bytes[this.#at + i]!);
    this.#at += width;
    return value;
  }

  item(depth = 0): Item | undefined {
    const tag = this.#bytes[this.#at++];
    if (tag === undefined || depth > DEEPEST || ++this.#items > MOST_ITEMS) return undefined;
    if (tag === 0xc0) return { kind: 'nil' };
    if (tag < 0x80) return { kind: 'integer', value: BigInt(tag) };
    if (tag >= 0xcc && tag <= 0xcf) {
      const value = this.#number(1 << (tag - 0xcc));
      return value === undefined ? undefined : { kind: 'integer', value };
    }
    if (tag >= 0xc4 && tag <= 0xc6) return this.#bin(this.#number(1 << (tag - 0xc4)), depth);
    if ((tag & 0xf0) === 0x90) return this.#array(BigInt(tag & 15), depth);
    if (tag === 0xdc || tag === 0xdd) return this.#array(this.#number(tag === 0xdc ? 2 : 4), depth);
    return undefined;
  }

  #bin(length: bigint | undefined, depth: number): Item | undefined {
    if (length === undefined || BigInt(this.#bytes.length - this.#at) < length) return undefined;
    const bytes = this.#bytes.subarray(this.#at, this.#at + Number(length));
    this.#at += Number(length);
    const first = bytes[0] ?? 0;
    if ((first & 0xf0) === 0x90 && bytes.length > 1) {
      const inner = new Parser(bytes, 0);
      const item = inner.item(depth + 1);
      if (item !== undefined && inner.atEnd) return { kind: 'within', item };
    }
    return { kind: 'bin', bytes };
  }

  #array(count: bigint | undefined, depth: number): Item | undefined {
    if (count === undefined || BigInt(this.#bytes.length - this.#at) < count) return undefined;
    const items: Item[] = [];
    for (let left = count; left > 0n; left--) {
      const item = this.item(depth + 1);
      if (item === undefined) return undefined;
      items.push(item);
    }
    return { kind: 'array', items };
  }
}

/** What the bytes say, behind at most two bytes of envelope; undefined when they are no MessagePack of ours. */
function parse(bytes: Bytes): Parsed | undefined {
  for (let at = 0; at <= LONGEST_PREFIX; at++) {
    const parser = new Parser(bytes, at);
    const item = parser.item();
    if (item !== undefined && parser.atEnd && (at === 0 || item.kind === 'array'))
      return { prefix: bytes.subarray(0, at), item };
  }
  return undefined;
}

function form(tag: number, width: number, value: bigint): Bytes {
  const out = new Uint8Array(1 + width);
  out[0] = tag;
  for (let i = width, rest = value; i > 0; i--, rest >>= 8n) out[i] = Number(rest & 0xffn);
  return out;
}

function shortest(value: bigint, forms: readonly (readonly [tag: number, width: number])[]): Bytes {
  const [tag, width] = forms.find(([, bytes]) => value < 1n << BigInt(8 * bytes)) ?? forms.at(-1)!;
  return form(tag, width, value);
}

const INTEGER = [
  [0xcc, 1],
  [0xcd, 2],
  [0xce, 4],
  [0xcf, 8],
] as const;
const BIN = [
  [0xc4, 1],
  [0xc5, 2],
  [0xc6, 4],
] as const;
const ARRAY = [
  [0xdc, 2],
  [0xdd, 4],
] as const;

function write(item: Item): Bytes {
  switch (item.kind) {
    case 'nil':
      return Uint8Array.of(0xc0);
    case 'integer':
      return item.value < 0x80n ? Uint8Array.of(Number(item.value)) : shortest(item.value, INTEGER);
    case 'within':
      return write({ kind: 'bin', bytes: write(item.item) });
    case 'bin':
      return concat(shortest(BigInt(item.bytes.length), BIN), item.bytes);
    case 'array': {
      const count = item.items.length;
      const head = count < 16 ? Uint8Array.of(0x90 | count) : shortest(BigInt(count), ARRAY);
      return concat(head, ...item.items.map(write));
    }
  }
}

function copy(item: Item): Item {
  if (item.kind === 'array') return { kind: 'array', items: item.items.map(copy) };
  if (item.kind === 'within') return { kind: 'within', item: copy(item.item) };
  return { ...item };
}

/** Where an item stands, so that another can be put there. */
interface Place {
  readonly item: Item;
  readonly put: (item: Item) => void;
  /** The array that it is in, and where. */
  readonly siblings: Item[] | undefined;
  readonly index: number;
}

function places(root: { item: Item }): Place[] {
  const out: Place[] = [];
  const visit = (place: Place): void => {
    out.push(place);
    const { item } = place;
    if (item.kind === 'within') {
      visit({
        item: item.item,
        put: (other) => {
          item.item = other;
        },
        siblings: undefined,
        index: 0,
      });
    } else if (item.kind === 'array') {
      item.items.forEach((child, index) => {
        visit({
          item: child,
          put: (other) => {
            item.items[index] = other;
          },
          siblings: item.items,
          index,
        });
      });
    }
  };
  visit({
    item: root.item,
    put: (other) => {
      root.item = other;
    },
    siblings: undefined,
    index: 0,
  });
  return out;
}

/** Where types, bounds and shifts end. */
export const BOUNDARIES: readonly bigint[] = [
  ...[0n, 1n, 2n, 3n, 4n, 127n, 128n, 255n, 256n, 511n, 512n, 1_023n, 1_024n, 4_095n, 4_096n],
  ...[
    32_767n,
    32_768n,
    65_535n,
    65_536n,
    1n << 24n,
    (1n << 31n) - 1n,
    1n << 31n,
    (1n << 32n) - 1n,
    1n << 32n,
  ],
  ...[(1n << 48n) - 1n, (1n << 53n) - 1n, 1n << 53n, (1n << 63n) - 1n, 1n << 63n, U64_MAX - 1n, U64_MAX],
];

function resized(bytes: Bytes, a: number, b: number): Bytes {
  if (b % 2 === 0) return bytes.slice(0, a % (bytes.length + 1));
  return concat(bytes, new Uint8Array(1 + (a % 70)).fill(b & 0xff));
}

type Deed = (place: Place, a: number, b: number, all: readonly Place[], other: readonly Item[]) => void;

const DEEDS: readonly Deed[] = [
  ({ put }, a) => put({ kind: 'integer', value: BOUNDARIES[a % BOUNDARIES.length]! }),
  ({ item, put }, a) => {
    if (item.kind !== 'integer') return put({ kind: 'nil' });
    const by = BigInt(1 + (a % 3));
    put({
      kind: 'integer',
      value: a % 2 === 0 && item.value >= by ? item.value - by : (item.value + by) & U64_MAX,
    });
  },
  ({ siblings, index }) => void siblings?.splice(index, 1),
  ({ siblings, index, item }, a) => {
    if (siblings === undefined) return;
    const at = a % 2 === 0 ? index + 1 : a % (siblings.length + 1);
    siblings.splice(at, 0, copy(item));
  },
  ({ item, put }, a, _b, all) => {
    const other = all[a % all.length]!;
    const [mine, theirs] = [copy(item), copy(other.item)];
    put(theirs);
    other.put(mine);
  },
  // Of two neighbours each takes the other's place.
  ({ siblings, index }, a) => {
    if (siblings === undefined || siblings.length < 2) return;
    const to = a % siblings.length;
    [siblings[index], siblings[to]] = [siblings[to]!, siblings[index]!];
  },
  ({ put }, a, _b, _all, other) => {
    if (other.length > 0) put(copy(other[a % other.length]!));
  },
  ({ item, put }, a, b) => {
    if (item.kind === 'bin') put({ kind: 'bin', bytes: resized(item.bytes, a, b) });
    else if (item.kind === 'within') put({ kind: 'bin', bytes: resized(write(item.item), a, b) });
    else if (item.kind === 'array') item.items.splice(a % (item.items.length + 1));
  },
  ({ item, put }, a, b) => {
    if (item.kind !== 'bin' || item.bytes.length === 0) return;
    const bytes = item.bytes.slice();
    bytes[a % bytes.length]! ^= 1 << (b % 8);
    put({ kind: 'bin', bytes });
  },
  ({ put }, a) => {
    const empty: readonly Item[] = [
      { kind: 'nil' },
      { kind: 'bin', bytes: new Uint8Array(0) },
      { kind: 'array', items: [] },
    ];
    put(copy(empty[a % empty.length]!));
  },
  // A list becomes long: a few items, many times.
  ({ item }, a) => {
    if (item.kind !== 'array' || item.items.length === 0) return;
    const first = item.items[a % item.items.length]!;
    for (let i = 1 + (a % 300); i > 0; i--) item.items.push(copy(first));
  },
  ({ item, put }, a) => {
    if (item.kind === 'within') put(a % 2 === 0 ? item.item : { kind: 'bin', bytes: write(item.item) });
    else put({ kind: 'within', item: { kind: 'array', items: [copy(item)] } });
  },
];

export const PACKED_CHANGES = DEEDS.length;

const parsed = new WeakMap<Bytes, Parsed | null>();

function known(bytes: Bytes): Parsed | undefined {
  let held = parsed.get(bytes);
  if (held === undefined) {
    held = parse(bytes) ?? null;
    parsed.set(bytes, held);
  }
  return held ?? undefined;
}

/** `seed` with the changes made to it one after the other; fields may be taken from `other`. */
export function changePacked(seed: Bytes, other: Bytes, changes: readonly Change[]): Bytes {
  const held = known(seed);
  if (held === undefined || changes.length === 0) return seed;
  const root = { item: copy(held.item) };
  const from = known(other);
  const items = from === undefined ? [] : places({ item: from.item }).map(({ item }) => item);
  for (const [what, where, a, b] of changes) {
    const all = places(root);
    if (all.length > MOST_ITEMS) break;
    DEEDS[what % DEEDS.length]!(all[where % all.length]!, a, b, all, items);
  }
  return concat(held.prefix, write(root.item));
}
