/** Updates that touch every index, and why. */
import type { TableRow } from '../../../domain/index.ts';
import { quoteQualified } from '../../../domain/index.ts';
import { type Found, healthRule } from '../../health/check.ts';
import { aged, daysCounted } from '../../health/counted.ts';
import { count, percent } from '../../health/words.ts';
import { computed, measured } from '../../settings/facts.ts';

const MINIMUM_UPDATES = 100_000;
const LOW_HOT = 0.5;
/** The least that the server takes. */
const LEAST_FILLFACTOR = 10;

export const rule = healthRule(
  'hot-updates',
  'Few updates are heap-only',
  'Less than half of 100,000 updates or more were HOT. n_tup_newpage_upd (16 and newer) tells why: where most of the others ' +
    'went to another page there was no room (fillfactor); where they stayed, an indexed column was changed. Before 16 both ' +
    'stay possible and both are named.',
  ({ snapshot }) => {
    const days = daysCounted(snapshot, snapshot.server.stats_reset);
    return {
      found: snapshot.tables.flatMap((table) => {
        const hasIndex = snapshot.indexes.some(({ table_oid }) => table_oid === table.oid);
        if (!hasIndex || table.n_tup_upd < MINIMUM_UPDATES) return [];
        if (table.n_tup_hot_upd / table.n_tup_upd >= LOW_HOT) return [];
        return [aged(found(table), days, 1)];
      }),
    };
  },
);

function found(table: TableRow): Found {
  const name = `${table.schema}.${table.name}`;
  const { n_tup_upd, n_tup_hot_upd, n_tup_newpage_upd } = table;
  const others = n_tup_upd - n_tup_hot_upd;
  const moved = n_tup_newpage_upd === null ? null : Math.min(1, n_tup_newpage_upd / Math.max(1, others));
  const fillfactor = table.reloptions.fillfactor ?? '100';
  const wanted = Math.max(LEAST_FILLFACTOR, Number(fillfactor) - 10);
  const room = `No room on the page: ALTER TABLE ${quoteQualified(table.schema, table.name)} SET (fillfactor = ${wanted});  -- for pages written from now on (now ${fillfactor})`;
  const indexed =
    'An indexed column is changed: every index gets an entry. Which one: compare the columns that UPDATEs set with the indexes; a column that is indexed and changes often costs most (BRIN alone does not count, from 16 on).';
  return {
    object: name,
    title: `Only ${percent(n_tup_hot_upd / n_tup_upd)} of the updates of ${name} are heap-only`,
    rationale: `Every other update writes an entry into each index and leaves one to clean. ${
      moved === null
        ? 'Whether room on the page or an index on a changed column is the reason, versions before 16 do not tell.'
        : moved >= 0.5
          ? `${percent(moved)} of them moved to another page: mostly room was missing.`
          : `${percent(1 - moved)} of them stayed on their page: there was room, so an indexed column was changed.`
    }`,
    severity: n_tup_upd >= 10_000_000 ? 'low' : 'info',
    confidence: moved === null ? 0.6 : 0.8,
    evidence: [
      measured('updates', n_tup_upd, 'rows', 'pg_stat_user_tables.n_tup_upd'),
      measured('of these heap-only', n_tup_hot_upd, 'rows', 'pg_stat_user_tables.n_tup_hot_upd'),
      ...(n_tup_newpage_upd === null
        ? []
        : [
            measured(
              'of these to another page',
              n_tup_newpage_upd,
              'rows',
              'pg_stat_user_tables.n_tup_newpage_upd',
            ),
          ]),
      computed(
        'heap-only',
        n_tup_hot_upd / n_tup_upd,
        'share',
        `${count(n_tup_hot_upd)} ÷ ${count(n_tup_upd)}`,
      ),
      measured('fillfactor', fillfactor, '%', 'pg_class.reloptions'),
    ],
    remedy: moved === null ? [room, indexed] : moved >= 0.5 ? [room] : [indexed],
  };
}
