/** Functions of the target: what the planner puts into queries or calls as they are, all others by their properties. */
import type pg from 'pg';
import { type Limit, quoteLiteral, type SchemaFacts } from '../../domain/index.ts';
import type { Definition } from './builder.ts';

type FunctionRow = SchemaFacts['functions'][number];

/** Where pg_get_functiondef() begins with properties; before it are names, arguments and the result. */
const LANGUAGE = '\n LANGUAGE ';
/** How a definition ends whose body was not collected. */
const NO_BODY = "\nAS ''";

const runsHere = (item: FunctionRow) =>
  ['sql', 'plpgsql'].includes(item.language) && !item.definition.trimEnd().endsWith(NO_BODY);

/** Its properties stay: volatility, strictness, cost, rows and parallel safety change plans. */
export function functionDefinition(item: FunctionRow): Definition {
  const what = `function ${item.schema}.${item.name}`;
  const at = item.definition.indexOf(LANGUAGE);
  if (at === -1) return { what, sql: item.definition };
  const [, , ownProperties = '', ...rest] = item.definition.slice(at).split('\n');
  // A line of settings or the body, where the function has no property that is written.
  const hasProperties = ownProperties.startsWith(' ') && !ownProperties.startsWith(' SET ');
  const properties = hasProperties ? withoutSuperusers(ownProperties) : '';
  const after = (hasProperties ? rest : [ownProperties, ...rest]).join('\n');
  const header = item.definition.slice(0, at);
  if (runsHere(item)) {
    return { what, sql: `${header}${LANGUAGE}${item.language}\n${properties}\n${after}` };
  }
  const body = after.indexOf('AS ') === 0 ? 0 : after.indexOf('\nAS ');
  const settings = body > 0 ? after.slice(0, body) : '';
  const message = `${what} is in ${item.language}, which the twin does not run`;
  return {
    what,
    sql: `${header}${LANGUAGE}plpgsql\n${properties}\n${settings}\nAS ${quoteLiteral(`BEGIN RAISE EXCEPTION USING MESSAGE = ${quoteLiteral(message)}; END`)}`,
  };
}

/** Without what only a superuser may declare; leakproof is added afterwards. */
function withoutSuperusers(properties: string): string {
  const support = properties.indexOf(' SUPPORT ');
  return (support === -1 ? properties : properties.slice(0, support)).replace(' LEAKPROOF', '');
}

/** Conditions that leak nothing are looked at before those of policies and of views that are barriers. */
export async function markLeakproof(admin: pg.Client, functions: readonly FunctionRow[]): Promise<void> {
  const items = functions.filter((item) => item.leakproof && item.identity_arguments !== undefined);
  if (items.length === 0) return;
  // Names of types as they were read, with nothing else on the path.
  await admin.query('BEGIN; SET LOCAL search_path = pg_catalog');
  await admin.query(
    `UPDATE pg_proc SET proleakproof = true FROM unnest($1::name[], $2::name[], $3::text[]) AS given (schema, name, arguments)
     JOIN pg_namespace n ON n.nspname = given.schema
     WHERE pg_proc.pronamespace = n.oid AND pg_proc.proname = given.name
       AND pg_get_function_identity_arguments(pg_proc.oid) = given.arguments`,
    [
      items.map((item) => item.schema),
      items.map((item) => item.name),
      items.map((item) => item.identity_arguments),
    ],
  );
  await admin.query('COMMIT');
}

/** One for each language that does not run here. */
export function stubLimits(functions: readonly FunctionRow[]): Limit[] {
  const counts = new Map<string, number>();
  for (const { language } of functions) {
    if (['sql', 'plpgsql'].includes(language)) continue;
    counts.set(language, (counts.get(language) ?? 0) + 1);
  }
  return [...counts].map(([language, count]) => ({
    scope: 'twin',
    code: 'function_stubbed',
    message: `${count} functions in ${language} are in the twin by name and properties alone: a statement for which the planner would call one is not simulated.`,
    remedy: null,
  }));
}
