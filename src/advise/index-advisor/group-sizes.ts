/** How many rows have the same value, as far as statistics tell, and what of it is left where a condition keeps a part. */
import { alikeGroups, type GroupSizes, type SampledValues } from './alike-groups.ts';
import { unevenGroups } from './uneven-groups.ts';

/**
 * Sizes of the groups of rows with the same value, the most common ones apart: as if all of them were about alike, or
 * where more values are common than that explains, as the distributions have it that do.
 */
export function groupSizes(values: SampledValues): GroupSizes {
  const alike = alikeGroups(values);
  return unevenGroups(values, alike) ?? alike.groups;
}

/** What is left of the groups in a share of the rows that has nothing to do with them. */
export function thinned({ classes, distinct }: GroupSizes, selectivity: number, common: number): GroupSizes {
  const groups = classes.reduce((sum, { share, rows }) => sum + share / rows, 0);
  const others = Math.max(0, distinct - common);
  // Of next to no rows 1 − (1 − s)^n is lost in rounding; expm1 and log1p keep it.
  const met = (rows: number) => -Math.expm1(rows * Math.log1p(-Math.min(selectivity, 1 - 1e-12)));
  const left = classes.map(({ share, rows }) => ({
    share,
    rows: selectivity > 0 ? Math.max(1, (rows * selectivity) / met(rows)) : 1,
  }));
  const groupsLeft = left.reduce((sum, each) => sum + (each.share * selectivity) / each.rows, 0);
  return { classes: left, distinct: common + (others * groupsLeft) / Math.max(1e-9, groups), evenness: 0 };
}

/**
 * The fewest values that a share of the rows can have: a condition that has to do with the values keeps the rows of the
 * most common ones.
 * @param common shares of the most common values, of all rows.
 * @param present share of all rows that have a value.
 */
export function commonest(
  groups: GroupSizes,
  share: number,
  common: readonly number[],
  present: number,
): GroupSizes {
  let left = share;
  let distinct = 0;
  for (const each of common) {
    if (left <= 0) break;
    distinct += 1;
    left -= each / Math.max(1e-9, present);
  }
  const others = Math.max(0, groups.distinct - common.length);
  const all = groups.classes.reduce((sum, { share: its, rows }) => sum + its / rows, 0);
  // Rows that have none of the most common values, as a share of those with a value.
  const rest = Math.max(1e-9, 1 - common.reduce((sum, each) => sum + each, 0) / Math.max(1e-9, present));
  for (const { share: its, rows } of groups.classes.toSorted((a, b) => b.rows - a.rows)) {
    if (left <= 0) break;
    const taken = Math.min(1, left / Math.max(1e-12, its * rest));
    distinct += (taken * others * (its / rows)) / Math.max(1e-12, all);
    left -= taken * its * rest;
  }
  return { ...groups, distinct: Math.max(1, distinct) };
}
