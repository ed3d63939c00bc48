/** What several settings that are written together may take in the worst case, with all others as they are. */
import type { Limit, SetMemory, Snapshot, Workload } from '../../domain/index.ts';
import { isLimit } from './facts.ts';
import { budgetBytes, type MemoryUse, worstCaseBytes, worstCaseInputs } from './memory-budget.ts';
import { presentMemory } from './present-memory.ts';
import { parseSetting } from './units.ts';

const nothing: Workload = {
  source: 'cumulative',
  from: null,
  to: '',
  seconds: null,
  queries: [],
  set_aside: [],
  database_time_ms: 0,
  limits: [],
};

/** The snapshot with the proposed values in place of those in use. */
function withValues(snapshot: Snapshot, changes: readonly { name: string; value: string }[]): Snapshot {
  const values = new Map(changes.map(({ name, value }) => [name, value]));
  const settings = snapshot.settings.map((row) => {
    const value = values.get(row.name);
    const parsed = value === undefined ? null : parseSetting(value, row);
    return parsed === null ? row : { ...row, setting: String(parsed), reset_val: String(parsed) };
  });
  return { ...snapshot, settings };
}

/** The whole set before and after, against the memory that there is; the limit that says what is not known. */
export function memoryOfSet(
  snapshot: Snapshot,
  changes: readonly { name: string; value: string }[],
): SetMemory | Limit {
  const ram = snapshot.host.ram_bytes.value;
  if (ram === null) {
    return {
      scope: 'host',
      code: 'host_unknown',
      message: `The host's memory is not known (${snapshot.host.ram_bytes.source}): whether the set fits cannot be told.`,
      remedy: 'Give "ram_bytes" in the target\'s "host".',
    };
  }
  const use = (of: Snapshot): MemoryUse | Limit =>
    presentMemory({
      snapshot: of,
      window: null,
      workload: nothing,
      what_if: null,
      index_budget_bytes: null,
      progress: () => {},
      deadline: Number.POSITIVE_INFINITY,
    });
  const before = use(snapshot);
  if (isLimit(before)) return before;
  const after = use(withValues(snapshot, changes));
  if (isLimit(after)) return after;
  const budget = budgetBytes(ram);
  return {
    worst_case_before: worstCaseBytes(before),
    worst_case_after: worstCaseBytes(after),
    budget,
    fits: worstCaseBytes(after) <= budget,
    inputs: worstCaseInputs(after),
  };
}
