/** A node's binary door for transactions, as the load processes of the benchmarks use it: few kept connections. */
import { Agent, request } from 'node:http';

interface DoorAnswer {
  readonly status: number;
  readonly text: string;
}

export interface Refused {
  readonly index: number;
  readonly code: string;
}

/** Posts bodies of encoded transaction lists to one node over at most `connections` kept connections. */
export function openDoor(api: string, connections: number): (body: Uint8Array) => Promise<DoorAnswer> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  return (body) =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        `${api}/v1/transactions`,
        {
          method: 'POST',
          agent,
          headers: { 'content-type': 'application/octet-stream', 'content-length': body.length },
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => {
            text += chunk;
          });
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
          response.on('error', reject);
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
}

/** What a 200 of the binary door says. Throws for any other answer. */
export function judged({ status, text }: DoorAnswer): {
  readonly accepted: number;
  readonly refused: readonly Refused[];
} {
  if (status !== 200) throw new Error(`the node answered ${status}: ${text.slice(0, 200)}`);
  return JSON.parse(text) as { accepted: number; refused: Refused[] };
}
