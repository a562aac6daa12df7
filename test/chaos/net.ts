/**
 * The nodes of a run: the compiled command, each in its network namespace. They are told a state to be in (running or
 * not, paused or not, disk full or not) and brought there one step after the other, whatever they were doing. A node
 * that ends although nobody ended it, or that does not come up, is a finding; one whose disk is full may stop, with
 * the status for it, and is started again when there is room.
 */
import { appendFile, cp, mkdir, readFile, rename, rm, statfs, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import type { Genesis, GenesisAccount } from '../../src/chain/genesis.ts';
import { ApiClient } from '../../src/cli/client.ts';
import { EXIT } from '../../src/cli/output.ts';
import { isProtocolError } from '../../src/codec/errors.ts';
import type { ChainParameters } from '../../src/ledger/parameters.ts';
import { readGenesisFile } from '../../src/node/data-directory.ts';
import { Child } from '../../src/story/child.ts';
import { createDevnet, genesisFileOf } from '../../src/story/devnet.ts';
import { run } from './commands.ts';
import type { Conditions } from './conditions.ts';
import { inNamespace, nodeName } from './traces.ts';
import { API_PORT, apiAddress, P2P_PORT, placesOf } from './wires.ts';

const MIB = 1024 * 1024;
const SMALL_DISK_BYTES = 192 * MIB;
/** On the small disk: below this the node is to stop by itself. */
const DISK_STOP_BYTES = 8 * MIB;
/** Small enough that journals begin new segments while faults come and go. */
const JOURNAL_SEGMENT_BYTES = 65_536;
const READY_MS = 120_000;
const ANSWER_MS = 10_000;
const POLL_MS = 100;
const PAGE = 4_096;

interface Member {
  readonly index: number;
  /** Its data directory. */
  readonly path: string;
  readonly client: ApiClient;
  child: Child | undefined;
  /** Its API has answered since it was started. */
  ready: boolean;
  paused: boolean;
  /** Its end is our doing. */
  doomed: boolean;
  /** Its disk is filled; and was, at some time since it was started. */
  full: boolean;
  wasFull: boolean;
  /** It stopped for want of disk. */
  starved: boolean;
  wanted: { readonly down: boolean; readonly paused: boolean; readonly leftBytes: number | undefined };
  work: Promise<void>;
}

export interface NetPlan {
  readonly owner: number;
  readonly dir: string;
  readonly nodes: number;
  readonly smallDisk: number;
  /** What the limits of time are multiplied by. */
  readonly patience: number;
  readonly parameters: ChainParameters;
  readonly accounts: readonly GenesisAccount[];
  readonly onFinding: (what: string) => void;
}

const settingsSchema = z.looseObject({});

/** What is in the folder of a run. */
export function layout(dir: string) {
  return {
    net: join(dir, 'net'),
    logs: join(dir, 'logs'),
    evidence: join(dir, 'journals'),
    smallDisk: join(dir, 'small-disk'),
    ballast: join(dir, 'small-disk', 'ballast'),
  };
}

export class ChaosNet {
  readonly genesis: Genesis;
  /** What happened to processes, over the whole run. */
  readonly counts = { starts: 0, kills: 0, pauses: 0, diskFills: 0, diskStops: 0 };
  readonly #plan: NetPlan;
  readonly #members: readonly Member[];

  private constructor(plan: NetPlan, genesis: Genesis, members: readonly Member[]) {
    this.#plan = plan;
    this.genesis = genesis;
    this.#members = members;
  }

  /** Makes the data directories and mounts the small disk; nothing runs yet. */
  static async create(plan: NetPlan): Promise<ChaosNet> {
    const { dir, nodes, smallDisk, parameters, accounts } = plan;
    const folders = layout(dir);
    await createDevnet(folders.net, { validators: nodes, followers: 0, parameters, accounts });
    await mkdir(folders.logs);
    await mkdir(folders.evidence);
    await mkdir(folders.smallDisk, { mode: 0o700 });
    const size = `size=${SMALL_DISK_BYTES},mode=0700`;
    await run('mount', ['-t', 'tmpfs', '-o', size, 'kryder-chaos', folders.smallDisk]);
    const places = placesOf(nodes);
    const members: Member[] = [];
    for (const [index, { own, known }] of places.entries()) {
      const made = join(folders.net, `node-${index}`);
      const path = index === smallDisk ? join(folders.smallDisk, 'node') : made;
      if (path !== made) await ChaosNet.#move(made, path, join(folders.evidence, `node-${index}`));
      const file = join(path, 'node.json');
      const settings = settingsSchema.parse(JSON.parse(await readFile(file, 'utf8')));
      const peers = [1, 2].map((step) => places[(index + step) % nodes]!.known);
      const chosen = {
        ...settings,
        listen: [`/ip4/${own}/tcp/${P2P_PORT}`],
        announce: [`/ip4/${known}/tcp/${P2P_PORT}`],
        bootstrap: peers.map((peer) => `/ip4/${peer}/tcp/${P2P_PORT}`),
        api: `${apiAddress(index)}:${API_PORT}`,
        journalSegmentBytes: JOURNAL_SEGMENT_BYTES,
        ...(index === smallDisk
          ? { diskWarnBytes: 4 * DISK_STOP_BYTES, diskStopBytes: DISK_STOP_BYTES }
          : {}),
      };
      await writeFile(file, `${JSON.stringify(chosen, null, 2)}\n`);
      members.push({
        index,
        path,
        client: new ApiClient(`http://${apiAddress(index)}:${API_PORT}`, {
          timeoutMs: ANSWER_MS * plan.patience,
        }),
        child: undefined,
        ready: false,
        paused: false,
        doomed: false,
        full: false,
        wasFull: false,
        starved: false,
        wanted: { down: true, paused: false, leftBytes: undefined },
        work: Promise.resolve(),
      });
    }
    return new ChaosNet(plan, await readGenesisFile(genesisFileOf(folders.net)), members);
  }

  /** A data directory to the small disk, and there a place for links to its journal, which cannot leave it. */
  static async #move(from: string, to: string, links: string): Promise<void> {
    await cp(from, to, { recursive: true });
    await rename(from, `${from}.moved`);
    await mkdir(`${to}-journals`);
    await symlink(`${to}-journals`, links);
  }

  get size(): number {
    return this.#members.length;
  }

  client(index: number): ApiClient {
    return this.#members[index]!.client;
  }

  journals(): string[] {
    return this.#members.map(({ path }) => join(path, 'journal'));
  }

  logFile(index: number): string {
    return join(layout(this.#plan.dir).logs, `node-${index}.log`);
  }

  /** The nodes that answer, as far as is known. */
  answering(): number[] {
    return this.#members.flatMap(({ index, ready, paused }) => (ready && !paused ? [index] : []));
  }

  /** Has every node brought to the state that these conditions ask for; does not wait for it. */
  apply({ down, paused, leftBytes }: Conditions): void {
    for (const member of this.#members) {
      const { index } = member;
      member.wanted = { down: down[index]!, paused: paused[index]!, leftBytes: leftBytes[index] };
      this.#queue(member);
    }
  }

  /** Brings a node to where it is wanted now, when everything before is done: no state in between is left out. */
  #queue(member: Member): void {
    const { wanted } = member;
    member.work = member.work.then(() =>
      this.#bring(member, wanted).catch((error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        this.#plan.onFinding(`node ${member.index}: ${why}`);
      }),
    );
  }

  /** Waits until every node was brought to where it is wanted. */
  async settled(): Promise<void> {
    await Promise.all(this.#members.map(({ work }) => work));
  }

  async #bring(member: Member, wanted: Member['wanted']): Promise<void> {
    if (wanted.leftBytes !== undefined && !member.full) await this.#fill(member, wanted.leftBytes);
    if (wanted.leftBytes === undefined && member.full) {
      await rm(layout(this.#plan.dir).ballast, { force: true });
      member.full = false;
      member.starved = false;
    }
    if (wanted.down) {
      if (await this.#kill(member)) this.counts.kills += 1;
    } else if (!this.#runs(member) && !member.starved) await this.#start(member);
    if (member.paused === wanted.paused || !this.#runs(member)) return;
    process.kill(member.child!.pid, wanted.paused ? 'SIGSTOP' : 'SIGCONT');
    member.paused = wanted.paused;
    if (wanted.paused) this.counts.pauses += 1;
  }

  #runs({ child }: Member): boolean {
    return child?.running === true;
  }

  /** Takes all space of the small disk but `left` bytes; with 0, every last page, whatever the node takes meanwhile. */
  async #fill(member: Member, left: number): Promise<void> {
    const { smallDisk, ballast } = layout(this.#plan.dir);
    member.full = true;
    member.wasFull = true;
    this.counts.diskFills += 1;
    try {
      for (;;) {
        const { bavail, bsize } = await statfs(smallDisk);
        const more = Math.min(MIB, bavail * bsize - left);
        if (left > 0 && more <= 0) return;
        await appendFile(ballast, new Uint8Array(Math.max(PAGE, more)));
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }

  async #start(member: Member): Promise<void> {
    const { index, path } = member;
    const { owner, patience, onFinding } = this.#plan;
    const child = await Child.start({
      name: `node ${index}`,
      launcher: inNamespace(nodeName(owner, index)),
      args: ['node', '--dir', path, '--log-level', 'info', '--supervised', '--json'],
      log: this.logFile(index),
    });
    this.counts.starts += 1;
    Object.assign(member, { child, ready: false, paused: false, doomed: false, wasFull: member.full });
    let said = '';
    void child.exited.then(({ code, signal }) => {
      if (member.child !== child) return;
      member.ready = false;
      member.paused = false;
      if (member.doomed) return;
      if (member.wasFull && code === EXIT.resource) {
        this.counts.diskStops += 1;
        member.starved = member.full;
        // There is room again already.
        if (!member.full) this.#queue(member);
        return;
      }
      onFinding(`node ${index} ended by itself (${signal ?? `status ${code}`})${said}`);
    });
    void child.waitFor('ready', READY_MS * patience).then(
      () => {
        member.ready = member.child === child && child.running;
      },
      (error: Error) => {
        // One that says why it does not start ends next, and its status is judged: its disk may be full again.
        if (!isProtocolError(error, 'CHILD_SILENT')) said = `: ${error.message}`;
        else if (member.child === child && child.running && !member.doomed)
          onFinding(`node ${index} did not start: ${error.message}`);
      },
    );
  }

  /** SIGKILL, also of a paused process; false when it was not running. Resolves when it is gone. */
  async #kill(member: Member): Promise<boolean> {
    if (!this.#runs(member)) return false;
    member.doomed = true;
    member.ready = false;
    member.child!.kill();
    await member.child!.exited;
    member.paused = false;
    return true;
  }

  /** Waits until every node runs and answers; rejects when `signal` is aborted. */
  async allAnswer(signal: AbortSignal): Promise<void> {
    while (this.answering().length < this.size) await delay(POLL_MS, undefined, { signal });
  }

  /** Asks every node to end in order; what went wrong. */
  async stop(): Promise<string[]> {
    await this.settled();
    const ends = await Promise.all(
      this.#members.map(async (member) => {
        const { index, child } = member;
        if (child === undefined || !child.running) return [`node ${index} did not run at the end`];
        member.doomed = true;
        member.ready = false;
        const { code, signal } = await child.stop();
        return code === 0 ? [] : [`node ${index} ended with ${signal ?? `status ${code}`} when told to stop`];
      }),
    );
    return ends.flat();
  }

  async killAll(): Promise<void> {
    await this.settled();
    await Promise.all(this.#members.map((member) => this.#kill(member)));
  }
}
