/** Autovacuum switched off, for the server or for single tables. */
import { quoteQualified, type RecommendationDraft, type Rule, type Snapshot } from '../../../domain/index.ts';
import { isOff } from '../../autovacuum/options.ts';
import { findingDraft, settingEvidence } from '../../health/finding.ts';
import { measured } from '../../settings/facts.ts';

const ID = 'health/autovacuum-off';

export const rule: Rule = {
  id: ID,
  area: 'health',
  title: 'Autovacuum is off',
  description:
    'Fires where autovacuum or track_counts, without which it knows nothing, is off for the server, and for each table ' +
    'with autovacuum_enabled = off, and for TOAST tables whose own toast.autovacuum_enabled is off. Then dead rows stay, statistics age, and only the vacuum against wraparound comes.',
  evaluate: ({ snapshot }) => ({
    recommendations: [...forServer(snapshot), ...forTables(snapshot), ...forToast(snapshot)],
    rejections: [],
    limits: [],
  }),
};

function forServer(snapshot: Snapshot): RecommendationDraft[] {
  return snapshot.settings
    .filter((row) => ['autovacuum', 'track_counts'].includes(row.name) && isOff(row.setting))
    .map((row) =>
      findingDraft({
        rule: ID,
        key: `finding ${row.name} off`,
        title: `${row.name} is off: no table is vacuumed or analysed by itself`,
        rationale:
          'Dead rows stay and tables grow, the planner works with old statistics, and in the end the server vacuums everything at once against wraparound, at the worst time.',
        severity: 'high',
        evidence: [settingEvidence(row)],
        restart: false,
        notes: [`Switch ${row.name} on and reload; the first round will have much to do.`],
      }),
    );
}

function forTables(snapshot: Snapshot): RecommendationDraft[] {
  return snapshot.tables
    .filter((table) => isOff(table.reloptions.autovacuum_enabled))
    .map((table) => {
      const name = `${table.schema}.${table.name}`;
      return findingDraft({
        rule: ID,
        key: `finding autovacuum_enabled off ${name}`,
        title: `Autovacuum is switched off for ${name}`,
        rationale: `Somebody set autovacuum_enabled = off; ${table.n_dead_tup.toLocaleString('en-US')} dead rows beside ${table.n_live_tup.toLocaleString('en-US')} live ones are there now. Where a job of your own vacuums and analyses it, that is fine.`,
        severity: table.n_dead_tup > 0.2 * table.n_live_tup ? 'medium' : 'low',
        evidence: [
          {
            name: 'autovacuum_enabled',
            value: table.reloptions.autovacuum_enabled ?? null,
            unit: null,
            source: 'pg_class.reloptions',
            level: 'measured',
            formula: null,
          },
          {
            name: 'dead rows now',
            value: table.n_dead_tup,
            unit: 'rows',
            source: 'pg_stat_user_tables.n_dead_tup',
            level: 'measured',
            formula: null,
          },
          {
            name: 'last vacuum',
            value: table.last_vacuum ?? table.last_autovacuum ?? 'never',
            unit: null,
            source: 'pg_stat_user_tables',
            level: 'measured',
            formula: null,
          },
        ],
        restart: false,
        notes: [`ALTER TABLE ${quoteQualified(table.schema, table.name)} RESET (autovacuum_enabled);`],
      });
    });
}

/** A TOAST table with storage parameters of its own is switched by those alone; without any it takes its table's. */
function forToast(snapshot: Snapshot): RecommendationDraft[] {
  return snapshot.tables.flatMap((table) => {
    const { toast, toast_reloptions, reloptions } = table;
    const off = toast_reloptions.autovacuum_enabled ?? '';
    if (toast === null || !isOff(off) || isOff(reloptions.autovacuum_enabled)) return [];
    const name = `${table.schema}.${table.name}`;
    return [
      findingDraft({
        rule: ID,
        key: `finding toast.autovacuum_enabled off ${name}`,
        title: `Autovacuum is switched off for the large values of ${name}`,
        rationale: `Somebody set toast.autovacuum_enabled = off: the table is vacuumed, its TOAST table is not. ${toast.n_dead_tup.toLocaleString('en-US')} dead pieces of values beside ${toast.n_live_tup.toLocaleString('en-US')} live ones are there now. Where a job of your own vacuums it, that is fine.`,
        severity: toast.n_dead_tup > 0.2 * toast.n_live_tup ? 'medium' : 'low',
        evidence: [
          measured('toast.autovacuum_enabled', off, null, 'pg_class.reloptions of the TOAST table'),
          measured(
            'dead rows now',
            toast.n_dead_tup,
            'rows',
            'pg_stat_sys_tables.n_dead_tup of the TOAST table',
          ),
          measured('last autovacuum', toast.last_autovacuum ?? 'never', null, 'pg_stat_sys_tables'),
        ],
        restart: false,
        notes: [`ALTER TABLE ${quoteQualified(table.schema, table.name)} RESET (toast.autovacuum_enabled);`],
      }),
    ];
  });
}
