/** Asks for a secret at a terminal: nothing that is typed is shown. */
import { StringDecoder } from 'node:string_decoder';
import { CommandError, EXIT } from './output.ts';

/** What is needed of a terminal's input. */
export interface TerminalInput extends NodeJS.EventEmitter {
  readonly isTTY?: boolean;
  setRawMode(raw: boolean): unknown;
  resume(): unknown;
  pause(): unknown;
  unshift(chunk: Buffer): void;
}

export interface Terminal {
  /** True if somebody can be asked. */
  readonly interactive: boolean;
  ask(question: string, signal?: AbortSignal): Promise<string>;
}

const MOST_CHARACTERS = 1_024;
const ENTER = /[\r\n]/;
const INTERRUPT = '\u0003';
const END = '\u0004';
const ERASE_LINE = '\u0015';
const BACKSPACE = /[\b\u007f]/;
const CONTROL = /\p{Cc}/u;

function interrupted(): CommandError {
  return new CommandError(EXIT.failed, 'STOPPED', 'interrupted at the question for a secret');
}

function askHidden(
  input: TerminalInput,
  output: { write(text: string): unknown },
  question: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const decoder = new StringDecoder('utf8');
    let text = '';
    const end = (settle: () => void): void => {
      input.off('data', onData);
      input.off('end', onEnd);
      signal?.removeEventListener('abort', onAbort);
      input.setRawMode(false);
      input.pause();
      output.write('\n');
      settle();
    };
    const onEnd = (): void => end(() => reject(interrupted()));
    const onAbort = (): void => end(() => reject(signal!.reason as Error));
    const onData = (chunk: Buffer): void => {
      const typed = decoder.write(chunk);
      if (typed.startsWith('\u001b')) return; // an arrow or function key
      let read = '';
      for (const character of typed) {
        read += character;
        if (ENTER.test(character) || (character === END && text !== '')) {
          const rest = typed.slice(read.length);
          end(() => resolve(text));
          if (rest !== '') input.unshift(Buffer.from(rest));
          return;
        }
        if (character === INTERRUPT || character === END) {
          onEnd();
          return;
        }
        if (character === ERASE_LINE) text = '';
        else if (BACKSPACE.test(character)) text = [...text].slice(0, -1).join('');
        else if (!CONTROL.test(character) && text.length < MOST_CHARACTERS) text += character;
      }
    };
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    // Raw first: whoever sees the question may type at once.
    input.setRawMode(true);
    output.write(question);
    input.on('data', onData);
    input.on('end', onEnd);
    signal?.addEventListener('abort', onAbort);
    input.resume();
  });
}

/** The terminal of a process; questions go to `output`, which is standard error, so that answers can be piped. */
export function terminal(
  input: TerminalInput = process.stdin,
  output: { write(text: string): unknown } = process.stderr,
): Terminal {
  return {
    interactive: input.isTTY === true,
    ask: (question, signal) => askHidden(input, output, question, signal),
  };
}
