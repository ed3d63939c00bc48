/** Columns' statistics with codes in place of values. */
import type { ColumnRow, ColumnStats, ExtendedStatistics, Limit, Snapshot } from '../domain/index.ts';
import { formatArrayText, parseArrayText } from '../workload/index.ts';
import { Codes, type Family, familyOf } from './codes.ts';

/** The values of a flat array; null where it holds anything else. */
function flat(text: string): string[] | null {
  const elements = parseArrayText(text);
  return elements.every((element) => typeof element === 'string') ? (elements as string[]) : null;
}

function withoutValues(stats: ColumnStats): ColumnStats {
  return {
    ...stats,
    most_common_vals: null,
    most_common_freqs: null,
    histogram_bounds: null,
    most_common_elems: null,
    most_common_elem_freqs: null,
    elem_count_histogram: null,
    range_length_histogram: null,
    range_empty_frac: null,
    range_bounds_histogram: null,
  };
}

/** Codes of a column's own values and of its elements; null: dropped. */
interface Families {
  values: Family | 'keep' | null;
  elements: Family | 'keep' | null;
}

/** Statistics of all columns, expressions and CREATE STATISTICS, their values replaced; limits name what was dropped. */
export function stripStatistics(snapshot: Snapshot): Pick<Snapshot, 'columns' | 'schema'> & {
  limits: Limit[];
} {
  const domains = new Map(
    snapshot.schema.domains.flatMap((domain) => [
      [`${domain.schema}.${domain.name}`, domain.base_type],
      [domain.name, domain.base_type],
    ]),
  );
  const enums = new Set(snapshot.schema.enums.flatMap(({ schema, name }) => [name, `${schema}.${name}`]));
  const databaseCollation =
    snapshot.server.locale_provider !== 'icu' &&
    ['C', 'POSIX', 'C.UTF-8', 'C.utf8'].includes(snapshot.server.lc_collate ?? '')
      ? '"C"'
      : 'default';
  const familiesOf = (column: ColumnRow): Families => {
    const type = (column.typtype === 'd' ? domains.get(column.type) : undefined) ?? column.type;
    const collation = column.collation?.replace(/^pg_catalog\./, '') ?? databaseCollation;
    if (!type.endsWith('[]')) {
      const lexemes: Family | null = type === 'tsvector' ? { kind: 'text', key: 'lexeme' } : null;
      return { values: familyOf(type, column.typtype, collation), elements: lexemes };
    }
    const element = type.slice(0, -2);
    return { values: null, elements: familyOf(element, enums.has(element) ? 'e' : 'b', collation) };
  };
  const families = new Map(snapshot.columns.map((column) => [column, familiesOf(column)]));
  const codes = new Codes(snapshot.taken_at);

  const usable = (family: Family | 'keep' | null, texts: (string | null)[]): boolean => {
    if (family === null) return texts.every((text) => text === null);
    if (family === 'keep') return true;
    return texts.every((text) => {
      const values = text === null ? [] : flat(text);
      return values !== null && codes.readable(family, values);
    });
  };
  const dropped: string[] = [];
  for (const [column, found] of families) {
    const { stats } = column;
    if (!stats) continue;
    const own = [stats.most_common_vals, stats.histogram_bounds];
    const elements = [stats.most_common_elems];
    const ranges = [stats.range_bounds_histogram ?? null, stats.range_length_histogram ?? null];
    const name = `${column.schema}.${column.table}.${column.name}`;
    if (!usable(found.values, own)) found.values = null;
    if (!usable(found.elements, elements)) found.elements = null;
    const lost =
      (found.values === null && own.some((text) => text !== null)) ||
      (found.elements === null && elements.some((text) => text !== null)) ||
      ranges.some((text) => text !== null);
    if (lost) dropped.push(`${name} (${column.type})`);
    for (const [family, text, ascending] of [
      [found.values, stats.most_common_vals, false],
      [found.values, stats.histogram_bounds, true],
      [found.elements, stats.most_common_elems, true],
    ] as const) {
      if (family !== null && family !== 'keep' && text !== null) {
        codes.gather(family, flat(text) ?? [], ascending);
      }
    }
  }
  const byName = new Map(
    snapshot.columns.map((column) => [`${column.table_oid} ${column.name}`, families.get(column)?.values]),
  );
  /** Families of a CREATE STATISTICS' columns; null: its common values cannot all have codes. */
  const familiesOfExtended = (item: ExtendedStatistics): (Family | 'keep')[] | null => {
    const found = item.columns.map((name) => byName.get(`${item.table_oid} ${name}`) ?? null);
    const rows = item.data?.most_common_vals ?? [];
    const fits = found.every((family, at) => {
      if (family === null || family === 'keep') return family === 'keep';
      return codes.readable(
        family,
        rows.flatMap((values) => values[at] ?? []),
      );
    });
    return fits && item.expressions.length === 0 ? (found as (Family | 'keep')[]) : null;
  };
  const extended = snapshot.schema.extended_statistics.map((item) => {
    const found = familiesOfExtended(item);
    if (item.data?.most_common_vals && found === null) dropped.push(`statistics ${item.schema}.${item.name}`);
    for (const values of item.data?.most_common_vals ?? []) {
      found?.forEach((family, at) => {
        const value = values[at];
        if (family !== 'keep' && typeof value === 'string') codes.gather(family, [value], false);
      });
    }
    return { item, found };
  });
  codes.seal();

  const recode = (family: Family | 'keep' | null, text: string | null): string | null => {
    if (family === null || text === null) return null;
    if (family === 'keep') return text;
    return formatArrayText((flat(text) ?? []).map((value) => codes.code(family, value)));
  };
  const columns = snapshot.columns.map((column): ColumnRow => {
    const { stats } = column;
    const found = families.get(column);
    // Values of trees have no codes of their own; what stands at the ends of an index are values.
    const tree = column.tree_stats ? { tree_stats: withoutValues(column.tree_stats) } : {};
    const { ends: _e, ...rest } = column;
    if (!stats || !found) return { ...rest, ...tree };
    const values = recode(found.values, stats.most_common_vals);
    const elements = recode(found.elements, stats.most_common_elems);
    return {
      ...rest,
      ...tree,
      stats: {
        ...withoutValues(stats),
        most_common_vals: values,
        most_common_freqs: values === null ? null : stats.most_common_freqs,
        histogram_bounds: recode(found.values, stats.histogram_bounds),
        most_common_elems: elements,
        most_common_elem_freqs: elements === null ? null : stats.most_common_elem_freqs,
        elem_count_histogram: elements === null ? null : stats.elem_count_histogram,
      },
    };
  });
  const { expression_stats, ...schema } = snapshot.schema;
  return {
    columns,
    schema: {
      ...schema,
      extended_statistics: extended.map(({ item, found }) => stripExtended(item, found, codes)),
      ...(expression_stats
        ? {
            expression_stats: expression_stats.map((each) => ({ ...each, stats: withoutValues(each.stats) })),
          }
        : {}),
    },
    limits: dropped.length === 0 ? [] : [droppedLimit(dropped)],
  };
}

function stripExtended(
  item: ExtendedStatistics,
  found: (Family | 'keep')[] | null,
  codes: Codes,
): ExtendedStatistics {
  if (!item.data) return item;
  const { data } = item;
  const values = found
    ? (data.most_common_vals?.map((row) =>
        row.map((value, at) => {
          const family = found[at] ?? 'keep';
          return value === null || family === 'keep' ? value : codes.code(family, value);
        }),
      ) ?? null)
    : null;
  return {
    ...item,
    data: {
      ...data,
      most_common_vals: values,
      most_common_freqs: values && data.most_common_freqs,
      most_common_base_freqs: values && data.most_common_base_freqs,
      expressions: data.expressions.map((stats) => stats && withoutValues(stats)),
    },
  };
}

function droppedLimit(dropped: string[]): Limit {
  return {
    scope: 'statistics',
    code: 'stripped_without_rank',
    message: `Values of these were left out, as their types have no codes: ${dropped.slice(0, 20).join(', ')}${dropped.length > 20 ? ` and ${dropped.length - 20} more` : ''}. Conditions on them are estimated by defaults.`,
    remedy: 'Export with --strip none, if the file may hold data.',
  };
}
