/**
 * The body of `kryder verify-signatures`: judges a file of signatures by the strict rule. What is wrong
 * inside an entry (odd hex, lengths, missing fields) makes its verdict false; only a file that is no JSON
 * array is an error.
 */
import { fromHex } from '../codec/bytes.ts';
import { isProtocolError, ProtocolError } from '../codec/errors.ts';
import type { SignatureVerifier } from '../crypto/interfaces.ts';
import { selectVerifier } from '../node/crypto/select.ts';
import { reasonOf } from '../system/problems.ts';
import { readText } from '../system/text-file.ts';

const MAX_FILE_BYTES = 256 * 1024 ** 2;

function verdict(verifier: SignatureVerifier, entry: unknown): boolean {
  if (typeof entry !== 'object' || entry === null) return false;
  const { publicKey, message, signature } = entry as Record<string, unknown>;
  if (typeof publicKey !== 'string' || typeof message !== 'string' || typeof signature !== 'string') {
    return false;
  }
  try {
    return verifier.verify(fromHex(signature), fromHex(message), fromHex(publicKey));
  } catch (error) {
    if (isProtocolError(error, 'HEX_INVALID')) return false;
    throw error;
  }
}

/**
 * One verdict for each `{publicKey, message, signature}` (hex) of the JSON array in `file`. Throws
 * `VERIFY_INPUT` when the file is not one, and what `selectVerifier` throws.
 */
export async function verifySignatures(file: string, options: { backend?: string }): Promise<boolean[]> {
  const verifier = selectVerifier(options.backend);
  const text = await readText(file, MAX_FILE_BYTES).catch((error: Error) => {
    throw new ProtocolError('VERIFY_INPUT', `"${file}" cannot be read: ${reasonOf(error)}`);
  });
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch (error) {
    throw new ProtocolError('VERIFY_INPUT', `"${file}" is not JSON: ${(error as Error).message}`);
  }
  if (!Array.isArray(entries)) {
    throw new ProtocolError(
      'VERIFY_INPUT',
      `"${file}" must hold a JSON array of {publicKey, message, signature}`,
    );
  }
  return entries.map((entry: unknown) => verdict(verifier, entry));
}
