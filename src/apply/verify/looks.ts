/** When a verdict may be final: at few looks, each with its share of the probability of a false one. */

/**
 * Whoever looks at growing data every five minutes for three days, and stops at the first p below 0.01, finds one far
 * more often than once in a hundred. So the window after ends at one of these ages, however often it is judged, and
 * their shares add up to 0.01 (Bonferroni over the looks; most of it where the window holds most).
 */
export const LOOKS = [
  { after_seconds: 600, max_p: 0.0005 },
  { after_seconds: 3_600, max_p: 0.001 },
  { after_seconds: 4 * 3_600, max_p: 0.0015 },
  { after_seconds: 24 * 3_600, max_p: 0.003 },
  { after_seconds: 71 * 3_600, max_p: 0.003 },
] as const satisfies readonly Look[];

/** Before the first of them: a person asks, or the job comes by. What is beyond doubt already need not wait. */
const EARLY = { after_seconds: 0, max_p: 0.0005 } as const;

export interface Look {
  /** Age of the window after at its end, s; 0: it ends with the newest snapshot. */
  after_seconds: number;
  /** Two-sided p, after Holm's correction, below which a difference counts. */
  max_p: number;
}

/** The last look that a window of this age has reached. */
export function lookAt(seconds: number): Look {
  return LOOKS.findLast(({ after_seconds }) => after_seconds <= seconds) ?? EARLY;
}
