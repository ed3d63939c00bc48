/** Choosing values for one parameter from what surrounds it. */
import { quoteLiteral } from '../domain/index.ts';
import type { ParameterUse } from './analysis.ts';
import { fitsCast, takes } from './cast-fit.ts';
import { containsChoices, distanceChoices } from './contains-choices.ts';
import { textSearchConfig } from './erased-constants.ts';
import { fixedArgument, TSQUERY_FUNCTIONS } from './function-arguments.ts';
import type { Hint, OperatorHint } from './hint.ts';
import { ARITHMETIC, boundOf, comparisonOf, innermostOperator, operandKey } from './hint-readings.ts';
import { intervalChoice } from './interval-choices.ts';
import { jsonChoices } from './json-choices.ts';
import { passedBesideKey } from './observed-rows.ts';
import { type Erased, type OperandValues, operandValues } from './operand-values.ts';
import { DISTANCE, RANGE } from './operators.ts';
import { type ChoiceContext, fixed, type ParameterChoice } from './parameter-choice.ts';
import { fragmentChoices } from './pattern-choices.ts';
import { hasChecks, plainText } from './plain-value.ts';
import { holdsParameter, lastName, withoutCasts } from './tree.ts';
import { familyOfType, type TypeFamily } from './type-family.ts';
import { comparisonChoices } from './value-choices.ts';
import { knownValues } from './value-pool.ts';

const GEOMETRIC: ReadonlySet<string> = new Set(['point', 'box', 'path', 'circle']);

/** What operators of JSON and arrays take where the other side is no column. */
const LONELY: ReadonlyMap<string, string> = new Map(
  Object.entries({
    '->': "'key'",
    '->>': "'key'",
    '?': "'key'",
    '#>': "'{key}'",
    '#>>': "'{key}'",
    '?|': "'{key}'",
    '?&': "'{key}'",
    '@>': "'{}'",
    '<@': "'{}'",
    '&&': "'{}'",
  }),
);

/** Chooses values for a parameter. */
export function chooseValues(context: ChoiceContext, use: ParameterUse): ParameterChoice {
  const constant = context.erased.get(use.number);
  if (constant !== undefined) return fixed(quoteLiteral(constant.value), constant.source, null, null);
  return new Chooser(context, use).choose(use.hint);
}

class Chooser {
  private readonly context: ChoiceContext;
  private readonly use: ParameterUse;

  constructor(context: ChoiceContext, use: ParameterUse) {
    this.context = context;
    this.use = use;
  }

  choose(hint: Hint): ParameterChoice {
    switch (hint.kind) {
      case 'none':
        return fixed('NULL', 'nothing is known of it: NULL', null, null);
      case 'limit':
        return this.limit();
      case 'offset':
        return fixed('0', 'the first page', 'OFFSET', null);
      case 'assign':
        return this.assigned(hint.relation, hint.column);
      case 'cast':
        return this.cast(hint);
      case 'operator':
        return this.operator(hint);
      case 'function':
        return this.argument(hint);
      case 'alternative': {
        // CASE … END::type, and a column that CASE is written to.
        if (hint.outer.kind === 'cast' || hint.outer.kind === 'assign') return this.choose(hint.outer);
        const values = hint.operand === null ? null : this.values(hint.operand);
        if (values !== null) return this.typed(values, 'the type of the column beside it');
        return hint.outer.kind === 'operator' && hint.outer.operand !== null
          ? this.choose(hint.outer)
          : fixed('1', 'a constant result', null, null);
      }
    }
  }

  private values(operand: Parameters<typeof operandValues>[2]): OperandValues | null {
    return operandValues(
      this.context.analysis,
      this.context.snapshot,
      operand,
      this.context.erased as Erased,
    );
  }

  private get takenAt(): string {
    return this.context.snapshot.taken_at;
  }

  /** Rows that a call returned on average; null where that says nothing. */
  private rowsPerCall(): number | null {
    const { query } = this.context;
    return query.class === 'select' && query.calls > 0 && query.rows > 0 ? query.rows / query.calls : null;
  }

