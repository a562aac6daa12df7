/**
 * A stream that this host opens and keeps open: one a lane and peer. When it ends while the peer is still there it
 * is opened again, with back-off. It carries data one way unless a reader is given; a peer that writes into a
 * one-way stream commits an offence.
 */
import type { Stream } from '@libp2p/interface';
import { sleep } from './reading.ts';

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;

export interface KeptStreamOptions {
  readonly open: () => Promise<Stream>;
  /** Called with each stream; it is closed when this throws. */
  readonly onOpen: (stream: Stream) => void;
  readonly onClose: () => void;
  readonly onError: (error: unknown) => void;
  /** Present for a one-way stream: the peer wrote into it. */
  readonly onUnexpectedData?: () => void;
}

export class KeptStream {
  readonly #options: KeptStreamOptions;
  #stream: Stream | undefined;
  #stopped = false;

  constructor(options: KeptStreamOptions) {
    this.#options = options;
    void this.#run();
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.abort(new Error('the lane is closed'));
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#stopped; failures++) {
      try {
        const stream = await this.#options.open();
        if (this.#stopped) {
          stream.abort(new Error('the lane is closed'));
          return;
        }
        failures = 0;
        await this.#use(stream);
      } catch (error) {
        if (!this.#stopped) this.#options.onError(error);
      }
      if (this.#stopped) return;
      await sleep(Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures));
    }
  }

  #use(stream: Stream): Promise<void> {
    return new Promise((resolve) => {
      const unexpected = this.#options.onUnexpectedData;
      const done = (): void => {
        stream.removeEventListener('close', done);
        stream.removeEventListener('remoteCloseWrite', done);
        if (unexpected !== undefined) stream.removeEventListener('message', unexpected);
        this.#stream = undefined;
        stream.abort(new Error('the lane has ended'));
        this.#options.onClose();
        resolve();
      };
      stream.addEventListener('close', done);
      stream.addEventListener('remoteCloseWrite', done);
      if (unexpected !== undefined) stream.addEventListener('message', unexpected);
      this.#stream = stream;
      if (stream.status !== 'open') {
        done();
        return;
      }
      try {
        this.#options.onOpen(stream);
      } catch (error) {
        this.#options.onError(error);
        done();
      }
    });
  }
}
