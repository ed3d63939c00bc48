/** How much of a range of numbers is used. int8 needs BigInt: a number holds 2^53. */
import type { SequenceRow, Severity } from '../../domain/index.ts';

/** Greatest value of the types that keys have. */
export const MAXIMUM: Record<string, bigint> = {
  smallint: 32_767n,
  integer: 2_147_483_647n,
};

/** Share 0..1 of min_value..max_value that last_value has left behind, in the direction of its increment. */
export function shareUsed(
  sequence: Pick<SequenceRow, 'last_value' | 'min_value' | 'max_value' | 'increment_by'>,
): number {
  if (sequence.last_value === null) return 0;
  const [last, min, max] = [sequence.last_value, sequence.min_value, sequence.max_value].map(BigInt) as [
    bigint,
    bigint,
    bigint,
  ];
  if (max <= min) return 1;
  return ratio(BigInt(sequence.increment_by) < 0n ? max - last : last - min, max - min);
}

/** To a millionth: more is not wanted, and BigInt does not divide. */
export function ratio(part: bigint, whole: bigint): number {
  return Number((part * 1_000_000n) / whole) / 1_000_000;
}

export function exhaustionSeverity(share: number): Severity | null {
  if (share >= 0.98) return 'critical';
  if (share >= 0.9) return 'high';
  return share >= 0.75 ? 'medium' : null;
}
