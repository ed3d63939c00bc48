/** Values of several columns that go together: a tenant and its orders, a city and its country. */
import { type ExtendedStatistics, quoteLiteral } from '../domain/index.ts';
import type { Choice } from './choice.ts';
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

/** One value of each of several columns, and how likely they are together if they have nothing to do with each other. */
interface Together {
  parts: Choice[];
  weight: number;
}

/**
 * Values of several columns of one relation that no statistics join: which of one goes with which of another is open.
 * Where the rows that came back are known, they tell the combinations that can be meant from those that cannot, so the
 * likeliest are taken in place of common with common and rare with rare.
 * @param factorOf how well the rows that a combination of frequencies would find go with what was observed.
 * @param most combinations that are kept.
 */
export function combineByRows(
  choices: readonly ParameterChoice[],
  factorOf: (frequency: number) => number,
  most: number,
): void {
  const byRelation = new Map<number, ParameterChoice[]>();
  for (const choice of choices) {
    if (choice.equality === undefined || choice.choices.length < 2) continue;
    // Joined by extended statistics already, or of no known frequency.
    if (choice.choices.some(({ frequency }) => frequency === null || frequency === 1)) continue;
    const { relation } = choice.equality;
    byRelation.set(relation, [...(byRelation.get(relation) ?? []), choice]);
  }
  for (const columns of byRelation.values()) {
    if (columns.length < 2 || columns.length > MOST_COLUMNS) continue;
    const all = columns.reduce<Together[]>(
      (so, { choices: each }) =>
        so.flatMap(({ parts, weight }) =>
          each.map((one) => ({ parts: [...parts, one], weight: weight * one.weight })),
        ),
      [{ parts: [], weight: 1 }],
    );
    const product = (parts: readonly Choice[]) =>
      parts.reduce((so, { frequency }) => so * (frequency ?? 1), 1);
    // Common with common and rare with rare keeps each column's weights; it is left where nothing speaks against it.
    const length = Math.max(...columns.map(({ choices: each }) => each.length));
    const aligned = Array.from({ length }, (_, place) =>
      columns.flatMap(({ choices: each }) => each[Math.min(place, each.length - 1)] ?? []),
    );
    if (aligned.every((parts) => factorOf(product(parts)) >= FITS)) continue;
    const likelihood = ({ parts, weight }: Together) => weight * factorOf(product(parts));
    const kept = all.toSorted((a, b) => likelihood(b) - likelihood(a)).slice(0, most);
    columns.forEach((choice, column) => {
      // The first of them carries the weight of the combination.
      choice.choices = kept.map(({ parts, weight }) => ({
        sql: parts[column]?.sql ?? 'NULL',
        weight: column === 0 ? weight : 1,
        frequency: parts[column]?.frequency ?? null,
      }));
    });
  }
}

/** From this on a combination goes well with the rows that came back: less than half or double of them. */
const FITS = 0.5;
/** Columns whose values are combined: of three values each they have 27 combinations. */
const MOST_COLUMNS = 3;
