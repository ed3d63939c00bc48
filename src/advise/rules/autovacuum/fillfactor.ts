/** Updates that find no room on their page: fillfactor leaves some; and those that an index keeps from being HOT. */
import type { RecommendationDraft, Rule, RuleContext, TableRow } from '../../../domain/index.ts';
import type { Churn } from '../../autovacuum/churn.ts';
import { judgeTables, sureness } from '../../autovacuum/judged-tables.ts';
import { rowsOf } from '../../autovacuum/options.ts';
import { count, optionsDraft } from '../../autovacuum/table-draft.ts';
import { computed, measured } from '../../settings/facts.ts';

const ID = 'autovacuum/fillfactor';
const MINIMUM_ROWS = 10_000;
const MINIMUM_UPDATES = 1_000;
/** HOT updates above this share: fine as it is. */
const GOOD_HOT = 0.5;
/** Updates that left their page, of those that were not HOT: from here on room is what they lacked. */
const MOSTLY_NEWPAGE = 0.5;
const [LEAST_FILL, MOST_FILL, STEP] = [70, 95, 5];
/** A page without its header (24 bytes of 8 kB). */
const PAGE_HEADER = 24;

export const rule: Rule = {
  id: ID,
  area: 'autovacuum',
  title: 'Updates leave their pages for want of room',
  description:
    'Of 16 and newer, which count n_tup_newpage_upd. Fires for tables of 10,000 rows and more with 1,000 updates and more ' +
    'of which fewer than half are HOT and most of the others went to another page: fillfactor = 100 − the share of a page ' +
    'that one more version of a row takes for each update that a page gets between two vacuums (at least one), in steps ' +
    'of 5, from 95 down to 70. Where the versions stayed on their page and still were not HOT, an indexed column is ' +
    'what changes: that is a rejection, for no fillfactor helps.',
  evaluate: (context) => {
    const result = judgeTables(context, {
      rule: ID,
      concerns: (table) => table.relkind === 'r' && rowsOf(table) >= MINIMUM_ROWS,
      judge: (table, churn) => judge(table, churn, context),
      by_horizon: false,
    });
    if (context.snapshot.server.server_version_num < 160000) {
      result.limits.push({
        scope: ID,
        code: 'newpage_not_counted',
        message:
          'Before 16 PostgreSQL does not count updates that leave their page: whether fillfactor would help is not told.',
        remedy: null,
      });
    }
    return result;
  },
};

function judge(
  table: TableRow,
  churn: Churn,
  context: RuleContext,
): RecommendationDraft | { code: string; reason: string } | null {
  const { updated, hot, newpage } = churn;
  if (updated < MINIMUM_UPDATES || newpage === null) return null;
  const share = hot / updated;
  if (share >= GOOD_HOT) return null;
  const stayed = updated - hot - newpage;
  if (newpage < MOSTLY_NEWPAGE * (updated - hot)) {
    const others = context.snapshot.indexes.filter(
      (index) => index.table_oid === table.oid && !index.is_primary && index.method !== 'brin',
    );
    return {
      code: 'index_blocks_hot',
      reason: `${count(stayed)} of ${count(updated)} updates stayed on their page and were not HOT: they change a column of an index (${others.map(({ name }) => name).join(', ') || 'the primary key'}); only that index going helps, not room`,
    };
  }
  const present = Number(table.reloptions.fillfactor ?? 100);
  const rows = rowsOf(table);
  const perPage = rows / Math.max(1, table.relpages);
  const size = (context.snapshot.server.block_size - PAGE_HEADER) / perPage;
  const versions = Math.max(1, Math.min(perPage, updatesBetweenVacuums(churn) / Math.max(1, table.relpages)));
  const room = (100 * versions * size) / (context.snapshot.server.block_size - PAGE_HEADER);
  const wanted = Math.min(MOST_FILL, Math.max(LEAST_FILL, Math.floor((100 - room) / STEP) * STEP));
  if (present <= wanted) {
    return {
      code: 'low_already',
      reason: `fillfactor is ${present} already; ${wanted} would be proposed. Pages filled before it was set have no room until they are rewritten`,
    };
  }
  if (100 - room < LEAST_FILL - STEP) {
    return {
      code: 'rows_too_wide',
      reason: `a page holds about ${Number(perPage.toPrecision(2))} rows: room for one more version would waste more than ${100 - LEAST_FILL} % of it`,
    };
  }
  const { sure, caveat } = sureness(churn);
  return optionsDraft(table, {
    rule: ID,
    topic: 'fillfactor',
    set: { fillfactor: String(wanted) },
    title: `fillfactor ${wanted} for ${table.schema}.${table.name}: ${Math.round((100 * newpage) / updated)} % of its updates find no room on their page`,
    rationale:
      `Only ${Math.round(100 * share)} % of its updates are HOT, and ${count(newpage)} of ${count(updated)} went to another page: each of those writes an entry into every index, and its old version waits for vacuum. ` +
      `With ${100 - wanted} % of each page kept free the next version stays where the row is.${caveat}`,
    severity: 'low',
    confidence: sure ? 0.65 : 0.5,
    evidence: [
      {
        ...measured('share of HOT updates', share, 'share', churn.source),
        formula: `n_tup_hot_upd ${hot} / n_tup_upd ${updated}`,
      },
      {
        ...measured('updates that went to another page', newpage / updated, 'share', churn.source),
        formula: `n_tup_newpage_upd ${newpage} / n_tup_upd ${updated}`,
      },
      measured('fillfactor now', present, '%', 'pg_class.reloptions'),
      computed(
        'rows on a page',
        perPage,
        'rows',
        `reltuples ${Math.round(rows)} / relpages ${table.relpages}`,
      ),
      computed(
        'fillfactor after',
        wanted,
        '%',
        `100 − ${Number(versions.toPrecision(3))} version(s) × ${Math.round(size)} bytes of a row / ${context.snapshot.server.block_size - PAGE_HEADER} bytes of a page, down to a step of ${STEP}, within ${LEAST_FILL} and ${MOST_FILL}`,
      ),
    ],
    notes: [
      'It holds for pages that are filled from now on: those that are full stay so until their rows move or the table is rewritten (VACUUM FULL, pg_repack).',
      `The table takes up to ${Math.round(10_000 / wanted - 100)} % more pages when it is rewritten or grows.`,
      'Updates of indexed columns are never HOT, whatever the room.',
    ],
  });
}

/** Updates that come to the table between two vacuums, as far as they were counted. */
function updatesBetweenVacuums({ updated, autovacuums }: Churn): number {
  return updated / Math.max(1, autovacuums);
}
