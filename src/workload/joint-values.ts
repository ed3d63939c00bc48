/** Values of several columns that go together: a tenant and its orders, a city and its country. */
import { type ExtendedStatistics, quoteLiteral } from '../domain/index.ts';
import type { ChoiceContext, ParameterChoice } from './parameter-choice.ts';

/** A parameter that one column of a relation is compared with by `=`. */
interface EqualColumn {
  attribute: string;
  choice: ParameterChoice;
}

interface Combination {
  values: string[];
  frequency: number;
}

/** The most common combinations of these columns that extended statistics hold, the most common first. */
function combinations(statistics: ExtendedStatistics, columns: readonly string[]): Combination[] {
  const places = columns.map((column) => statistics.columns.indexOf(column));
  const { most_common_vals: rows, most_common_freqs: freqs } = statistics.data ?? {};
  const found = new Map<string, Combination>();
  (rows ?? []).forEach((row, index) => {
    const values = places.map((place) => row[place] ?? null);
    if (values.some((value) => value === null)) return;
    const key = JSON.stringify(values);
    const known = found.get(key);
    const frequency = (known?.frequency ?? 0) + (freqs?.[index] ?? 0);
    found.set(key, { values: values as string[], frequency });
  });
  return [...found.values()].sort((a, b) => b.frequency - a.frequency);
}

/** The most common, a middling and the least common combination. */
function representatives(all: readonly Combination[]): Combination[] {
  const last = all.length - 1;
  const places = [...new Set([0, Math.floor(last / 2), last])];
  return places.flatMap((place) => all[place] ?? []);
}

/**
 * Replaces the values of parameters on several columns of one relation by combinations that occur, where extended
 * statistics (CREATE STATISTICS … (mcv)) tell them: taken by themselves, the most common values of each may never meet.
 */
export function joinValues(context: ChoiceContext, choices: readonly ParameterChoice[]): void {
  const byRelation = new Map<number, EqualColumn[]>();
  for (const choice of choices) {
    if (choice.equality === undefined) continue;
    const { relation, attribute } = choice.equality;
    const columns = byRelation.get(relation) ?? [];
    if (!columns.some((each) => each.attribute === attribute)) columns.push({ attribute, choice });
    byRelation.set(relation, columns);
  }
  for (const [relation, columns] of byRelation) {
    const oid = context.analysis.relations[relation]?.table.oid;
    const candidates = context.snapshot.schema.extended_statistics
      .filter((each) => each.table_oid === oid && each.data?.most_common_vals != null)
      .map((each) => ({ each, shared: columns.filter(({ attribute }) => each.columns.includes(attribute)) }))
      .filter(({ shared }) => shared.length > 1)
      .sort((a, b) => b.shared.length - a.shared.length);
    const [best] = candidates;
    if (best === undefined) continue;
    const chosen = representatives(
      combinations(
        best.each,
        best.shared.map(({ attribute }) => attribute),
      ),
    );
    const total = chosen.reduce((sum, { frequency }) => sum + frequency, 0);
    if (total <= 0) continue;
    best.shared.forEach(({ choice }, column) => {
      choice.choices = chosen.map(({ values, frequency }) => ({
        sql: quoteLiteral(values[column] ?? ''),
        // The first of them carries the weight and the frequency of the combination.
        weight: column === 0 ? (frequency / total + 1 / chosen.length) / 2 : 1,
        frequency: column === 0 ? frequency : 1,
      }));
      choice.source = `common, middling and rare combinations with ${best.shared
        .filter((_, other) => other !== column)
        .map(({ attribute }) => attribute)
        .join(', ')} (extended statistics ${best.each.schema}.${best.each.name})`;
    });
  }
}
