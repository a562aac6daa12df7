/**
 * One process a data directory, and one a consensus key on this machine. A lock is a local socket that the
 * process listens on, so it goes when the process goes, whatever ends it: on Linux in the abstract namespace
 * and on Windows as a named pipe, where nothing is left behind; elsewhere as a socket file in a folder of the
 * user's, where a file that nobody answers on is stale and is replaced. Who holds a lock says so to whoever
 * connects, for the message. Containers with networks of their own do not see each other's abstract sockets:
 * for a data directory the database's own lock stands behind this one.
 */
import { createHash, randomBytes } from 'node:crypto';
import { realpath, rm, stat } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import type { Bytes } from '../../codec/bytes.ts';
import { ProtocolError } from '../../codec/errors.ts';
import { makeDirectory } from '../../system/directory.ts';

export interface Lock {
  release(): Promise<void>;
}

/** Where the sockets live: `file` works everywhere but on Windows, the others leave nothing behind. */
export type LockPlace = 'abstract' | 'pipe' | { readonly folder: string };

const holderSchema = z.object({ pid: z.number().int(), directory: z.string().max(4_096), token: z.string() });
type Holder = z.infer<typeof holderSchema>;

const PROBE_MS = 1_000;
const MAX_ANSWER = 8_192;
const TRIES = 5;
/** After a stale file was replaced: how long until nobody else can still be about to do the same. */
const SETTLE_MS = 200;

function defaultPlace(): LockPlace {
  if (process.platform === 'linux') return 'abstract';
  if (process.platform === 'win32') return 'pipe';
  return { folder: join(tmpdir(), `kryder-${userInfo().uid}`) };
}

function addressOf(name: string, place: LockPlace): string {
  if (place === 'abstract') return `\0kryder/${name}`;
  if (place === 'pipe') return `\\\\.\\pipe\\kryder-${name}`;
  return join(place.folder, `${name.slice(0, 24)}.lock`);
}

function listen(address: string, holder: Holder): Promise<Server | undefined> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end(JSON.stringify(holder));
    socket.resume();
    setTimeout(() => socket.destroy(), PROBE_MS).unref();
  });
  server.maxConnections = 16;
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen({ path: address, exclusive: true }, () => {
      server.unref();
      server.on('error', () => {});
      resolve(server);
    });
  });
}

type Probe = { readonly state: 'gone' } | { readonly state: 'held'; readonly holder: Holder | undefined };

/** Whether anybody listens there, and who. */
function probe(address: string): Promise<Probe> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ path: address });
    const held = (): void => {
      socket.destroy();
      let holder: Holder | undefined;
      try {
        holder = holderSchema.parse(JSON.parse(text));
      } catch {
        holder = undefined;
      }
      resolve({ state: 'held', holder });
    };
    socket.setTimeout(PROBE_MS, held);
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > MAX_ANSWER) held();
    });
    socket.on('end', held);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve({ state: 'gone' });
      else held();
    });
  });
}

/**
 * Takes the lock `name` (hex) for this process and `directory`. Where another holds it, `inUse` makes the
 * error; its argument says who, as far as that is known.
 */
export async function takeLock(
  name: string,
  directory: string,
  inUse: (who: string) => ProtocolError,
  place: LockPlace = defaultPlace(),
): Promise<Lock> {
  const holder: Holder = { pid: process.pid, directory, token: randomBytes(8).toString('hex') };
  const address = addressOf(name, place);
  const isFile = typeof place === 'object';
  if (isFile) await makeDirectory(place.folder);
  let replaced = false;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const server = await listen(address, holder);
    if (server === undefined) {
      const found = await probe(address);
      if (found.state === 'held') throw inUse(describe(found.holder));
      if (isFile) {
        await rm(address, { force: true });
        replaced = true;
      }
      continue;
    }
    if (replaced) {
      // Another process may have found the same stale file and replaced ours: the last one has it.
      await delay(SETTLE_MS);
      const now = await probe(address);
      const other = now.state === 'held' && now.holder?.token !== holder.token;
      // Closing would remove the other's file; an unused socket that nothing waits for goes with the process.
      if (other) throw inUse(describe(now.holder));
    }
    return { release: () => new Promise((done) => server.close(() => done())) };
  }
  throw inUse(describe(undefined));
}

function describe(holder: Holder | undefined): string {
  return holder === undefined
    ? 'another process'
    : `process ${holder.pid}, with data directory "${holder.directory}",`;
}

function nameOf(what: string, ...parts: readonly (string | Bytes)[]): string {
  const hash = createHash('sha256').update(`kryder/lock/${what}\0`);
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/** Throws `DATA_DIRECTORY_IN_USE` while another process works on the directory, and `DATA_DIRECTORY` without one. */
export async function lockDataDirectory(path: string): Promise<Lock> {
  const real = await realpath(path).catch(() => {
    throw new ProtocolError('DATA_DIRECTORY', `${path} is missing; make a data directory with "kryder init"`);
  });
  // Device and inode: the same directory under two names, or mounted twice, is one.
  const { dev, ino } = await stat(real, { bigint: true });
  return takeLock(
    nameOf('directory', `${dev}:${ino}`),
    real,
    (who) =>
      new ProtocolError(
        'DATA_DIRECTORY_IN_USE',
        `${who} uses the data directory ${path}; stop it first, or choose another directory`,
      ),
  );
}

/** Throws `CONSENSUS_KEY_IN_USE` while another process on this machine votes with the key of this seed. */
export function lockConsensusKey(seed: Bytes, directory: string): Promise<Lock> {
  // The name comes from the secret: nobody without the key can take the lock first.
  return takeLock(
    nameOf('consensus', seed),
    directory,
    (who) =>
      new ProtocolError(
        'CONSENSUS_KEY_IN_USE',
        `${who} votes with this consensus key: two that do would sign twice and be punished; stop it first, ` +
          'and move its history with "kryder keys history export" and "import" if the validator shall be here',
      ),
  );
}
