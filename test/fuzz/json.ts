/** Changes of JSON that know what they change: values of another kind or beyond their bounds, keys that are gone, double or strange. */
import { type Bytes, utf8 } from '../../src/codec/bytes.ts';
import type { Change } from './packed.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const VALUES: readonly Json[] = [
  ...[null, true, false, 0, -0, -1, 1, 2, 0.5, 1e3, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 53 - 1, 1e308],
  ...[
    '',
    '0',
    '-1',
    '1.5',
    '1e3',
    ' 1',
    '٣',
    '18446744073709551615',
    '18446744073709551616',
    'a'.repeat(300),
    '\u0000',
  ],
  ...[
    '\ud800',
    'kry1',
    '00',
    'ab'.repeat(32),
    'AB'.repeat(32),
    '__proto__',
    '/ip4/1.2.3.4/tcp/1',
    '[object Object]',
  ],
  [],
  {},
  [[]],
  [null],
  { length: 1e9 },
];
const KEYS: readonly string[] = [
  '__proto__',
  'constructor',
  'toString',
  '',
  'length',
  'a',
  '0',
  'then',
  'version',
];

interface Place {
  readonly holder: Json[] | { [key: string]: Json };
  readonly key: string;
}

function at({ holder, key }: Place): Json {
  return (holder as Record<string, Json>)[key] as Json;
}

/** Always as an own field, whatever its name. */
function put({ holder, key }: Place, value: Json): void {
  if (Array.isArray(holder) && !/^\d+$/.test(key)) return void holder.push(value);
  Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true });
}

function places(root: { root: Json }): Place[] {
  const out: Place[] = [];
  const visit = (place: Place): void => {
    const value = at(place);
    if (value === undefined) return;
    out.push(place);
    if (typeof value !== 'object' || value === null) return;
    for (const key of Object.keys(value)) visit({ holder: value, key });
  };
  visit({ holder: root, key: 'root' });
  return out;
}

const clone = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

type Deed = (place: Place, a: number, b: number, other: readonly Place[]) => void;

const DEEDS: readonly Deed[] = [
  (place, a) => put(place, clone(VALUES[a % VALUES.length]!)),
  ({ holder, key }) => {
    if (Array.isArray(holder)) holder.splice(Number(key), 1);
    else delete holder[key];
  },
  (place, a) => put({ ...place, key: KEYS[a % KEYS.length]! }, clone(at(place))),
  (place, a, b) => {
    const value = at(place);
    if (typeof value === 'number') put(place, a % 2 === 0 ? value + 1 + (b % 3) : value * 10 ** (b % 20));
    else if (typeof value === 'string') {
      const cut = a % (value.length + 1);
      put(place, b % 2 === 0 ? value.slice(0, cut) : value.slice(0, cut) + value.slice(cut).toUpperCase());
    } else if (Array.isArray(value))
      for (let i = a % 300; i > 0; i--) value.push(clone(value[b % value.length] ?? 0));
  },
  (place, a, _b, other) => put(place, clone(at(other[a % other.length]!))),
  (place) => put(place, [clone(at(place))]),
  (place) => put(place, JSON.stringify(at(place))),
];

export const JSON_CHANGES = DEEDS.length;

function parse(bytes: Bytes): { root: Json } | undefined {
  try {
    return { root: JSON.parse(new TextDecoder().decode(bytes)) as Json };
  } catch {
    return undefined;
  }
}

/** `seed`, if it is JSON, with the changes made to it; values may be taken from `other`. */
export function changeJson(seed: Bytes, other: Bytes, changes: readonly Change[]): Bytes {
  const root = changes.length === 0 ? undefined : parse(seed);
  if (root === undefined) return seed;
  const theirs = places(parse(other) ?? { root: null });
  for (const [what, where, a, b] of changes) {
    const all = places(root);
    if (all.length === 0 || all.length > 5_000) break;
    DEEDS[what % DEEDS.length]!(all[where % all.length]!, a, b, theirs);
  }
  return root.root === undefined ? utf8('') : utf8(JSON.stringify(root.root, null, changes.length % 3));
}
