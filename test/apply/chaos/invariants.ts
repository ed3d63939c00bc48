/** What must hold after whatever was killed: by the catalogs, the journal and the server's own log. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApplyOutcome } from '../../../src/domain/index.ts';
import type { EmbeddedServer } from '../../../src/embedded/index.ts';
import { fileJournal } from '../journal.ts';
import { rows } from '../target.ts';
import type { Run } from './round.ts';
import { SETTING, type Subject } from './subjects.ts';

export interface Ended {
  run: Run;
  subject: Subject;
  schema: string;
  outcome: ApplyOutcome;
  /** What recovery says when it is asked once more. */
  again: ApplyOutcome;
  /** The server itself crashed, and lost its counters of activity. */
  crashed: boolean;
}

const LOG = 'chaos.log';

/** So that the server itself tells what it was sent, and by whom. */
export const chaosSettings: Record<string, string> = {
  autovacuum: 'off',
  geqo_effort: '6',
  logging_collector: 'on',
  log_directory: 'log',
  log_filename: LOG,
  log_statement: 'all',
  log_line_prefix: '%a|',
};

/** Indexes, options and statistics in the schema that are not an apply's, and settings that nobody asked to change. */
export async function foreignState(dsn: string, schema: string): Promise<string> {
  const [row] = await rows<{ state: string }>(
    dsn,
    `SELECT json_build_object(
       'indexes', (SELECT json_agg(json_build_array(indexrelid::regclass::text, indexrelid, indisvalid, indisready)
                   ORDER BY indexrelid)
                   FROM pg_index JOIN pg_class c ON c.oid = indexrelid
                   WHERE c.relnamespace = $1::regnamespace
                     AND (c.relname LIKE 'theirs%' OR c.relname LIKE '%foreign' OR c.relname LIKE '%_pkey'
                          OR c.relname IN ('goes_ccnew', 'rebuilt_v_ccnew', 'rebuilt_v_ccold'))),
       'options', (SELECT reloptions FROM pg_class WHERE oid = to_regclass($1 || '.theirs')),
       'statistics', (SELECT json_agg(oid ORDER BY oid) FROM pg_statistic_ext
                      WHERE stxname = 'theirs_ab' AND stxnamespace = $1::regnamespace),
       'settings', (SELECT json_agg(json_build_array(name, setting) ORDER BY seqno) FROM pg_file_settings
                    WHERE name <> $2 AND sourcefile ~ 'auto.conf')) AS state`,
    [schema, SETTING.name],
  );
  return JSON.stringify(row?.state);
}

export async function violationsOf(server: EmbeddedServer, ended: Ended): Promise<string[]> {
  const { run, subject, schema, outcome, again, crashed } = ended;
  const dsn = server.dsn('postgres');
  const said = JSON.stringify(outcome);
  const violations: string[] = [];
  const effect = await subject.effect(dsn, schema);
  const unknown = crashed && outcome.outcome === 'failed' && outcome.code === 'effect_unknown';
  const agrees =
    outcome.outcome === 'needs_attention' ||
    unknown ||
    effect === (outcome.outcome === 'applied' ? 'done' : 'undone');
  if (!agrees) violations.push(`the catalogs say ${effect}, the outcome ${said}`);
  if (again.outcome !== outcome.outcome) violations.push(`${said}, and asked again ${JSON.stringify(again)}`);
  const invalid = await rows<{ name: string }>(
    dsn,
    `SELECT format('%I.%I', $1::text, c.relname) AS name FROM pg_index JOIN pg_class c ON c.oid = indexrelid
     WHERE c.relnamespace = $1::regnamespace AND NOT indisvalid AND c.relname NOT LIKE '%foreign'
       AND c.relname NOT IN ('goes_ccnew', 'rebuilt_v_ccnew', 'rebuilt_v_ccold')
       AND indrelid = to_regclass($2)`,
    [schema, `${schema}.${tableOf(run)}`],
  );
  for (const { name } of invalid) {
    const recorded =
      outcome.outcome === 'needs_attention' && said.includes(JSON.stringify(name).slice(1, -1));
    if (!recorded) violations.push(`${name} is invalid and not recorded: ${said}`);
  }
  const entries = await fileJournal(run.journal).entries();
  if (entries.some((entry) => entry.state === 'intended')) violations.push('the journal has an open row');
  for (const statement of run.plan.statements) {
    const rowsOfIt = entries.filter((entry) => entry.sql === statement && entry.state === 'done');
    if (rowsOfIt.length > 1) violations.push(`the journal has it twice: ${statement}`);
    const sent = timesSent(server, run.apply_id, statement);
    // A reload does nothing by itself, and is sent again so that what is written is surely in force.
    if (sent > 1 && !statement.includes('pg_reload_conf'))
      violations.push(`sent ${sent} times: ${statement}`);
  }
  return violations;
}

function tableOf({ plan: { change } }: Run): string {
  if (change.kind === 'index.create') return `"${change.index.table}"`;
  return 'table' in change ? change.table : 'theirs';
}

function timesSent(server: EmbeddedServer, applyId: string, statement: string): number {
  const log = readFileSync(join(server.dataDirectory, 'log', LOG), 'utf8');
  const begins = `pgluthier:apply:${applyId}|LOG:  statement: ${statement}`;
  return log.split('\n').filter((line) => line === begins).length;
}
