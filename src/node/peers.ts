/** What the parts of the node that fetch things need of the network. */
import type { Bytes } from '../codec/bytes.ts';
import type { Offence } from '../p2p/offences.ts';
import type { RequestOptions } from '../p2p/types.ts';

export interface Peers {
  request(peer: string, method: number, payload: Bytes, options: RequestOptions): Promise<Bytes>;
  /** Ready peers. */
  ready(): readonly string[];
  /** The ready peer that is validator `index`. */
  validator(index: number): string | undefined;
  penalise(peer: string, offence: Offence): void;
}
