/** Native bindings of some Node releases cannot read shared memory: they see nothing and say so to nobody. */
import type { Bytes } from '../../codec/bytes.ts';

/** `bytes` itself, or a copy where it lies in a `SharedArrayBuffer`. */
export function unshared(bytes: Bytes): Bytes {
  return bytes.buffer instanceof SharedArrayBuffer ? new Uint8Array(bytes) : bytes;
}
