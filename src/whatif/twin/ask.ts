/**
 * Plans of many statements in one round trip. Planning takes the server a tenth of a millisecond; what one question by
 * itself costs above that is mostly the way there and back.
 */
import type pg from 'pg';
import type { Plan } from '../plan.ts';

const FUNCTION = 'pg_catalog.pgluthier_plans';

/**
 * In pg_catalog: no name of the target's stands in its way, and it needs no search_path. It runs with its caller's
 * rights.
 */
export async function createAskFunction(admin: pg.Client): Promise<void> {
  await admin.query(`
    CREATE FUNCTION ${FUNCTION}(statements text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
    DECLARE statement text; plan text;
    BEGIN
      FOREACH statement IN ARRAY statements LOOP
        EXECUTE 'EXPLAIN (FORMAT JSON) ' || statement INTO plan;
        RETURN NEXT plan;
      END LOOP;
    END $$`);
}

/**
 * One plan a statement, in their order; one that fails fails all.
 * @param statements that are known to be one statement each: EXECUTE would run a second one that a text hides.
 */
export async function askMany(session: pg.Client, statements: readonly string[]): Promise<Plan[][]> {
  const { rows } = await session.query<{ plan: string }>({
    name: 'ask-many',
    text: `SELECT plan FROM ${FUNCTION}($1) AS plan`,
    values: [statements],
  });
  return rows.map(({ plan }) => JSON.parse(plan) as Plan[]);
}
