/**
 * What it costs to exchange advice that stands from the night before: a new index must save more than the part of the
 * standing indexes' work that it takes over, by a margin, or counters that vary from night to night would turn the
 * advice over each time.
 */
import type { SelectionInput } from './selection.ts';

/**
 * Share of what a standing index saves by which another one must do better. Counters that vary by ±10 % make one of two
 * alike indexes look better than the other by 1.1 / 0.9 = 22 %.
 */
export const SWITCHING_MARGIN = 0.25;

/** Planner cost units × calls that each new index must earn besides, by its handle; empty where nothing stands. */
export function switchingCharges(input: SelectionInput): Map<string, number> {
  const standing = new Set(input.contenders.flatMap((one) => (one.standing ? [one.handle] : [])));
  const charges = new Map<string, number>();
  if (standing.size === 0) return charges;
  const { takenOver, saved, kept } = workTakenOver(input, standing);
  for (const contender of input.contenders) {
    if (contender.standing) continue;
    const { handle } = contender;
    // Where there is no room beside them it takes the place of some, whatever those are for.
    const place = isCrowdedOut(input, contender) ? Math.min(saved.get(handle) ?? 0, kept) : 0;
    const work = Math.max(takenOver.get(handle) ?? 0, place);
    if (work > 0) charges.set(handle, SWITCHING_MARGIN * work);
  }
  return charges;
}

/** By the plans that are known: what all standing ones save, what each new one does, and what both would. */
function workTakenOver(
  { book, statements, contenders }: SelectionInput,
  standing: ReadonlySet<string>,
): { takenOver: Map<string, number>; saved: Map<string, number>; kept: number } {
  const takenOver = new Map<string, number>();
  const saved = new Map<string, number>();
  let kept = 0;
  const add = (to: Map<string, number>, handle: string, cost: number) =>
    to.set(handle, (to.get(handle) ?? 0) + cost);
  const newcomers = new Set(contenders.flatMap((one) => (one.standing ? [] : [one.handle])));
  for (const statement of statements) {
    for (const { share, plans } of book.plans(statement)) {
      const times = share * statement.query.calls;
      let today = Number.POSITIVE_INFINITY;
      let stands = Number.POSITIVE_INFINITY;
      const others = new Map<string, number>();
      for (const { needs, cost } of plans) {
        if (needs.every((handle) => book.present.has(handle))) today = Math.min(today, cost);
        if (needs.every((handle) => book.present.has(handle) || standing.has(handle)))
          stands = Math.min(stands, cost);
        // What works together with a standing one does not take its place.
        if (needs.some((handle) => standing.has(handle))) continue;
        for (const handle of needs) {
          if (newcomers.has(handle)) others.set(handle, Math.min(others.get(handle) ?? cost, cost));
        }
      }
      if (!Number.isFinite(today)) continue;
      const gain = Math.max(0, today - stands) * times;
      kept += gain;
      for (const [handle, cost] of others) {
        const instead = Math.max(0, today - cost) * times;
        add(saved, handle, instead);
        add(takenOver, handle, Math.min(gain, instead));
      }
    }
  }
  return { takenOver, saved, kept };
}

/** Whether it fits beside all that stands: into the budget, and on its table. */
function isCrowdedOut(
  input: SelectionInput,
  { reserved_bytes, table_oid }: SelectionInput['contenders'][number],
): boolean {
  const standing = input.contenders.filter((one) => one.standing);
  const bytes = standing.reduce((sum, one) => sum + one.reserved_bytes, 0);
  if (input.budget_bytes !== null && bytes + reserved_bytes > input.budget_bytes) return true;
  const most = input.max_indexes_per_table;
  if (most === null) return false;
  const here = standing.filter((one) => one.table_oid === table_oid).length;
  return input.indexes_on(table_oid) + here + 1 > most;
}
