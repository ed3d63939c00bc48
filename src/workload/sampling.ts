/** Statements that a planner can take: every `$n` replaced by values that the target's statistics offer. */
import type { ScanToken } from 'libpg-query';
import {
  type PlannableStatement,
  quoteIdentifier,
  type SampledParameter,
  type Snapshot,
  type WorkloadQuery,
} from '../domain/index.ts';
import type { Analysis, ParameterUse, Variable } from './analysis.ts';
import type { Choice } from './choice.ts';
import { chooseValues } from './choices.ts';
import { constantsOfIndexes } from './erased-constants.ts';
import { boundOf, comparisonOf, informativeness, operandKey } from './hint-readings.ts';
import { combineByRows, joinValues } from './joint-values.ts';
import { fitting, leastRows, observedRows, plausibility } from './observed-rows.ts';
import type { ChoiceContext, ParameterChoice } from './parameter-choice.ts';
import { loadGrammar, parseTree, scanTokens } from './parser.ts';
import { applyEdits, type Edit } from './splice.ts';
import { analyseStatement } from './usage.ts';
import type { UsageCatalog } from './usage-catalog.ts';

/** Most samples that one statement gets. */
export const MAX_SAMPLES = 4;

/** A parameter's places in the text and what goes there. */
interface PlannedParameter {
  number: number;
  choice: ParameterChoice;
}

/** PostgreSQL 18 writes a list of constants as `$1 /*, ... *\/`: the comment is in the text, and only there. */
function squashedParameters(tokens: readonly ScanToken[]): Set<number> {
  const numbers = new Set<number>();
  tokens.forEach((token, index) => {
    const next = tokens[index + 1];
    if (token.tokenName === 'PARAM' && next?.tokenName === 'C_COMMENT' && next.text === '/*, ... */') {
      numbers.add(Number(token.text.slice(1)));
    }
  });
  return numbers;
}

/** Operands that parameters bound, with the sides that they bound them from. */
function boundedOperands(uses: readonly ParameterUse[]): Map<string, Set<'low' | 'high'>> {
  const bounded = new Map<string, Set<'low' | 'high'>>();
  for (const { hint } of uses) {
    const operator = comparisonOf(hint);
    if (operator === null) continue;
    const bound = boundOf(operator);
    const key = operandKey(operator);
    if (bound === null || key === null) continue;
    const sides = bounded.get(key) ?? new Set();
    bounded.set(key, sides.add(bound));
  }
  return bounded;
}

/** Parameters' values, erased constants within operands before what is compared with those operands. */
function planParameters(context: ChoiceContext): PlannedParameter[] {
  const best = new Map<number, ParameterUse>();
  for (const use of context.analysis.parameters) {
    const known = best.get(use.number);
    if (known === undefined || informativeness(use.hint) > informativeness(known.hint))
      best.set(use.number, use);
  }
  const isKey = (use: ParameterUse) =>
    use.hint.kind === 'operator' && (use.hint.operator === '->' || use.hint.operator === '->>');
  const order = [...best.values()].sort((a, b) => Number(isKey(b)) - Number(isKey(a)));
  return order
    .map((use) => ({ number: use.number, choice: chooseValues(context, use) }))
    .sort((a, b) => a.number - b.number);
}

function choiceAt(choice: ParameterChoice, sample: number): Choice | undefined {
  return choice.choices[Math.min(sample, choice.choices.length - 1)];
}

function sampleCount(planned: readonly PlannedParameter[]): number {
  return Math.min(MAX_SAMPLES, Math.max(1, ...planned.map((each) => each.choice.choices.length)));
}

class Sampler {
  private readonly query: WorkloadQuery;
  private readonly analysis: Analysis;
  private readonly tokens: readonly ScanToken[];

  constructor(query: WorkloadQuery, analysis: Analysis, tokens: readonly ScanToken[]) {
    this.query = query;
    this.analysis = analysis;
    this.tokens = tokens;
  }

  /**
   * The text of a sample: parameters replaced, tables that are off the search path qualified.
   * A parameter has no neighbour that a literal in its place could run together with: literals are quoted, NULL or
   * numbers without a sign, and the grammar takes no letter or digit beside a parameter.
   */
  private text(planned: readonly PlannedParameter[], sample: number): string {
    const sql = this.query.query;
    const literals = new Map(
      planned.map((each) => [each.number, choiceAt(each.choice, sample)?.sql ?? 'NULL']),
    );
    const edits: Edit[] = this.tokens.flatMap((token): Edit[] => {
      if (token.tokenName !== 'PARAM') return [];
      const literal = literals.get(Number(token.text.slice(1))) ?? 'NULL';
      return [{ start: token.start, end: token.end, text: literal }];
    });
    for (const { number, locations, parts } of this.analysis.variables?.values() ?? []) {
      const literal = literals.get(number) ?? 'NULL';
      for (const location of locations) {
        const at = this.tokens.findIndex((token) => token.start === location);
        const last = this.tokens[at + (parts - 1) * 2];
        if (at >= 0 && last !== undefined) edits.push({ start: location, end: last.end, text: literal });
      }
    }
    for (const { location, schema } of this.analysis.off_path) {
      edits.push({ start: location, end: location, text: `${quoteIdentifier(schema)}.` });
    }
    return applyEdits(sql, edits);
  }

