/** Arguments that PostgreSQL's own functions take, where a parameter's value changes nothing but must be valid. */

/**
 * SQL literals by function and position; null: nothing fixed for that place. Numbers stand bare, since a quoted
 * number leaves the choice among overloaded functions open.
 */
const ARGUMENTS: ReadonlyMap<string, readonly (string | null)[]> = new Map(
  Object.entries({
    array_to_string: [null, "','"],
    current_setting: ["'work_mem'", 'true'],
    date_bin: ["'1 hour'::interval", null, "'2000-01-01'"],
    date_part: ["'epoch'"],
    date_trunc: ["'day'"],
    extract: ["'epoch'"],
    generate_series: ['1', '10', '1'],
    json_build_object: ["'key'", "'value'"],
    jsonb_build_object: ["'key'", "'value'"],
    jsonb_set: [null, "'{key}'", "'1'", 'true'],
    lag: [null, '1'],
    lead: [null, '1'],
    left: [null, '10'],
    lpad: [null, '10', "' '"],
    nth_value: [null, '1'],
    ntile: ['4'],
    overlay: [null, "'x'", '1', '1'],
    percentile_cont: ['0.5'],
    percentile_disc: ['0.5'],
    pg_sleep: ['0'],
    point: ['0', '0'],
    power: [null, '2'],
    regexp_match: [null, "'x'"],
    regexp_matches: [null, "'x'", "'g'"],
    regexp_replace: [null, "'x'", "''", "'g'"],
    regexp_split_to_array: [null, "','"],
    repeat: ["'x'", '2'],
    replace: [null, "'x'", "'y'"],
    right: [null, '10'],
    round: [null, '2'],
    rpad: [null, '10', "' '"],
    split_part: [null, "','", '1'],
    string_agg: [null, "','"],
    string_to_array: [null, "','"],
    substr: [null, '1', '10'],
    substring: [null, '1', '10'],
    timezone: ["'UTC'"],
    to_char: [null, "'YYYY-MM-DD'"],
    to_date: ["'2000-01-01'", "'YYYY-MM-DD'"],
    to_number: ["'1'", "'999'"],
    to_timestamp: ['0', "'YYYY-MM-DD'"],
    trunc: [null, '2'],
  }),
);

/** The literal for an argument (from 0) of a function; null: nothing is known. */
export function fixedArgument(name: string, argument: number): string | null {
  return ARGUMENTS.get(name)?.[argument] ?? null;
}

/** Functions whose result is of the argument's kind, so that what they are compared with tells the argument. */
export const TRANSPARENT_FUNCTIONS: ReadonlySet<string> = new Set(
  'lower upper btrim ltrim rtrim unaccent date abs trim'.split(' '),
);

/** Functions that make a tsquery out of a text, with the configuration before it where there are two arguments. */
export const TSQUERY_FUNCTIONS: ReadonlySet<string> = new Set(
  'to_tsquery plainto_tsquery phraseto_tsquery websearch_to_tsquery'.split(' '),
);
