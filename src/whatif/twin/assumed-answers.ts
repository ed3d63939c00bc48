/**
 * Functions without arguments that read a table to answer, `tenant()` in a policy: stable, so that the planner calls them
 * to estimate what they are compared with. The twin's tables are empty, they answer NULL, and nothing ever equals that.
 */
import pg from 'pg';
import {
  type Limit,
  quoteLiteral,
  quoteQualified,
  type SchemaFacts,
  type Snapshot,
} from '../../domain/index.ts';
import type { EmbeddedServer } from '../../embedded/index.ts';
import { functionDefinition } from './functions.ts';
import { nearbyValues, type Place } from './nearby-values.ts';
import { OWNER_ROLE, PLANNER_ROLE, withSession } from './session.ts';

const MOST_FUNCTIONS = 20;
/** Texts in which a function is looked for: policies and views, then statements. */
const MOST_PLACES = 20;
const CALL_TIMEOUT_MS = 500;

type FunctionRow = SchemaFacts['functions'][number];

/** Gives those that answer NULL here a value of the column that stands nearest to a call of theirs. */
export async function assumeAnswers(server: EmbeddedServer, snapshot: Snapshot): Promise<Limit[]> {
  const texts = textsOf(snapshot);
  const asked = snapshot.schema.functions
    .filter(readsTables)
    .map((item) => ({ item, places: placesOf(item, texts) }))
    .filter(({ places }) => places.length > 0)
    .slice(0, MOST_FUNCTIONS);
  if (asked.length === 0) return [];
  const assumed: string[] = [];
  await withSession(server, PLANNER_ROLE, async (session) => {
    await session.query(`SET statement_timeout = ${CALL_TIMEOUT_MS}; SET default_transaction_read_only = on`);
    await withSession(server, OWNER_ROLE, async (owner) => {
      for (const { item, places } of asked) {
        const values = (await answersNull(session, item))
          ? await nearbyValues(session, snapshot, places)
          : [];
        for (const value of values) {
          if (!(await replace(owner, answering(item, value)))) continue;
          if ((await answersNull(session, item)) === false) {
            assumed.push(`${item.schema}.${item.name}`);
            break;
          }
          await replace(owner, functionDefinition(item).sql);
        }
      }
    });
  });
  if (assumed.length === 0) return [];
  return [
    {
      scope: 'twin',
      code: 'function_answers_assumed',
      message: `What these functions answer stands in tables, which are empty in the twin: ${assumed.join(', ')}. Plans are those for a value that the column they are compared with has often.`,
      remedy: null,
    },
  ];
}

/** Scalar ones alone; a function that is said to leak nothing would lose that. */
function readsTables(item: FunctionRow): boolean {
  return (
    item.volatility === 's' &&
    item.identity_arguments === '' &&
    ['sql', 'plpgsql'].includes(item.language) &&
    item.leakproof !== true &&
    !item.definition.includes('\n RETURNS SETOF ') &&
    !item.definition.includes('\n RETURNS TABLE(') &&
    item.definition.toLowerCase().includes('from')
  );
}

function textsOf({ schema, statements }: Snapshot): Omit<Place, 'place'>[] {
  return [
    ...(schema.policies ?? []).map((item) => ({
      text: `${item.using_expression ?? ''} ${item.check_expression ?? ''}`,
      table_oid: item.table_oid,
    })),
    ...schema.views.map((item) => ({ text: item.definition, table_oid: null })),
    ...statements.flatMap((item) => (item.query === null ? [] : [{ text: item.query, table_oid: null }])),
  ];
}

function placesOf({ name }: FunctionRow, texts: readonly Omit<Place, 'place'>[]): Place[] {
  const places: Place[] = [];
  for (const item of texts) {
    const place = Math.max(item.text.indexOf(`${name}()`), item.text.indexOf(`${name}"()`));
    if (place !== -1) places.push({ ...item, place });
    if (places.length >= MOST_PLACES) break;
  }
  return places;
}

/** Null: it cannot be called. */
async function answersNull(session: pg.Client, { schema, name }: FunctionRow): Promise<boolean | null> {
  return tryQuery(async () => {
    const { rows } = await session.query<{ is_null: boolean }>(
      `SELECT ${quoteQualified(schema, name)}() IS NULL AS is_null`,
    );
    return rows[0]?.is_null ?? null;
  });
}

async function replace(owner: pg.Client, sql: string): Promise<boolean> {
  return (await tryQuery(async () => owner.query(sql))) !== null;
}

async function tryQuery<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof pg.DatabaseError) return null;
    throw error;
  }
}

/** The same function with another body; a function that reads a table is never put into the query itself. */
function answering(item: FunctionRow, value: string): string {
  const { definition } = item;
  const properties = definition.indexOf('\n LANGUAGE ');
  const body = ['\nAS ', '\nBEGIN ATOMIC', '\nRETURN ']
    .map((begin) => definition.indexOf(begin, properties))
    .filter((at) => at !== -1);
  const header = definition.slice(0, Math.min(...body, definition.length));
  const inPlpgsql = header.replace(`\n LANGUAGE ${item.language}`, '\n LANGUAGE plpgsql');
  const text = `BEGIN RETURN ${quoteLiteral(value)}; END`;
  return functionDefinition({
    ...item,
    language: 'plpgsql',
    definition: `${inPlpgsql}\nAS ${quoteLiteral(text)}`,
  }).sql;
}
