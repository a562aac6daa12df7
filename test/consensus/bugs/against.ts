/**
 * A bug that another implementation had: the check holds for the code as it is, and fails for each way of putting the
 * bug in. A check that cannot fail, or a patch that no longer fits, fails the test.
 */
import { describe, expect, it } from 'vitest';
import { loadVariant, type Patch } from '../../simulator/mutants/variant.ts';

interface Bug<Code> {
  /** Under test/consensus/bugs; exports `code`. */
  readonly module: string;
  readonly code: Code;
  readonly check: (code: Code) => void | Promise<void>;
  /** By what they do. */
  readonly bugs: Readonly<Record<string, readonly Patch[]>>;
}

export function against<Code>(title: string, { module, code, check, bugs }: Bug<Code>): void {
  describe(title, () => {
    it('does not happen', async () => check(code));

    it.each(Object.entries(bugs))('is noticed when %s', async (_, patches) => {
      const variant = await loadVariant<{ code: Code }>(`consensus/bugs/${module}`, patches);
      const outcome = await Promise.resolve()
        .then(() => check(variant.code))
        .then(
          () => 'nothing was noticed',
          (error: Error) => error.name,
        );
      expect(outcome).toBe('AssertionError');
    });
  });
}