  private limit(): ParameterChoice {
    const rows = this.rowsPerCall();
    if (rows === null) return fixed('10', 'a page of 10', 'LIMIT', null);
    return fixed(String(Math.max(1, Math.round(rows))), 'observed rows per call', 'LIMIT', null);
  }

  private assigned(relation: number, column: string): ParameterChoice {
    const table = this.context.analysis.relations[relation]?.table;
    const row = table?.columns.get(column);
    const name = table === undefined ? null : `${table.schema}.${table.name}.${column}`;
    const sql = row === undefined ? 'NULL' : `NULL::${row.type}`;
    return fixed(sql, 'a written value does not change the plan', 'SET', name);
  }

  private typed(values: OperandValues, source: string): ParameterChoice {
    // Of the type of a known value; never NULL, which would fold what stands around it.
    const text = knownValues(values.pool)[0] ?? values.fallback;
    return fixed(quoteLiteral(text), source, null, values.name);
  }

  private cast(hint: Extract<Hint, { kind: 'cast' }>): ParameterChoice {
    const family: TypeFamily = hint.array ? 'array' : familyOfType(hint.type);
    const operator = innermostOperator(hint.outer);
    const values = operator?.operand ? this.values(operator.operand) : null;
    // `CAST($1::text AS order_status)`: what the outer type takes, as text; and what is written to a column.
    if (hint.outer.kind === 'cast' && family === 'text') return this.choose(hint.outer);
    if (hint.outer.kind === 'assign') return this.choose(hint.outer);
    // `$1::date + $2::interval`, compared with a column.
    if (operator !== null && values === null && ARITHMETIC.has(operator.operator) && !isClock(operator)) {
      const compared = comparisonOf(operator.side === 'left' ? operator : operator.outer);
      const searched = compared?.operand ? this.values(compared.operand) : null;
      if (compared !== null && searched !== null) {
        const offset = operator.side === 'right' && family === 'interval';
        const choice = this.constantArithmetic(operator, compared, searched);
        return offset ? { ...choice, choices: [{ sql: "'0'", weight: 1, frequency: null }] } : choice;
      }
    }
    if (family === 'interval' && values?.family !== 'interval') {
      const reached = 'outer' in hint.outer ? innermostOperator(hint.outer.outer) : null;
      const reachedValues = reached?.operand ? this.values(reached.operand) : null;
      const share =
        reached !== null && reachedValues !== null ? this.observedShare(reached, reachedValues) : null;
      return intervalChoice(hint, reached?.operator ?? null, reachedValues, this.takenAt, share);
    }
    // A path of keys: `#> ARRAY[$1]::text[]`.
    if (
      values?.family === 'json' &&
      operator !== null &&
      ['#>', '#>>', '?|', '?&'].includes(operator.operator)
    ) {
      return this.choose(operator);
    }
    if (
      values !== null &&
      operator !== null &&
      fitsCast(hint, values, operator.quantified, this.context.snapshot)
    ) {
      const inner = this.choose(hint.outer);
      const choices = inner.choices.filter((choice) => takes(hint.type, choice.sql));
      if (choices.length === inner.choices.length) return inner;
      if (choices.length > 0) return { ...inner, choices };
    }
    const type = hint.array ? `${hint.type}[]` : hint.type;
    const plain = hasChecks(type, this.context.snapshot) ? null : plainText(type, this.context.snapshot);
    return fixed(plain === null ? 'NULL' : quoteLiteral(plain), `a value of type ${type}`, null, null);
  }

