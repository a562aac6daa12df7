/**
 * Turns names into addresses when they are dialled, anew at every dial. The system's resolver has few threads and may
 * take its time, and other hosts choose the names in their records: so lookups of one name share one question, few
 * questions are under way at a time, and addresses that the deny list names are left out.
 */
import { type LookupAddress, lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { plainIp } from './addresses.ts';

const MAX_UNDER_WAY = 16;

/** All addresses of a name. */
export type Resolve = (name: string) => Promise<readonly LookupAddress[]>;

const ofTheSystem: Resolve = (name) =>
  new Promise((resolve, reject) => {
    lookup(name, { all: true }, (error, found) => {
      if (error === null) resolve(found);
      else reject(error);
    });
  });

export interface ResolverOptions {
  readonly denies: (ip: string) => boolean;
  readonly resolve?: Resolve | undefined;
}

export class Resolver {
  readonly #options: ResolverOptions;
  readonly #underWay = new Map<string, Promise<readonly LookupAddress[]>>();
  refused = 0;

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  /** Fits `net.connect`. */
  readonly lookup: LookupFunction = (name, options, callback) => {
    this.#ask(name).then(
      (found) => {
        const wanted = found.filter(
          ({ address, family }) =>
            (options.family !== 4 || family === 4) &&
            (options.family !== 6 || family === 6) &&
            !this.#options.denies(plainIp(address)),
        );
        const [first] = wanted;
        if (first === undefined) callback(failure('ENOTFOUND', `${name} has no address to dial`), '', 0);
        else if (options.all === true) callback(null, wanted);
        else callback(null, first.address, first.family);
      },
      (error: unknown) => {
        callback(error instanceof Error ? error : failure('ENOTFOUND', String(error)), '', 0);
      },
    );
  };

  #ask(name: string): Promise<readonly LookupAddress[]> {
    const asked = this.#underWay.get(name);
    if (asked !== undefined) return asked;
    if (this.#underWay.size >= MAX_UNDER_WAY) {
      this.refused++;
      return Promise.reject(failure('EBUSY', 'too many names are being looked up'));
    }
    const question = (this.#options.resolve ?? ofTheSystem)(name).finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, question);
    return question;
  }
}

function failure(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code });
}
