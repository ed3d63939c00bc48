/** Shares of a workload's plan cost below this are next to nothing: a thousandth of a per cent. */
export const LEAST_COST_SHARE = 1e-5;

/** What an index does to a workload's plan cost: `save 3.2 %`, or `cost 0.14 % more` where it makes plans dearer. */
export function savingWords(share: number, [save, cost]: readonly [string, string]): string {
  return share <= -LEAST_COST_SHARE
    ? `${cost} ${costShareWords(-share)} more`
    : `${save} ${costShareWords(share)}`;
}

/** A share of a workload's plan cost in per cent, with as many digits as say something. */
export function costShareWords(share: number): string {
  if (Math.abs(share) < LEAST_COST_SHARE) return 'next to nothing';
  const value = 100 * share;
  const digits = Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 0.1 ? 2 : 3;
  return `${value.toFixed(digits)} %`;
}
