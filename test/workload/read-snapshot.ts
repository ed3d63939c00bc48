/** Reads from a real server what this room needs of a snapshot; collect/ has its own tests. */
import type pg from 'pg';
import type {
  ColumnRow,
  ColumnStats,
  IndexRow,
  Snapshot,
  StatementRow,
  TableRow,
} from '../../src/domain/index.ts';
import { columnStats } from '../support/rows.ts';
import { columnRow, indexRow, snapshot, statementRow, tableRow } from './snapshots.ts';

async function rows<T>(client: pg.Client, sql: string): Promise<T[]> {
  // PostgreSQL 18 forgets comments before a statement: this one is within.
  const result = await client.query(sql.replace('select', 'select /* pgluthier */'));
  return result.rows as T[];
}

async function readStatements(client: pg.Client): Promise<StatementRow[]> {
  const version = await rows<{ n: number }>(client, `select current_setting('server_version_num')::int n`);
  const since = (version[0]?.n ?? 0) >= 170000 ? 'stats_since::text' : 'null::text';
  const found = await rows<Partial<StatementRow> & { queryid: string }>(
    client,
    `select userid::int, dbid::int, queryid::text, toplevel, userid::regrole::text "user", query,
       calls::int, total_exec_time total_exec_time_ms, mean_exec_time mean_exec_time_ms,
       stddev_exec_time stddev_exec_time_ms, min_exec_time min_exec_time_ms, max_exec_time max_exec_time_ms,
       rows::int, ${since} stats_since
     from pg_stat_statements where dbid = (select oid from pg_database where datname = current_database())`,
  );
  return found.map(statementRow);
}

export async function readSnapshot(client: pg.Client): Promise<Snapshot> {
  const inUserSchemas = `n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_toast%'`;
  const tables = await rows<Partial<TableRow> & { oid: number; name: string }>(
    client,
    `select c.oid::int, nspname::text "schema", relname::text "name", relkind::text, reltuples::float8
     from pg_class c join pg_namespace n on n.oid = relnamespace where relkind in ('r','p','m') and ${inUserSchemas}`,
  );
  const columns = await rows<
    Omit<Partial<ColumnRow>, 'stats'> & {
      table_oid: number;
      name: string;
      type: string;
      stats: Partial<ColumnStats> | null;
    }
  >(
    client,
    `select a.attrelid::int table_oid, nspname::text "schema", relname::text "table", attname::text "name", attnum::int,
       format_type(atttypid, atttypmod) "type", typtype::text,
       (select to_jsonb(s) from (select inherited, null_frac, avg_width, n_distinct,
          most_common_vals::text, most_common_freqs, histogram_bounds::text, correlation,
          most_common_elems::text, most_common_elem_freqs, elem_count_histogram
        from pg_stats s where s.schemaname = nspname and s.tablename = relname and s.attname = a.attname
        order by inherited desc limit 1) s) stats
     from pg_attribute a join pg_class c on c.oid = attrelid join pg_namespace n on n.oid = relnamespace
     join pg_type t on t.oid = atttypid
     where attnum > 0 and not attisdropped and relkind in ('r','p','m') and ${inUserSchemas}`,
  );
  const indexes = await rows<Partial<IndexRow> & { oid: number; table_oid: number }>(
    client,
    `select indexrelid::int oid, indrelid::int table_oid, c.relname::text "name", string_to_array(indkey::text, ' ')::int[] key_attnums,
       (select array_agg(pg_get_indexdef(indexrelid, k, true) order by k) from generate_series(1, indnkeyatts) k) keys
     from pg_index join pg_class c on c.oid = indexrelid join pg_namespace n on n.oid = relnamespace where ${inUserSchemas}`,
  );
  const views = await rows<Snapshot['schema']['views'][number]>(
    client,
    `select c.oid::int, nspname::text "schema", relname::text "name", pg_get_viewdef(c.oid) definition
     from pg_class c join pg_namespace n on n.oid = relnamespace where relkind = 'v' and ${inUserSchemas}`,
  );
  const enums = await rows<Snapshot['schema']['enums'][number]>(
    client,
    `select nspname::text "schema", typname::text "name", array_agg(enumlabel::text order by enumsortorder) labels
     from pg_enum join pg_type t on t.oid = enumtypid join pg_namespace n on n.oid = typnamespace group by 1, 2`,
  );
  const domains = await rows<{ schema: string; name: string; base_type: string }>(
    client,
    `select nspname::text "schema", typname::text "name", format_type(typbasetype, typtypmod) base_type
     from pg_type t join pg_namespace n on n.oid = typnamespace where typtype = 'd' and ${inUserSchemas}`,
  );
  const settings = await rows<{ name: string; setting: string; reset_val: string }>(
    client,
    `select name, setting, reset_val from pg_settings where name in ('search_path', 'default_text_search_config')`,
  );
  const [now] = await rows<{ now: string }>(client, `select to_json(now())#>>'{}' now`);
  const base = snapshot();
  return snapshot({
    taken_at: new Date(now?.now ?? 0).toISOString(),
    tables: tables.map(tableRow),
    columns: columns.map((row) =>
      columnRow({ ...row, stats: row.stats === null ? null : columnStats(row.stats) }),
    ),
    indexes: indexes.map(indexRow),
    settings: settings.map((row) => ({
      unit: null,
      category: '',
      context: 'user',
      vartype: 'string',
      source: 'default',
      min_val: null,
      max_val: null,
      enumvals: null,
      boot_val: null,
      sourcefile: null,
      pending_restart: false,
      ...row,
    })),
    schema: {
      ...base.schema,
      views,
      enums,
      domains: domains.map((row) => ({ not_null: false, checks: [], ...row })),
    },
    statements: await readStatements(client),
  });
}
