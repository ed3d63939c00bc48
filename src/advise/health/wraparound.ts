/** How near identifiers are to their end: SetTransactionIdLimit() of varsup.c and SetMultiXactIdLimit() of multixact.c. */
import type { RuleContext, TableRow } from '../../domain/index.ts';
import { quoteQualified } from '../../domain/index.ts';
import { STOP_AGE } from '../autovacuum/wraparound.ts';
import { computed, measured, setting } from '../settings/facts.ts';
import type { Found, Seen } from './check.ts';
import { unseen } from './check.ts';
import { count } from './words.ts';

/** vacuum_failsafe_age and its like are 1.6 billion: then vacuum drops all else. Somebody should know before. */
const HIGH_AGE = 1_200_000_000;
const CRITICAL_AGE = 1_900_000_000;
const HIGH_DAYS = 14;
const CRITICAL_DAYS = 3;
/** Autovacuum starts at its freeze_max_age and needs time: only well past that it does not keep up. */
const BEHIND_FACTOR = 2;

export interface Kind {
  /** Of the identifiers: `transaction ids`. */
  words: string;
  setting: string;
  source: string;
  database_age: 'datfrozenxid_age' | 'datminmxid_age';
  table_age: 'xid_age' | 'mxid_age';
}

/** One finding a database; `rate_per_day` null: not known. */
export function wraparound(context: RuleContext, kind: Kind, rate_per_day: number | null): Seen {
  const { snapshot } = context;
  if (snapshot.counters.databases.length === 0) return unseen('The list of databases');
  const limit = setting(context, kind.setting);
  const freeze_max_age = limit === undefined ? null : Number(limit.setting);
  const found = snapshot.counters.databases.flatMap((database) => {
    const age = database[kind.database_age];
    const days = rate_per_day !== null && rate_per_day > 0 ? (STOP_AGE - age) / rate_per_day : null;
    const severity = severityOf(age, days, freeze_max_age);
    if (severity === null) return [];
    const here = database.name === snapshot.server.database;
    const tables = here ? oldest(snapshot.tables, kind.table_age) : [];
    const finding: Found = {
      object: database.name,
      yields_to: [`finding wraparound ${kind.table_age === 'xid_age' ? 'xid' : 'mxid'} ${database.name}`],
      title: `The oldest ${kind.words} of the database ${database.name} are ${count(age)} old`,
      rationale: `At ${count(STOP_AGE)} the server stops all writes, in every database; ${count(Math.max(0, STOP_AGE - age))} are left${days === null ? '' : `, ${Math.max(0, days).toFixed(1)} days at the present rate`}. Autovacuum should have come at ${freeze_max_age === null ? kind.setting : count(freeze_max_age)}: something keeps it from freezing, or it is too slow.`,
      severity,
      evidence: [
        measured('age', age, kind.words, kind.source),
        computed('left until writes stop', STOP_AGE - age, kind.words, '2^31 − 1 − 3,000,000 − age'),
        ...(days === null ? [] : [computed('days left', days, 'days', 'left ÷ identifiers used a day')]),
        ...(limit ? [measured(kind.setting, Number(limit.setting), kind.words, 'pg_settings')] : []),
        ...tables.map((table) =>
          measured(
            `age of ${table.schema}.${table.name}`,
            table.age,
            kind.words,
            'pg_class, its TOAST table included',
          ),
        ),
      ],
      remedy: [
        'First end what holds back the horizon: long transactions, prepared ones, slots (health/xmin-horizon); vacuum cannot freeze behind it.',
        // FREEZE would do more than it takes ("Preventing Transaction ID Wraparound Failures" of the documentation).
        'VACUUM alone freezes what is this old; with INDEX_CLEANUP off it is sooner done, where little time is left.',
        ...(here
          ? tables.map((table) => `VACUUM (VERBOSE) ${quoteQualified(table.schema, table.name)};`)
          : [
              `In the database ${database.name}: VACUUM the tables with the oldest relfrozenxid and relminmxid.`,
            ]),
      ],
    };
    return [finding];
  });
  return { found };
}

function severityOf(
  age: number,
  days: number | null,
  freeze_max_age: number | null,
): Found['severity'] | null {
  // Whoever set a late start of the vacuum against wraparound is not told of ages before it.
  const high = Math.min(Math.max(HIGH_AGE, (freeze_max_age ?? 0) + 100_000_000), CRITICAL_AGE);
  if (age >= CRITICAL_AGE) return 'critical';
  const started = freeze_max_age === null || age > freeze_max_age;
  if (started && days !== null && days < CRITICAL_DAYS) return 'critical';
  if (age >= high || (started && days !== null && days < HIGH_DAYS)) return 'high';
  return freeze_max_age !== null && age >= BEHIND_FACTOR * freeze_max_age && age >= 400_000_000
    ? 'medium'
    : null;
}

function oldest(tables: TableRow[], key: Kind['table_age']) {
  return tables
    .map(({ schema, name, toast, ...table }) => ({
      schema,
      name,
      age: Math.max(table[key] ?? 0, toast?.[key] ?? 0),
    }))
    .filter(({ age }) => age > 0)
    .sort((a, b) => b.age - a.age)
    .slice(0, 3);
}