  private operator(hint: OperatorHint): ParameterChoice {
    const { operator, operand } = hint;
    const values = operand === null ? null : this.values(operand);
    // % of texts is pg_trgm's similarity.
    const similarity =
      operator === '%' &&
      hint.outer.kind === 'none' &&
      (values?.family === 'text' || values?.family === 'other');
    if (ARITHMETIC.has(operator) && !similarity) return this.arithmetic(hint, values);
    if (operator === '||') return this.concatenation(hint, values);
    if (values === null) {
      // An aggregate's result, a function's: a number as text is taken for most types, and is never NULL.
      return fixed(
        LONELY.get(operator) ?? "'1'",
        'what it is compared with has no statistics',
        operator,
        null,
      );
    }
    const named = { column: values.name, operator: hint.quantified ? `${operator} ANY` : operator };
    if (values.family === 'json' && hint.side === 'right') {
      const relation = operand?.columns[0]?.relation ?? -1;
      const table = this.context.analysis.relations[relation]?.table;
      const json = jsonChoices(hint, table, values.column.name);
      if (json !== null) {
        const { key, ...chosen } = json;
        // What is compared with this member asks for its key later.
        if (key !== null) this.context.erased.set(this.use.number, { value: key, source: chosen.source });
        return { ...named, ...chosen };
      }
    }
    if (DISTANCE.has(operator)) return { ...named, ...distanceChoices(values) };
    if (['array', 'range', 'multirange'].includes(values.family) || operator.startsWith('@@')) {
      const contained = containsChoices(hint, values, this.takenAt, this.elementFallback(values));
      if (contained !== null) return { ...named, ...contained };
    }
    return {
      ...named,
      ...(operator === '=' && values.plain && hint.place === null && !hint.quantified
        ? { equality: { relation: operand?.columns[0]?.relation ?? -1, attribute: values.column.name } }
        : {}),
      ...comparisonChoices(hint, values, {
        takenAt: this.takenAt,
        bound: boundOf(hint),
        band: this.isBand(hint),
        squashed: this.context.squashed.has(this.use.number),
        observedRows: this.rowsPassed(hint, values),
      }),
    };
  }

  /** The operand has bounds on both sides. */
  private isBand(hint: OperatorHint): boolean {
    const key = operandKey(hint);
    return key !== null && this.context.bounded.get(key)?.size === 2;
  }

  /** The conditions are this one alone, or the two bounds of one operand. */
  private decidesRows(hint: OperatorHint): boolean {
    const { relations, predicates } = this.context.analysis;
    return relations.length === 1 && predicates.length === (this.isBand(hint) ? 2 : 1);
  }

  private observedShare(hint: OperatorHint, values: OperandValues): number | null {
    const passed = this.rowsPassed(hint, values);
    return passed === null || values.rows <= 0 ? null : Math.min(1, Math.max(1, passed) / values.rows);
  }

  /** Rows of the table that the condition lets through, as far as the rows that came back tell; null: they do not. */
  private rowsPassed(hint: OperatorHint, { rows }: OperandValues): number | null {
    const observed = this.context.observed_rows;
    if (observed === null) return null;
    if (this.decidesRows(hint)) return observed;
    return RANGE.has(hint.operator) ? passedBesideKey(this.context.analysis, observed, rows) : null;
  }

  /** An element of an array column that every value of its type could be. */
  private elementFallback({ column }: OperandValues): string | null {
    if (hasChecks(column.type, this.context.snapshot)) return null;
    return plainText(column.type.replaceAll('[]', ''), this.context.snapshot) ?? '1';
  }

  private arithmetic(hint: OperatorHint, values: OperandValues | null): ParameterChoice {
    const day = "'1 day'::interval";
    if (values !== null) {
      const { family } = values;
      const time = family === 'timestamp' || family === 'time' || family === 'interval';
      const plainNumber =
        family === 'integer' || family === 'number' || family === 'date' || family === 'inet';
      const sql = time
        ? day
        : plainNumber && values.type !== 'money'
          ? '1'
          : GEOMETRIC.has(values.type ?? '')
            ? "'(0,0)'::point"
            : quoteLiteral(family === 'json' || values.type === 'hstore' ? 'key' : values.fallback);
      return fixed(sql, 'an operand of arithmetic', hint.operator, values.name);
    }
    if (isClock(hint)) return fixed(day, 'an operand of arithmetic', hint.operator, null);
    const compared = comparisonOf(hint.side === 'left' ? hint : hint.outer);
    const searched = compared?.operand ? this.values(compared.operand) : null;
    if (compared !== null && searched !== null) return this.constantArithmetic(hint, compared, searched);
    return fixed(isClock(hint) ? day : '1', 'an operand of arithmetic', hint.operator, null);
  }

