/** Telling aggregates and window functions from plain functions. */
import type { FuncCall } from '@pgsql/types';
import { lastName, walk } from './tree.ts';

/** PostgreSQL's own aggregates by name (pg_aggregate of 18); an aggregate of an extension is read as a function. */
const AGGREGATES: ReadonlySet<string> = new Set(
  'any_value array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop covar_samp every json_agg json_agg_strict json_arrayagg json_object_agg json_objectagg jsonb_agg jsonb_object_agg max min mode percentile_cont percentile_disc range_agg range_intersect_agg regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy stddev stddev_pop stddev_samp string_agg sum var_pop var_samp variance xmlagg'.split(
    ' ',
  ),
);

/** Aggregates and window functions whose result is one of their first argument's values. */
export const GIVES_ITS_ARGUMENT: ReadonlySet<string> = new Set(
  'min max any_value first_value last_value nth_value lag lead'.split(' '),
);

/** A call of an aggregate (or a window function, which is as opaque). */
export function isAggregateCall(call: FuncCall): boolean {
  return (
    call.over !== undefined ||
    call.agg_star === true ||
    call.agg_within_group === true ||
    call.agg_distinct === true ||
    call.agg_filter !== undefined ||
    (call.agg_order?.length ?? 0) > 0 ||
    AGGREGATES.has(lastName(call.funcname))
  );
}

/** Tells whether a call of an aggregate stands in a tree, sub-selects apart. */
export function holdsAggregate(tree: unknown): boolean {
  let found = false;
  walk(tree, (node) => {
    if ('SubLink' in node) return false;
    if ('FuncCall' in node && isAggregateCall(node.FuncCall)) found = true;
    if ('GroupingFunc' in node || 'JsonObjectAgg' in node || 'JsonArrayAgg' in node) found = true;
    return !found;
  });
  return found;
}
