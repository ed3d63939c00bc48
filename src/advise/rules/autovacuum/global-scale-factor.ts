/** autovacuum_vacuum_scale_factor of the server, where it is late for many tables at once. */
import type { Rule } from '../../../domain/index.ts';
import { manyBehind } from '../../autovacuum/many-behind.ts';
import { measured } from '../../settings/facts.ts';
import { propose } from '../../settings/propose.ts';

const ID = 'autovacuum/global-scale-factor';
const NAME = 'autovacuum_vacuum_scale_factor';
const NAMED = 8;

export const rule: Rule = {
  id: ID,
  area: 'autovacuum',
  title: 'Autovacuum comes too late for many tables',
  description:
    'Fires where a quarter and more of the changing tables (50,000 rows, 500 changes, ten tables at least) that have no ' +
    "triggers of their own are at least twice as late as wanted by autovacuum/scale-factor: then the server's setting is " +
    'put right, to the middle one of their wanted shares, and tables that it serves have no advice of their own.',
  evaluate: (context) => {
    const many = manyBehind(context);
    if (many === null) return { recommendations: [], rejections: [], limits: [] };
    return propose(context, {
      rule: ID,
      name: NAME,
      value: many.scale_factor,
      formula: `the middle one of the wanted triggers of ${many.behind} tables, as a share of their rows`,
      why: `Autovacuum comes at least twice too late for ${many.behind} of ${many.judged} changing tables that go by the server's setting (${many.names.slice(0, NAMED).join(', ')}${many.names.length > NAMED ? ', …' : ''}): one setting instead of ${many.behind}.`,
      unless:
        'Tables that hardly change are vacuumed no more often by it; those with triggers of their own keep them.',
      severity: 'medium',
      confidence: 0.6,
      direction: 'lower',
      observed: true,
      evidence: [
        measured('changing tables judged', many.judged, 'tables', 'pg_stat_user_tables'),
        measured('of them at least twice too late', many.behind, 'tables', 'autovacuum/scale-factor'),
      ],
    });
  },
};
