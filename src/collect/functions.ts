/** Functions of users, as far as planning looks into them. */
import { z } from 'zod';
import type { SchemaFacts } from '../domain/index.ts';
import { type Reader, readNoun } from './reader.ts';
import { withoutSecretValue } from './secrets.ts';
import { sqlVariant } from './variants.ts';

const text = z.string();
const rowSchema = z.object({
  schema: text,
  name: text,
  language: text,
  volatility: text,
  definition: text,
  identity_arguments: text,
  leakproof: z.boolean(),
  /** By an index, a constraint, a view, a policy, …; the others by statements alone, if at all. */
  is_called: z.boolean(),
  /** How many there are in all. */
  functions: z.number(),
});

/**
 * The planner puts a function of SQL into the query and calls one that is stable or immutable; of any other it looks at
 * properties alone, which stand before the body (pg_get_functiondef() of ruleutils.c).
 */
function withoutNeedlessBody(row: z.infer<typeof rowSchema>): string {
  const { definition, language, volatility } = row;
  if (language === 'sql' || (language === 'plpgsql' && volatility !== 'v'))
    return withoutSecretValue(definition);
  const properties = definition.indexOf('\n LANGUAGE ');
  const body = definition.indexOf('\nAS ', properties);
  return properties === -1 || body === -1
    ? withoutSecretValue(definition)
    : `${definition.slice(0, body)}\nAS ''`;
}

/** Bodies only where planning needs them; a limit says how many functions are left out. */
export async function readFunctions(reader: Reader): Promise<SchemaFacts['functions']> {
  const sql = sqlVariant('functions', String(reader.session.server_version_num));
  const rows = await readNoun(reader, 'functions', sql, rowSchema);
  const all = rows[0]?.functions ?? 0;
  if (all > rows.length) {
    reader.limits.push({
      scope: 'functions',
      code: 'functions_left_out',
      message: `${all - rows.length} of ${all} functions are left out, long ones: statements that call them are not simulated.`,
      remedy: null,
    });
  }
  return rows.map((row) => {
    const { is_called: _c, functions: _f, ...item } = row;
    return { ...item, definition: withoutNeedlessBody(row) };
  });
}
