/**
 * Candidates that no good set within the budget has: what they would take of it keeps out more than they could save.
 * This is known before any of them is asked about by itself, from each statement's plan with all candidates.
 */
import type { Made } from './make-candidates.ts';
import type { PlanBook } from './search/plan-book.ts';
import type { Contender } from './selection.ts';
import type { AdvisorStatement } from './statement.ts';

export interface Reach {
  made: readonly Made[];
  /** Statements that some candidates make cheaper; each was asked about with all candidates. */
  promising: Iterable<AdvisorStatement>;
  book: PlanBook;
  budget_bytes: number;
}

/** Planner cost units × calls of the workload. */
export interface OutOfReach {
  /** What a set with the candidate saves at most. */
  most: number;
  /** What one that is known saves at least, net of its writes. */
  reached: number;
}

/** What a statement could save, and what of the budget that takes at least. */
interface Hope {
  statement: AdvisorStatement;
  /** Calls × planner cost units. */
  gain: number;
  /** Of the smallest candidate that was made for it; 0: only others' candidates help it. */
  least_bytes: number;
  /** The same where each candidate's bytes are shared by all statements that it was made for. */
  shared_bytes: number;
}

/**
 * A bound: beside the candidate other statements save all of their hope at most, those only that have a candidate which
 * still fits, and together no more than a fractional knapsack takes (Dantzig, Oper. Res. 5, 1957) where all share what
 * they can. As in large workloads a statement's own candidates are taken to serve it best.
 * @returns by the handle of each that is out of reach.
 */
export function outOfReach({ made, promising, book, budget_bytes }: Reach): Map<string, OutOfReach> {
  const own = new Map<AdvisorStatement, Contender[]>();
  for (const statement of promising) own.set(statement, []);
  const served = new Map<Contender, Set<AdvisorStatement>>();
  for (const { contender, by } of made) {
    const helped = by.filter((statement) => own.has(statement));
    served.set(contender, new Set(helped));
    for (const statement of helped) own.get(statement)?.push(contender);
  }
  const hopes = [...own].map(([statement, candidates]): Hope => {
    const most = savedWith(statement, book, (now) => now - book.lower(statement, book.relevant(statement)));
    // It may need no room but theirs.
    if (candidates.length === 0)
      return { statement, gain: Math.max(0, most), least_bytes: 0, shared_bytes: 1 };
    return {
      statement,
      gain: Math.max(0, most),
      least_bytes: Math.min(...candidates.map((one) => one.reserved_bytes)),
      shared_bytes: Math.min(...candidates.map((one) => one.reserved_bytes / (served.get(one)?.size ?? 1))),
    };
  });
  hopes.sort((a, b) => b.gain / b.shared_bytes - a.gain / a.shared_bytes);
  const reached = savedWithin(hopes, made, book, budget_bytes);
  const found = new Map<string, OutOfReach>();
  for (const [{ handle, reserved_bytes, standing }, statements] of served) {
    if (standing !== undefined || statements.size === 0) continue;
    const beside = budget_bytes - reserved_bytes;
    let room = beside;
    let most = 0;
    for (const { statement, gain, least_bytes, shared_bytes } of hopes) {
      if (statements.has(statement) || least_bytes === 0) most += gain;
      else if (least_bytes <= beside && room > 0) {
        most += gain * Math.min(1, room / shared_bytes);
        room -= shared_bytes;
      }
    }
    if (most < reached) found.set(handle, { most, reached });
  }
  return found;
}

/** What the set saves that takes the known plans' indexes, those first that save the most for their bytes. */
function savedWithin(
  hopes: readonly Hope[],
  made: readonly Made[],
  book: PlanBook,
  budgetBytes: number,
): number {
  const contenders = new Map(made.map(({ contender }) => [contender.handle, contender]));
  const bytesOf = (handles: readonly string[]) =>
    handles.reduce((sum, handle) => sum + (contenders.get(handle)?.reserved_bytes ?? 0), 0);
  const bundles = hopes
    .map(({ statement, gain }) => {
      const needs = new Set(
        book.plans(statement).flatMap(({ plans }) => plans.flatMap((plan) => plan.needs)),
      );
      return { needs, density: gain / bytesOf([...needs]) };
    })
    .sort((a, b) => b.density - a.density);
  const set = new Set(book.present);
  let room = budgetBytes;
  let saved = 0;
  for (const { needs } of bundles) {
    const joining = [...needs].filter((handle) => !set.has(handle));
    const bytes = bytesOf(joining);
    if (bytes > room) continue;
    room -= bytes;
    for (const handle of joining) {
      set.add(handle);
      saved -= contenders.get(handle)?.write.cost ?? 0;
    }
  }
  for (const { statement } of hopes)
    saved += savedWith(statement, book, (now) => now - (book.most(statement, set)?.charged ?? now));
  return saved;
}

/** Calls × what each is charged less. */
function savedWith(statement: AdvisorStatement, book: PlanBook, of: (now: number) => number): number {
  return statement.query.calls * of(book.known(statement, book.present)?.charged ?? 0);
}
