/** What the texts of a workload could not tell, with the share of the database's time that it stands for. */
import type { Limit, SetAside, StatementDelta } from '../domain/index.ts';

function share(part: number, whole: number): string {
  return whole > 0 ? ` They stand for ${((part / whole) * 100).toPrecision(2)}% of the database's time.` : '';
}

function limit(code: string, message: string, remedy: string | null = null): Limit {
  return { scope: 'workload', code, message, remedy };
}

/** Limits of the set-aside statements and of the nested ones. */
export function textLimits(
  setAside: readonly SetAside[],
  rows: readonly StatementDelta[],
  databaseTime: number,
): Limit[] {
  const limits: Limit[] = [];
  const of = (...codes: string[]) => {
    const entries = setAside.filter((entry) => codes.includes(entry.code));
    const time = entries.reduce((sum, entry) => sum + entry.total_exec_time_ms, 0);
    return { count: entries.length, share: share(time, databaseTime) };
  };
  const hidden = of('text_hidden');
  if (hidden.count > 0) {
    limits.push(
      limit(
        'statement_texts_hidden',
        `The text of ${hidden.count} statements could not be read: they are other users'.${hidden.share}`,
        'GRANT pg_read_all_stats (or pg_monitor) to the collecting role.',
      ),
    );
  }
  const lost = of('text_lost');
  if (lost.count > 0) {
    limits.push(
      limit(
        'statement_texts_lost',
        `The server has no text for ${lost.count} statements: its file of texts could not be written or read (full disk, out of memory, removed).${lost.share}`,
        'Look for messages on pgss_query_texts.stat in the server log; pg_stat_statements_reset() makes the file anew.',
      ),
    );
  }
  const broken = of('unparsable', 'truncated');
  if (broken.count > 0) {
    limits.push(
      limit(
        'statement_texts_unparsable',
        `${broken.count} statement texts are cut off or not understood by the grammar: they count, but are not analysed.${broken.share}`,
      ),
    );
  }
  const ambiguous = of('ambiguous_schema');
  if (ambiguous.count > 0) {
    limits.push(
      limit(
        'statements_ambiguous_schema',
        `${ambiguous.count} statements ran as several with the same text, over tables that more than one schema has: which of them is not told, so that they are counted, but not analysed.${ambiguous.share}`,
        'Qualify the tables in the statements, or give each role its search_path (ALTER ROLE … SET search_path).',
      ),
    );
  }
  const nested = rows.filter((row) => !row.toplevel);
  if (nested.length > 0) {
    const time = nested.reduce((sum, row) => sum + row.total_exec_time_ms, 0);
    limits.push(
      limit(
        'nested_statements',
        `${nested.length} statements ran inside functions: their time is also in the time of the statements that called the functions, and counts once in the database's time.${share(time, databaseTime)}`,
      ),
    );
  }
  return limits;
}
