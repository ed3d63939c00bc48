/** What must hold after whatever was killed: by the catalogs, the journal and the server's own log. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApplyOutcome } from '../../../src/domain/index.ts';
import type { EmbeddedServer } from '../../../src/embedded/index.ts';
import { fileJournal } from '../journal.ts';
import { rows } from '../target.ts';
import type { Run } from './round.ts';
import { SETTINGS } from './setting-subjects.ts';
import type { Subject } from './subjects.ts';

export interface Ended {
  run: Run;
  subject: Subject;
  outcome: ApplyOutcome;
  /** What recovery says when it is asked once more. */
  again: ApplyOutcome;
  /** The server itself crashed, and lost its counters of activity. */
  crashed: boolean;
  /** How often each line stands in the server's log. */
  log: ReadonlyMap<string, number>;
}

const LOG = 'chaos.log';

/** So that the server itself tells what it was sent, and by whom. */
export const chaosSettings: Record<string, string> = {
  autovacuum: 'off',
  geqo_effort: '6',
  max_connections: '300',
  logging_collector: 'on',
  log_directory: 'log',
  log_filename: LOG,
  log_statement: 'all',
  log_line_prefix: '%a|',
};

const FOREIGN = `(c.relname LIKE 'theirs%' OR c.relname LIKE '%foreign' OR c.relname LIKE '%_pkey'
  OR c.relname IN ('goes_ccnew', 'rebuilt_v_ccnew', 'rebuilt_v_ccold'))`;

/** Indexes, options and statistics in the schemas that are not an apply's, and settings that nobody asked to change. */
export async function foreignState(dsn: string, schemas: readonly string[]): Promise<string> {
  const [row] = await rows<{ state: string }>(
    dsn,
    `WITH mine AS (SELECT oid FROM pg_namespace WHERE nspname = ANY ($1::text[]))
     SELECT json_build_object(
       'indexes', (SELECT json_agg(json_build_array(indexrelid::regclass::text, indexrelid, indisvalid, indisready)
                   ORDER BY indexrelid)
                   FROM pg_index JOIN pg_class c ON c.oid = indexrelid
                   WHERE c.relnamespace IN (TABLE mine) AND ${FOREIGN}),
       'options', (SELECT json_agg(reloptions ORDER BY oid) FROM pg_class
                   WHERE relname = 'theirs' AND relnamespace IN (TABLE mine)),
       'statistics', (SELECT json_agg(oid ORDER BY oid) FROM pg_statistic_ext
                      WHERE stxname = 'theirs_ab' AND stxnamespace IN (TABLE mine)),
       'settings', (SELECT json_agg(json_build_array(name, setting) ORDER BY seqno) FROM pg_file_settings
                    WHERE name <> ALL ($2::text[]) AND sourcefile ~ 'auto.conf')) AS state`,
    [schemas, SETTINGS],
  );
  return JSON.stringify(row?.state);
}

export async function violationsOf(ended: Ended): Promise<string[]> {
  const { run, subject, outcome, again, crashed, log } = ended;
  const { place } = run;
  const said = JSON.stringify(outcome);
  const violations: string[] = [];
  const effect = await subject.effect(place);
  const unknown = crashed && outcome.outcome === 'failed' && outcome.code === 'effect_unknown';
  const agrees =
    outcome.outcome === 'needs_attention' ||
    unknown ||
    effect === (outcome.outcome === 'applied' ? 'done' : 'undone');
  if (!agrees) violations.push(`the catalogs say ${effect}, the outcome ${said}`);
  if (again.outcome !== outcome.outcome) violations.push(`${said}, and asked again ${JSON.stringify(again)}`);
  const invalid = await rows<{ name: string }>(
    place.dsn,
    `SELECT format('%I.%I', $1::text, c.relname) AS name FROM pg_index JOIN pg_class c ON c.oid = indexrelid
     WHERE c.relnamespace = $1::regnamespace AND NOT indisvalid AND NOT ${FOREIGN}`,
    [place.schema],
  );
  for (const { name } of invalid) {
    const recorded = outcome.outcome !== 'applied' && said.includes(JSON.stringify(name).slice(1, -1));
    if (!recorded) violations.push(`${name} is invalid and not recorded: ${said}`);
  }
  // In the middle of a statement its index has long been seen: no person is to be asked whose it is.
  if (run.point === null && (said.includes('unseen_leftover') || said.includes('transient_index_left')))
    violations.push(`its own index was not known: ${said}`);
  const entries = await fileJournal(run.journal).entries();
  if (entries.some((entry) => entry.state === 'intended')) violations.push('the journal has an open row');
  for (const statement of run.plan.statements) {
    const done = entries.filter((entry) => entry.sql === statement && entry.state === 'done');
    if (done.length > 1) violations.push(`the journal has it twice: ${statement}`);
    const sent = log.get(lineOf(run.apply_id, statement)) ?? 0;
    // A short wait for a lock, and what met another change of the same row, is tried again: each time is a row, with
    // the server's word that nothing was done.
    const refused = entries.filter(
      ({ sql, sqlstate }) => sql === statement && ['55P03', 'XX000', '23505'].includes(sqlstate ?? ''),
    ).length;
    // A reload does nothing by itself, and is sent again so that what is written is surely in force.
    if (sent > 1 + refused && !statement.includes('pg_reload_conf'))
      violations.push(`sent ${sent} times: ${statement}`);
    // Else the log is not read as it is written, and shows nothing at all.
    if (sent === 0 && done.some(({ message }) => message === null))
      violations.push(`done, and not in the server's log: ${statement}`);
  }
  return violations;
}

const lineOf = (applyId: string, statement: string) =>
  `pgluthier:apply:${applyId}|LOG:  execute <unnamed>: ${statement}`;

/** How often each line was logged since the server was made. */
export function loggedLines(server: EmbeddedServer): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of readFileSync(join(server.dataDirectory, 'log', LOG), 'utf8').split('\n')) {
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  return counts;
}
