/**
 * Settings of the application's own making (`app.tenant`) that policies and views read by current_setting(). Only its
 * sessions set them; without a value that the conditions can read, nothing on these relations could be planned.
 */
import pg from 'pg';
import {
  type Limit,
  quoteIdentifier,
  quoteLiteral,
  quoteQualified,
  type Snapshot,
} from '../../domain/index.ts';
import type { EmbeddedServer } from '../../embedded/index.ts';
import { nearbyValues } from './nearby-values.ts';
import type { TwinRoles } from './policies.ts';
import { PLANNER_ROLE, withSession } from './session.ts';

/** At most so many settings get values, so many relations and values are tried for each: some thousand plans in all. */
const MOST_SETTINGS = 20;
const MOST_RELATIONS = 5;
/** A plan that takes longer is no answer; ms. */
const TRIAL_TIMEOUT_MS = 500;
/** Of what types conditions read. */
const USUAL_VALUES = ['', '1', '00000000-0000-0000-0000-000000000000', '2000-01-01', 'true', '{}'];

/** A relation whose plans need settings, and the roles that it is tried as. */
interface Reading {
  relation: string;
  /** Its conditions. */
  text: string;
  /** Its own table, by OID; null: a view. */
  table_oid: number | null;
  /** Where each name is read, or the function that reads it: an offset in the text. */
  names: Map<string, number>;
  roles: (string | null)[];
}

/**
 * Finds values and makes them what planner sessions begin with: a frequent one of the column that stands nearest in the
 * condition, else one that can be read.
 */
export async function assumeSettings(
  server: EmbeddedServer,
  snapshot: Snapshot,
  roles: TwinRoles,
): Promise<Limit[]> {
  const readings = readingsOf(snapshot, roles);
  const names = [...new Set(readings.flatMap((reading) => [...reading.names.keys()]))].slice(
    0,
    MOST_SETTINGS,
  );
  if (names.length === 0) return [];
  const values = await withSession(server, PLANNER_ROLE, (session) =>
    choose(session, snapshot, readings, names),
  );
  await withSession(server, null, async (admin) => {
    for (const [name, value] of values) {
      if (value === null) continue;
      const quoted = name.split('.').map(quoteIdentifier).join('.');
      await admin
        .query(`ALTER ROLE ${PLANNER_ROLE} SET ${quoted} = ${quoteLiteral(value)}`)
        .catch((error) => {
          // A name that no session can have set either.
          if (!(error instanceof pg.DatabaseError)) throw error;
        });
    }
  });
  return [
    {
      scope: 'twin',
      code: 'application_settings_assumed',
      message: `Policies or views read settings that only the application's sessions set (${names.join(', ')}): plans are those for a value that their column has often, or for one that can be read.`,
      remedy: null,
    },
  ];
}

/** Names that a text asks current_setting() for, with their offsets; those with a dot are the application's. */
export function settingsRead(text: string): Map<string, number> {
  const names = new Map<string, number>();
  const call = 'current_setting(';
  const lower = text.toLowerCase();
  for (let at = lower.indexOf(call); at !== -1; at = lower.indexOf(call, at + 1)) {
    let from = at + call.length;
    while (text[from] === ' ' || text[from] === '\n') from += 1;
    const to = text.indexOf("'", from + 1);
    if (text[from] !== "'" || to === -1) continue;
    const name = text.slice(from + 1, to);
    if (name.includes('.')) names.set(name, at);
  }
  return names;
}

function readingsOf(snapshot: Snapshot, roles: TwinRoles): Reading[] {
  const { policies = [], views, functions } = snapshot.schema;
  // What functions read, and functions that call these.
  const byFunction = new Map<string, Set<string>>();
  for (let depth = 0; depth < 3; depth += 1) {
    for (const { name, definition } of functions) {
      const read = namesIn(definition, byFunction);
      if (read.size > 0) byFunction.set(name, new Set(read.keys()));
    }
    if (byFunction.size === 0) break;
  }
  const free = (snapshot.instance?.roles ?? []).find((role) => !role.is_superuser && !role.bypasses_rls);
  const readings: Reading[] = [];
  for (const table of snapshot.tables.filter((item) => item.row_security)) {
    const own = policies.filter((policy) => policy.table_oid === table.oid);
    const text = own
      .map((item) => `${item.using_expression ?? ''} ${item.check_expression ?? ''}`)
      .join('\n');
    const bound = own.flatMap((policy) =>
      policy.roles.map((role) => (role === 'public' ? free?.name : role)),
    );
    const tried = [...new Set(bound)].flatMap((role) => roles.get(role ?? '') ?? []).slice(0, 3);
    readings.push({
      relation: quoteQualified(table.schema, table.name),
      text,
      table_oid: table.oid,
      names: tried.length > 0 ? namesIn(text, byFunction) : new Map(),
      roles: tried,
    });
  }
  for (const view of views) {
    readings.push({
      relation: quoteQualified(view.schema, view.name),
      text: view.definition,
      table_oid: null,
      names: namesIn(view.definition, byFunction),
      roles: [null],
    });
  }
  return readings.filter((reading) => reading.names.size > 0);
}

/** What the text reads by itself and by the functions that it names. */
function namesIn(text: string, byFunction: ReadonlyMap<string, ReadonlySet<string>>): Map<string, number> {
  const names = settingsRead(text);
  for (const [name, read] of byFunction) {
    const at = Math.max(text.indexOf(`${name}(`), text.indexOf(`${name}"(`));
    if (at === -1) continue;
    for (const setting of read) if (!names.has(setting)) names.set(setting, at);
  }
  return names;
}

/** Null: not set. */
type Values = Map<string, string | null>;

/** One setting after the other, twice: what one needs may be seen only once another has its value. */
async function choose(
  session: pg.Client,
  snapshot: Snapshot,
  readings: readonly Reading[],
  names: readonly string[],
): Promise<Values> {
  await session.query(`SET statement_timeout = ${TRIAL_TIMEOUT_MS}; SET default_transaction_read_only = on`);
  const values: Values = new Map(names.map((name) => [name, null]));
  for (const _pass of [1, 2]) {
    for (const name of names) {
      const concerned = readings.filter((reading) => reading.names.has(name)).slice(0, MOST_RELATIONS);
      let fewest = Number.POSITIVE_INFINITY;
      let best: string | null = null;
      const places = concerned.map((reading) => ({ ...reading, place: reading.names.get(name) ?? 0 }));
      const near = await nearbyValues(session, snapshot, places);
      for (const value of new Set([...near, ...USUAL_VALUES])) {
        const failures = await countFailures(session, concerned, new Map([...values, [name, value]]));
        if (failures < fewest) [fewest, best] = [failures, value];
        if (fewest === 0) break;
      }
      // Where none can be read it stays as it is: not set, which conditions may allow.
      values.set(name, fewest < concerned.length ? best : null);
    }
  }
  return values;
}

async function countFailures(
  session: pg.Client,
  readings: readonly Reading[],
  values: Values,
): Promise<number> {
  let failures = 0;
  for (const { relation, roles } of readings) {
    for (const role of roles) {
      await session.query('BEGIN');
      try {
        if (role !== null) await session.query("SELECT set_config('role', $1, true)", [role]);
        for (const [name, value] of values) {
          if (value !== null) await session.query('SELECT set_config($1, $2, true)', [name, value]);
        }
        await session.query(`EXPLAIN SELECT FROM ${relation}`);
      } catch (error) {
        if (!(error instanceof pg.DatabaseError)) throw error;
        failures += 1;
      } finally {
        await session.query('ROLLBACK');
      }
    }
  }
  return failures;
}
