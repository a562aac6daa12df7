/**
 * How fast one connection may use what libp2p brings along: gossip, the hash table, identify. These libraries read
 * as fast as data comes, and a message that they throw away in the end (a batch seen before, a search, a list of
 * addresses) has been decrypted, decoded and hashed by then. Their streams are therefore paused while the connection
 * is over its rate, as those of the lanes are; the sender then waits for its flow-control window.
 */
import type { Connection, Stream, StreamHandler, StreamHandlerOptions } from '@libp2p/interface';
import { TokenBucket } from './bucket.ts';
import type { ServiceRate } from './limits.ts';
import { setPaused } from './reading.ts';

/** Where a service says which protocols it answers. */
interface Registrar {
  handle(protocol: string, handler: StreamHandler, options?: StreamHandlerOptions): Promise<void>;
}

/** A stream that is so far over the rate is reset: what has piled up would come all at once. */
const MOST_WAIT_MS = 10_000;

/** Lets `stream` be read no faster than `bytes` allows. */
function pace(stream: Stream, bytes: TokenBucket): void {
  let timer: NodeJS.Timeout | undefined;
  stream.addEventListener('message', (event) => {
    const wait = bytes.take(event.data.byteLength);
    if (wait > MOST_WAIT_MS) {
      event.stopImmediatePropagation();
      stream.abort(new Error('too much too fast'));
    } else if (wait > 0 && timer === undefined) {
      setPaused(stream, true);
      timer = setTimeout(() => {
        timer = undefined;
        try {
          if (stream.status === 'open') setPaused(stream, false);
        } catch {
          // its connection is being closed, and the window update found no way out
        }
      }, wait);
      timer.unref();
    }
  });
  stream.addEventListener('close', () => clearTimeout(timer));
}

/** The same service, to which every stream that a peer opens keeps to the rate of its connection. */
export function pacedService<C extends object, S>(
  make: (components: C) => S,
  rate: ServiceRate,
): (components: C) => S {
  return (components) => make(paced(components, rate));
}

function paced<C extends object>(components: C, { bytesPerSecond }: ServiceRate): C {
  const accounts = new WeakMap<Connection, TokenBucket>();
  const accountOf = (connection: Connection): TokenBucket => {
    let account = accounts.get(connection);
    if (account === undefined) {
      account = new TokenBucket(bytesPerSecond, 2 * bytesPerSecond, () => performance.now());
      accounts.set(connection, account);
    }
    return account;
  };
  const watch = (registrar: Registrar): Registrar['handle'] => {
    return (protocol, handler, options) => {
      const slowly: StreamHandler = (stream, connection) => {
        pace(stream, accountOf(connection));
        return handler(stream, connection);
      };
      return registrar.handle(protocol, slowly, options);
    };
  };
  return replacing(components, 'registrar', (registrar) =>
    replacing(registrar as Registrar, 'handle', () => watch(registrar as Registrar)),
  );
}

/** `target` with another value of one property; methods go on being called on `target` itself. */
function replacing<T extends object>(target: T, name: string, change: (value: unknown) => unknown): T {
  return new Proxy(target, {
    get: (object, property) => {
      const value: unknown = Reflect.get(object, property, object);
      if (property === name) return change(value);
      return typeof value === 'function' ? value.bind(object) : value;
    },
  });
}
