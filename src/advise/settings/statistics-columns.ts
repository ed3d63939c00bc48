/** Columns whose statistics were cut off by their target, as far as statements of the workload ask for them. */
import type { ColumnRow, RuleContext } from '../../domain/index.ts';
import type { AdvisorStatement } from '../index-advisor/statement.ts';
import { workloadStatements } from '../repairs/workload-statements.ts';

export interface CutColumn {
  column: ColumnRow;
  target: number;
  /** Share of the rows of the rarest value that is kept, and of a value that is not, on average. */
  rarest_kept: number;
  average_left_out: number;
  statements: AdvisorStatement[];
  share_of_time: number;
}

/** A kept value that is still so many times as common as the average of the rest: others like it were cut off. */
const STILL_COMMON = 3;

/**
 * Columns of predicates whose list of common values is as long as its target allows, while the rarest of them is still
 * three times as common as the average of what is left out: some that are left out are common, and estimated too low.
 */
export async function cutColumns(context: RuleContext): Promise<CutColumn[]> {
  const { snapshot } = context;
  const usual = Number(
    snapshot.settings.find(({ name }) => name === 'default_statistics_target')?.setting ?? 100,
  );
  const rows = new Map(snapshot.tables.map(({ oid, reltuples }) => [oid, reltuples]));
  const cut: CutColumn[] = [];
  const users = await usersOf(context);
  for (const column of snapshot.columns) {
    const statements = users.get(`${column.table_oid}.${column.name}`);
    const { stats } = column;
    const freqs = stats?.most_common_freqs;
    if (!statements || !stats || !freqs) continue;
    const target = column.stattarget !== null && column.stattarget >= 0 ? column.stattarget : usual;
    if (target <= 0 || target >= 10_000 || freqs.length < target) continue;
    const distinct =
      stats.n_distinct >= 0
        ? stats.n_distinct
        : -stats.n_distinct * Math.max(0, rows.get(column.table_oid) ?? 0);
    const left = distinct - freqs.length;
    const rest = 1 - stats.null_frac - freqs.reduce((sum, value) => sum + value, 0);
    if (left < 1 || rest <= 0) continue;
    const rarest_kept = Math.min(...freqs);
    const average_left_out = rest / left;
    if (rarest_kept < STILL_COMMON * average_left_out) continue;
    const share_of_time = statements.reduce((sum, { query }) => sum + query.share_of_time, 0);
    cut.push({ column, target, rarest_kept, average_left_out, statements, share_of_time });
  }
  return cut.sort((a, b) => b.share_of_time - a.share_of_time);
}

/** Statements by the columns that they compare: `oid.column`. */
export async function usersOf(context: RuleContext): Promise<Map<string, AdvisorStatement[]>> {
  const users = new Map<string, AdvisorStatement[]>();
  for (const statement of await workloadStatements(context)) {
    const keys = statement.usages.flatMap(({ predicates, relations }) =>
      predicates.flatMap(({ relation, columns }) =>
        columns.map((name) => `${relations[relation]?.table_oid}.${name}`),
      ),
    );
    for (const key of new Set(keys)) users.set(key, [...(users.get(key) ?? []), statement]);
  }
  return users;
}
