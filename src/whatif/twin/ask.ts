/**
 * Plans of many statements in one round trip, of one configuration and of several. Planning takes the server a tenth of
 * a millisecond; what one question by itself costs above that is mostly the way there and back.
 */
import type pg from 'pg';
import type { Plan } from '../plan.ts';
import type { Switching } from './index-switch.ts';

const PLANS = 'pg_catalog.pgluthier_plans';
const SWITCH = 'pg_catalog.pgluthier_switch';
const PLANS_OF_EACH = 'pg_catalog.pgluthier_plans_of_each';

/**
 * In pg_catalog: no name of the target's stands in its way, and they need no search_path. Those that plan run with their
 * caller's rights; the one that switches runs with the superuser's, takes nothing but OIDs, and can be called only
 * where the transaction may write. While a statement is planned it may not: the subtransaction around it is read-only,
 * which nothing within can undo and which ends with it (prevXactReadOnly of xact.c); a test tries, on 15 and 18.
 */
export async function createAskFunctions(admin: pg.Client): Promise<void> {
  await admin.query(`
    CREATE FUNCTION ${PLANS}(statements text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
    DECLARE statement text; plan text;
    BEGIN
      FOREACH statement IN ARRAY statements LOOP
        EXECUTE 'EXPLAIN (FORMAT JSON) ' || statement INTO plan;
        RETURN NEXT plan;
      END LOOP;
    END $$;
    CREATE FUNCTION ${SWITCH}(switched_on oid[], switched_off oid[]) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
      UPDATE pg_catalog.pg_index SET indisvalid = indexrelid = ANY (switched_on)
      WHERE indexrelid = ANY (switched_on || switched_off);
    END $$;
    CREATE FUNCTION ${PLANS_OF_EACH}(steps jsonb) RETURNS SETOF text LANGUAGE plpgsql AS $$
    DECLARE step jsonb; statement text; plan text;
    BEGIN
      FOR step IN SELECT pg_catalog.jsonb_array_elements(steps) LOOP
        IF pg_catalog.jsonb_extract_path(step, 'on') IS NOT NULL THEN
          PERFORM ${SWITCH}(
            pg_catalog.jsonb_extract_path_text(step, 'on')::pg_catalog.oid[],
            pg_catalog.jsonb_extract_path_text(step, 'off')::pg_catalog.oid[]);
        END IF;
        BEGIN
          SET LOCAL transaction_read_only = on;
          FOR statement IN
            SELECT pg_catalog.jsonb_array_elements_text(pg_catalog.jsonb_extract_path(step, 'statements'))
          LOOP
            EXECUTE 'EXPLAIN (FORMAT JSON) ' || statement INTO plan;
            RETURN NEXT plan;
          END LOOP;
        EXCEPTION
          -- A handler is what makes the block a subtransaction.
          WHEN no_data_found THEN RAISE;
        END;
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
    text: `SELECT plan FROM ${PLANS}($1) AS plan`,
    values: [statements],
  });
  return rows.map(({ plan }) => JSON.parse(plan) as Plan[]);
}

/** Statements that are asked about after some indexes were switched. */
export interface AskStep extends Switching {
  /** Known to be one statement each. */
  statements: readonly string[];
}

/** As the function reads it, without an operator that a search_path could give another meaning. */
function written({ on, off, statements }: AskStep): Record<string, unknown> {
  const array = (oids: readonly number[]) => `{${oids.join(',')}}`;
  return on.length + off.length === 0 ? { statements } : { on: array(on), off: array(off), statements };
}

/**
 * One plan a statement, in their order, each under its own step's indexes. In one transaction: one that fails fails all,
 * and the indexes are as they were.
 */
export async function askEach(session: pg.Client, steps: readonly AskStep[]): Promise<Plan[][]> {
  await session.query('BEGIN READ WRITE');
  try {
    const { rows } = await session.query<{ plan: string }>({
      name: 'ask-each',
      text: `SELECT plan FROM ${PLANS_OF_EACH}($1) AS plan`,
      values: [JSON.stringify(steps.map(written))],
    });
    await session.query('COMMIT');
    return rows.map(({ plan }) => JSON.parse(plan) as Plan[]);
  } catch (error) {
    // A session that is gone has rolled back.
    await session.query('ROLLBACK').catch(() => {});
    throw error;
  }
}
