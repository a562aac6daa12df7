/**
 * Runs the watchers, each at its own pace, and keeps the list of active warnings. A warning is told when it comes,
 * when its text has changed and a minute has passed, and when it is over. The first finding of level `stop` is
 * handed to `onStop`, once. A watcher that fails is told about once and asked again.
 */
import type { Warning } from '../../api/backend.ts';
import type { Finding, WarningCode, Watcher } from './finding.ts';

const TOLD_AGAIN_MS = 60_000;

export interface WatchLog {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
}

export interface WatchOptions {
  readonly watchers: readonly { readonly watcher: Watcher; readonly everyMs: number }[];
  readonly log: WatchLog;
  readonly onStop: (finding: Finding) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

interface Active extends Warning {
  readonly code: WarningCode;
  readonly by: string;
  readonly toldAt: number;
}

export class ResourceWatch {
  readonly #o: WatchOptions;
  readonly #active = new Map<WarningCode, Active>();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #failing = new Set<string>();
  #stopped = false;

  constructor(options: WatchOptions) {
    this.#o = options;
  }

  /** Looks at everything once, then at each watcher's pace. */
  async start(): Promise<void> {
    await Promise.all(this.#o.watchers.map(({ watcher }) => this.#look(watcher)));
    for (const { watcher, everyMs } of this.#stopped ? [] : this.#o.watchers) {
      let busy = false;
      const timer = setInterval(() => {
        if (busy) return;
        busy = true;
        void this.#look(watcher).finally(() => {
          busy = false;
        });
      }, everyMs);
      this.#timers.push(timer.unref());
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Active warnings, the oldest first. */
  warnings(): Warning[] {
    return Array.from(this.#active.values(), ({ code, message, since }) => ({ code, message, since }));
  }

  active(code: WarningCode): boolean {
    return this.#active.has(code);
  }

  async #look(watcher: Watcher): Promise<void> {
    let findings: readonly Finding[];
    try {
      findings = await watcher.check();
      this.#failing.delete(watcher.name);
    } catch (error) {
      if (this.#failing.has(watcher.name)) return;
      this.#failing.add(watcher.name);
      this.#o.log.warn({ watcher: watcher.name, reason: String(error) }, 'a resource cannot be watched');
      return;
    }
    if (this.#stopped) return;
    for (const finding of findings) this.#found(watcher.name, finding);
    for (const { code, by } of [...this.#active.values()]) {
      if (by !== watcher.name || findings.some((finding) => finding.code === code)) continue;
      this.#active.delete(code);
      this.#o.log.info({ code }, 'the warning is over');
    }
  }

  #found(by: string, finding: Finding): void {
    const { code, level, message } = finding;
    const now = this.#o.now();
    const known = this.#active.get(code);
    const told = known !== undefined && (known.message === message || now - known.toldAt < TOLD_AGAIN_MS);
    this.#active.set(code, {
      code,
      message,
      by,
      since: known?.since ?? now,
      toldAt: told ? known.toldAt : now,
    });
    if (!told) this.#o.log.warn({ code, detail: message }, 'a resource is short');
    if (level === 'stop' && !this.#stopped) {
      this.#stopped = true;
      this.#o.onStop(finding);
    }
  }
}
