/**
 * Damage: what this node wrote itself and cannot read any more. It is nobody else's fault, so it is no
 * `ProtocolError`: it must never turn into a verdict on a block, an answer to a client or a penalty for a peer. Whoever
 * meets it passes it on, until the start fails or the node stops.
 */
import { ProtocolError } from '../codec/errors.ts';

export class DatabaseDamage extends Error {
  readonly code = 'DATABASE_CORRUPT';

  constructor(what: string, cause?: unknown) {
    const why = cause instanceof Error ? ` (${cause.message})` : '';
    super(`the database is damaged: ${what}${why}; join the chain again in an empty data directory`, {
      cause,
    });
    this.name = 'DatabaseDamage';
  }
}

/** What `read` makes of stored bytes. Throws `DatabaseDamage` where that throws a `ProtocolError`. */
export function ownData<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ProtocolError) throw new DatabaseDamage(`${what} cannot be read`, error);
    throw error;
  }
}
