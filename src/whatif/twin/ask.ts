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

/** What a step ends with, so that nothing of it stays. */
const STEP_ENDS = 'PLTWN';

/**
 * In pg_catalog: no name of the target's stands in its way, and they need no search_path. Those that plan run with their
 * caller's rights; the one that switches runs with the superuser's, takes nothing but OIDs, and can be called only
 * where the transaction may write. While a statement is planned it may not: the subtransaction is read-only from there
 * on, which nothing within can undo and which ends with it (prevXactReadOnly of xact.c); a test tries, on 15 and 18.
 *
 * Each step is a subtransaction that is rolled back: what it switched is gone, no other session has ever seen it, and its
 * locks on rows of pg_index are held for as long as it plans only, so that several sessions may work at once. They lock in
 * the order of the OIDs, so that none waits for another that waits for it.
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
      PERFORM FROM pg_catalog.pg_index WHERE indexrelid = ANY (switched_on || switched_off) ORDER BY indexrelid FOR UPDATE;
      UPDATE pg_catalog.pg_index SET indisvalid = indexrelid = ANY (switched_on)
      WHERE indexrelid = ANY (switched_on || switched_off);
    END $$;
    CREATE FUNCTION ${PLANS_OF_EACH}(steps jsonb) RETURNS SETOF text LANGUAGE plpgsql AS $$
    DECLARE step jsonb; statement text; plan text; planned boolean;
    BEGIN
      FOR step IN SELECT pg_catalog.jsonb_array_elements(steps) LOOP
        planned := false;
        BEGIN
          IF pg_catalog.jsonb_extract_path(step, 'on') IS NOT NULL THEN
            PERFORM ${SWITCH}(
              pg_catalog.jsonb_extract_path_text(step, 'on')::pg_catalog.oid[],
              pg_catalog.jsonb_extract_path_text(step, 'off')::pg_catalog.oid[]);
          END IF;
          SET LOCAL transaction_read_only = on;
          FOR statement IN
            SELECT pg_catalog.jsonb_array_elements_text(pg_catalog.jsonb_extract_path(step, 'statements'))
          LOOP
            EXECUTE 'EXPLAIN (FORMAT JSON) ' || statement INTO plan;
            RETURN NEXT plan;
          END LOOP;
          planned := true;
          RAISE EXCEPTION USING ERRCODE = '${STEP_ENDS}';
        EXCEPTION
          -- A function that planning calls may end with the same.
          WHEN SQLSTATE '${STEP_ENDS}' THEN IF NOT planned THEN RAISE; END IF;
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

/** Statements that are asked about with some indexes switched. */
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
 * One plan a statement, in their order, each under its own step's indexes: what one switches the next finds as before.
 * One that fails fails all.
 */
export async function askEach(session: pg.Client, steps: readonly AskStep[]): Promise<Plan[][]> {
  await session.query('BEGIN READ WRITE');
  try {
    const { rows } = await session.query<{ plan: string }>({
      name: 'ask-each',
      text: `SELECT plan FROM ${PLANS_OF_EACH}($1) AS plan`,
      values: [JSON.stringify(steps.map(written))],
    });
    return rows.map(({ plan }) => JSON.parse(plan) as Plan[]);
  } finally {
    // A session that is gone has rolled back.
    await session.query('ROLLBACK').catch(() => {});
  }
}