  /**
   * `x < $1::date + $2::interval`, `x BETWEEN $1 - $2 AND $1 + $2`: the first one gets the value that the whole is to
   * have, the others change nothing (0, or 1 for a factor), so that what is compared with is a value of the statistics.
   */
  private constantArithmetic(
    hint: OperatorHint,
    compared: OperatorHint,
    searched: OperandValues,
  ): ParameterChoice {
    if (hint.side === 'right') {
      const neutral = hint.operator === '+' || hint.operator === '-' ? '0' : '1';
      const source = 'changes nothing of the value that is compared';
      const time = searched.family === 'timestamp' || searched.family === 'time';
      const sql = time ? "'0'::interval" : neutral;
      return fixed(sql, source, compared.operator, searched.name);
    }
    const inner = this.choose(compared);
    const type = searched.type === null ? '' : `::${searched.type}`;
    // Untyped, a literal would be taken for what stands beside it.
    return { ...inner, choices: inner.choices.map((each) => ({ ...each, sql: `(${each.sql}${type})` })) };
  }

  private concatenation(hint: OperatorHint, values: OperandValues | null): ParameterChoice {
    const outer = innermostOperator(hint.outer);
    if (values === null && outer?.operand && outer.pattern !== null) {
      const searched = this.values(outer.operand);
      // `LIKE $1 || $2`: the wildcard is what was put behind.
      if (hint.side === 'right' && hint.other !== null && holdsParameter(hint.other)) {
        return fixed("'%'", 'taken for the wildcard of a pattern', outer.operator, searched?.name ?? null);
      }
      if (searched !== null) {
        const pieces = fragmentChoices(searched);
        return { column: searched.name, operator: outer.operator, ...pieces };
      }
    }
    if (values !== null) return this.typed(values, 'an operand of ||');
    return fixed("'x'", 'an operand of ||', '||', null);
  }

  /** `tstzrange($1, $2)`: the day before the snapshot, or 1 to 10. */
  private rangeBound(type: string, argument: number): ParameterChoice {
    const source = `a bound of a ${type}`;
    if (argument > 1) return fixed("'[)'", source, type, null);
    if (!type.startsWith('ts') && !type.startsWith('date'))
      return fixed(argument === 0 ? '1' : '10', source, type, null);
    const time = Date.parse(this.takenAt) - (argument === 0 ? 86_400_000 : 0);
    const iso = new Date(time).toISOString();
    return fixed(quoteLiteral(type === 'daterange' ? iso.slice(0, 10) : iso), source, type, null);
  }

  private argument(hint: Extract<Hint, { kind: 'function' }>): ParameterChoice {
    const { name, argument, count, operand, outer } = hint;
    const operator = innermostOperator(outer);
    if (TSQUERY_FUNCTIONS.has(name) || name === 'to_tsvector') {
      const relation = (operand ?? operator?.operand)?.columns[0]?.relation;
      const table = relation === undefined ? undefined : this.context.analysis.relations[relation]?.table;
      if (count === 2 && argument === 0) {
        const config = textSearchConfig(this.context.analysis, table);
        return fixed(quoteLiteral(config.value), config.source, name, null);
      }
      const values = operator?.operand ? this.values(operator.operand) : null;
      const words =
        values === null || operator === null ? null : containsChoices(operator, values, this.takenAt);
      if (words !== null)
        return { column: values?.name ?? null, operator: operator?.operator ?? null, ...words };
      return fixed("'x'", 'a word', name, null);
    }
    if (familyOfType(name) === 'range') return this.rangeBound(name, argument);
    const known = fixedArgument(name, argument, count);
    if (known !== null) return fixed(known, `an argument that ${name} takes`, name, null);
    if (operator?.operand) return this.choose(operator);
    const values = operand === null ? null : this.values(operand);
    if (values !== null) return this.typed(values, `the type of the column that ${name} takes besides`);
    return fixed('NULL', `an argument of ${name}, of which nothing is known: NULL`, name, null);
  }
}

function isClock(hint: OperatorHint): boolean {
  if (hint.other === null) return false;
  const bare = withoutCasts(hint.other);
  if ('SQLValueFunction' in bare) return true;
  return (
    'FuncCall' in bare &&
    ['now', 'clock_timestamp', 'statement_timestamp', 'transaction_timestamp'].includes(
      lastName(bare.FuncCall.funcname),
    )
  );
}