  samples(
    planned: readonly PlannedParameter[],
    factors: readonly number[] | null,
  ): { samples: PlannableStatement[]; kept: number[] } {
    const count = sampleCount(planned);
    const weights = new Map<string, { weight: number; sample: number }>();
    for (let sample = 0; sample < count; sample++) {
      const sql = this.text(planned, sample);
      const weight = planned.reduce(
        (product, each) =>
          product * (each.choice.choices.length > 1 ? (choiceAt(each.choice, sample)?.weight ?? 1) : 1),
        factors?.[sample] ?? 1,
      );
      const known = weights.get(sql);
      weights.set(sql, { weight: (known?.weight ?? 0) + weight, sample: known?.sample ?? sample });
    }
    const total = [...weights.values()].reduce((sum, each) => sum + each.weight, 0);
    const samples = [...weights].map(([sql, { weight }], index) => ({
      id: `${this.query.query_id}/${index + 1}`,
      query_id: this.query.query_id,
      sql,
      weight: total > 0 ? weight / total : 1 / weights.size,
    }));
    return { samples, kept: [...weights.values()].map((each) => each.sample) };
  }
}

/** Of one table: the rows that came back say which values of its columns can have been asked for together. */
function combineValues(
  { analysis }: ChoiceContext,
  choices: readonly ParameterChoice[],
  { rows, least }: { rows: number | null; least: boolean },
): void {
  const table = analysis.relations[0]?.table;
  if (rows === null || table === undefined || analysis.relations.length !== 1 || table.reltuples <= 0) return;
  if (analysis.predicates.some((predicate) => predicate.disjunction !== null)) return;
  const equal = choices.filter((choice) => choice.operator === '=').length;
  const exact = analysis.predicates.length === equal;
  const factorOf = (frequency: number) => fitting(frequency * table.reltuples, rows, { exact, least });
  combineByRows(choices, factorOf, MAX_SAMPLES);
}

/**
 * A statement's samples (up to four, weights summing to 1) and what was put for each parameter. A text without
 * parameters is its own only sample; where a file has it with several constants, each text is one. The statement's text is edited at the parameters' positions and otherwise kept.
 * Assumptions where statistics do not tell: see `value-pool.ts` (equality) and `value-choices.ts` (ranges).
 * @throws PgLuthierError `sql_syntax`.
 */
export async function sampleStatements(
  query: WorkloadQuery,
  snapshot: Snapshot,
  catalog: UsageCatalog,
): Promise<{ samples: PlannableStatement[]; parameters: SampledParameter[] }> {
  await loadGrammar();
  if (query.texts !== undefined)
    return { samples: await writtenSamples(query, snapshot, catalog), parameters: [] };
  const statement = parseTree(query.query).stmts?.[0]?.stmt;
  const tokens = scanTokens(query.query);
  if (statement === undefined || tokens === null) return { samples: [], parameters: [] };
  const variables = query.nested === true ? new Map<string, Variable>() : null;
  const analysis = analyseStatement(statement, catalog, undefined, variables);
  const context: ChoiceContext = {
    analysis,
    snapshot,
    query,
    erased: constantsOfIndexes(analysis),
    squashed: squashedParameters(tokens),
    bounded: boundedOperands(analysis.parameters),
    observed_rows: observedRows(statement, query),
  };
  const planned = planParameters(context);
  const choices = planned.map((each) => each.choice);
  joinValues(context, choices);
  const least = leastRows(statement, query);
  const seen = { rows: context.observed_rows ?? least, least: least !== null };
  combineValues(context, choices, seen);
  const count = sampleCount(planned);
  const plausible = plausibility(analysis, seen, choices, count);
  const { samples, kept } = new Sampler(query, analysis, tokens).samples(planned, plausible?.factors ?? null);
  const names = new Map([...(variables?.values() ?? [])].map((each) => [each.number, each.name]));
  const parameters = planned.map(({ number, choice }) => ({
    number,
    column: choice.column,
    operator: choice.operator,
    values:
      choice.choices.length === 1
        ? choice.choices.map((each) => each.sql)
        : kept.map((sample) => choiceAt(choice, sample)?.sql ?? 'NULL'),
    ...(choice.guessed === true ? { guessed: true } : {}),
    source:
      (names.has(number) ? `variable ${names.get(number)}: ` : '') +
      choice.source +
      (plausible !== null && choice.operator === '=' ? plausible.source : ''),
  }));
  return { samples, parameters };
}

/** The texts that a file has of one statement, weighted by their calls. */
async function writtenSamples(
  query: WorkloadQuery,
  snapshot: Snapshot,
  catalog: UsageCatalog,
): Promise<PlannableStatement[]> {
  const { texts = [], ...one } = query;
  const calls = texts.reduce((sum, each) => sum + each.calls, 0);
  const samples: PlannableStatement[] = [];
  for (const text of texts) {
    const { samples: own } = await sampleStatements({ ...one, query: text.query }, snapshot, catalog);
    for (const { sql } of own) {
      const id = `${query.query_id}/${samples.length + 1}`;
      samples.push({ id, query_id: query.query_id, sql, weight: text.calls / calls });
    }
  }
  return samples;
}
