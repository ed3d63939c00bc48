/** Forced vacuums of large tables that are soon to come: the same work at an hour of your choice. */
import type { RecommendationDraft, Rule } from '../../../domain/index.ts';
import { count } from '../../autovacuum/table-draft.ts';
import { vacuumDraft } from '../../autovacuum/vacuum-draft.ts';
import {
  type Aged,
  BEHIND_FACTOR,
  daysUntil,
  tablesByAge,
  type WraparoundFacts,
  wraparoundFacts,
} from '../../autovacuum/wraparound.ts';
import { computed, measured } from '../../settings/facts.ts';

const ID = 'autovacuum/forced-vacuum';
const MOST_TABLES = 10;
/** Tables whose forced vacuum is worth an appointment: 1 GB, within a week. */
const LARGE_PAGES = 131_072;
const SOON_DAYS = 7;
/** Frozen for the most part already (18 tells): the forced vacuum is a matter of minutes. */
const FROZEN_SHARE = 0.8;

export const rule: Rule = {
  id: ID,
  area: 'autovacuum',
  title: 'A vacuum against wraparound of a large table is about to come',
  description:
    'Fires for tables of 1 GB and more that reach autovacuum_freeze_max_age (or that of multixacts) within a week at the ' +
    'rate of the window: a VACUUM (FREEZE) before that, at an hour of your choice. Quiet without a window, for tables ' +
    'frozen for more than four fifths (18 tells), and for those that are beyond it (autovacuum/wraparound).',
  evaluate: (context) => {
    const counters = (['xid', 'mxid'] as const).flatMap((counter) => {
      const facts = wraparoundFacts(counter, context);
      return facts === null ? [] : [{ facts, tables: tablesByAge(context, counter) }];
    });
    // Tables that are behind by either counter are frozen by autovacuum/wraparound, and each is frozen once.
    const taken = new Set(
      counters.flatMap(({ facts, tables }) =>
        tables.filter(({ age }) => age > BEHIND_FACTOR * facts.forced_at).map(({ table }) => table.oid),
      ),
    );
    const recommendations = counters.flatMap(({ facts, tables }) => {
      const drafts = tables
        .filter(({ table }) => !taken.has(table.oid))
        .flatMap((one) => forecast(one, facts).map((draft) => ({ draft, oid: one.table.oid })))
        .slice(0, MOST_TABLES);
      for (const { oid } of drafts) taken.add(oid);
      return drafts.map(({ draft }) => draft);
    });
    return { recommendations, rejections: [], limits: [] };
  },
};

function forecast({ table, age }: Aged, facts: WraparoundFacts): RecommendationDraft[] {
  const options =
    table.reloptions[
      facts.counter === 'xid' ? 'autovacuum_freeze_max_age' : 'autovacuum_multixact_freeze_max_age'
    ];
  const forcedAt = Math.min(
    facts.forced_at,
    options === undefined ? Number.POSITIVE_INFINITY : Number(options),
  );
  const days = daysUntil(age, forcedAt, facts.a_day);
  const frozen = table.relpages > 0 ? (table.relallfrozen ?? 0) / table.relpages : 0;
  if (days === null || days > SOON_DAYS || table.main_pages < LARGE_PAGES || frozen > FROZEN_SHARE) return [];
  const name = `${table.schema}.${table.name}`;
  return [
    vacuumDraft(table, {
      rule: ID,
      freeze: true,
      analyze: false,
      title: `VACUUM (FREEZE) ${name} at a quiet hour: the forced one comes in ${days < 1 ? 'less than a day' : `about ${Math.round(days)} days`}`,
      rationale: `At the rate of the window its oldest ${facts.counter === 'xid' ? 'transaction' : 'multixact'} reaches ${count(forcedAt)} in ${Number(days.toPrecision(2))} days. Then autovacuum reads ${count(table.main_pages * (1 - frozen))} pages of it at an hour that nobody chose, and does not give way to locks. The same work can be done before.`,
      severity: 'medium',
      confidence: 0.7,
      evidence: [
        measured(
          `age of ${name}`,
          age,
          facts.noun,
          facts.counter === 'xid' ? 'age(relfrozenxid)' : 'mxid_age(relminmxid)',
        ),
        ...(facts.a_day === null
          ? []
          : [measured(`${facts.noun} a day`, facts.a_day, facts.noun, facts.source)]),
        computed(
          'days until the forced vacuum',
          days,
          'days',
          `(${forcedAt} − ${age}) / ${Math.round(facts.a_day ?? 0)} a day`,
        ),
        measured(
          'pages not known to be frozen',
          table.main_pages * (1 - frozen),
          'pages',
          table.relallfrozen === null
            ? 'pg_relation_size; how many are frozen is told from 18 on'
            : 'pg_relation_size less relallfrozen',
        ),
      ],
      notes: [],
    }),
  ];
}
