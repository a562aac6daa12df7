/**
 * Plain HTTP requests whose end can be relied on. An answer of `fetch` that is read for long may outlive its
 * abort signal: once its request object has been collected as garbage, aborting does nothing (undici).
 */
import { get, type IncomingMessage } from 'node:http';
import { ProtocolError } from '../codec/errors.ts';

export interface RequestLimits {
  /** Ends the request and the reading of its answer. */
  readonly signal: AbortSignal;
  /** Longest time without a byte. */
  readonly silenceMs: number;
}

/** The answer to a GET, to be read or destroyed. Rejects when there is none; reading it throws when it breaks. */
export function request(url: URL, { signal, silenceMs }: RequestLimits): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const call = get(url, { signal, agent: false }, resolve);
    call.setTimeout(silenceMs, () => {
      call.destroy(new ProtocolError('SILENCE', `${url.host} was silent for ${silenceMs / 1_000} s`));
    });
    call.on('error', reject);
  });
}

/** A short answer as text. */
export async function requestText(
  url: URL,
  limits: RequestLimits,
  most: number,
): Promise<{ readonly status: number; readonly text: string }> {
  const answer = await request(url, limits);
  answer.setEncoding('utf8');
  let text = '';
  for await (const chunk of answer as AsyncIterable<string>) {
    text += chunk;
    if (text.length > most) throw new ProtocolError('ANSWER_TOO_LONG', `${url.host} answers without end`);
  }
  return { status: answer.statusCode ?? 0, text };
}
