import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collectSnapshot } from '../../src/collect/index.ts';
import type { PlannableStatement, Snapshot, WhatIf } from '../../src/domain/index.ts';
import { stripLiterals } from '../../src/snapshot-file/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { openTwin } from '../../src/whatif/index.ts';
import { parseArrayText } from '../../src/workload/index.ts';
import { testMajors, testServer } from '../support/servers.ts';

const majors = [Math.min(...testMajors), Math.max(...testMajors)];

/** A column of each kind of type; the second expression makes its n-th value. */
const TYPES: Record<string, string> = {
  smallint: 'g % 300',
  integer: 'g % 5000',
  bigint: '7000000000 + g',
  real: 'g / 7.0',
  'double precision': 'g / 3.0',
  'numeric(12,2)': 'g * 1.25',
  text: `'name ' || g % 3000`,
  'character varying(40)': `'vc' || g % 700`,
  'character(12)': `'c' || g % 60`,
  date: `date '2020-01-01' + g % 2000`,
  timestamp: `timestamp '2024-01-01' + g * interval '1 hour'`,
  timestamptz: `timestamptz '2024-01-01' + g * interval '1 hour'`,
  'time without time zone': `time '00:00' + g % 80000 * interval '1 second'`,
  interval: `g % 400 * interval '1 minute'`,
  uuid: 'md5(g::text)::uuid',
  boolean: 'g % 10 = 0',
  inet: `'10.0.0.0'::inet + g % 5000`,
  bytea: `convert_to('b' || g % 90, 'UTF8')`,
  jsonb: `jsonb_build_object('k', g % 20)`,
  'integer[]': 'ARRAY[g % 9, g % 90]',
  'text[]': `ARRAY['tag' || g % 30]`,
  int4range: 'int4range(g, g + 10)',
  mood: `(ARRAY['sad', 'ok', 'happy']::mood[])[1 + g % 3]`,
  short_text: `'d' || g % 400`,
  money: 'g::numeric::money',
};
const columnOf = (place: number) => `c${place}`;

describe.each(majors)('a stripped snapshot of PostgreSQL %i', (major) => {
  let whole: Snapshot;
  let stripped: Snapshot;
  const twins: WhatIf[] = [];
  let drop: () => Promise<void>;

  beforeAll(async () => {
    const server = await testServer({ major });
    const entries = Object.entries(TYPES);
    const database = await server.createDatabase({
      sql: `CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); CREATE DOMAIN short_text AS text CHECK (length(VALUE) < 20);
        CREATE TABLE zoo (id int PRIMARY KEY, ${entries.map(([type], n) => `${columnOf(n)} ${type}`).join(', ')});
        INSERT INTO zoo SELECT g, ${entries.map(([, value]) => value).join(', ')} FROM generate_series(1, 20000) g;
        ${entries.flatMap(([type], n) => (['jsonb', 'integer[]', 'text[]'].includes(type) ? [] : [`CREATE INDEX ON zoo (${columnOf(n)});`])).join('\n')}
        CREATE TABLE other (id int PRIMARY KEY, zoo_id int, v int);
        INSERT INTO other SELECT g, g % 20000, g % 77 FROM generate_series(1, 50000) g; CREATE INDEX ON other (zoo_id);
        ANALYZE;`,
    });
    drop = database.drop;
    const session = await openTarget(database.dsn, { applicationName: 'pgluthier:test', readOnly: true });
    whole = await collectSnapshot(session);
    await session.close();
    stripped = (await stripLiterals(whole, null)).snapshot;
    twins.push(await openTwin(whole), await openTwin(stripped));
  });
  afterAll(async () => {
    await Promise.all(twins.map((twin) => twin.close()));
    await drop?.();
  });

  const cost = async (twin: WhatIf | undefined, sql: string): Promise<number | string> => {
    const statement: PlannableStatement = { id: sql, query_id: sql, sql, weight: 1 };
    const [answer] = (await twin?.costs({ created: [], hidden: [] }, [statement])) ?? [];
    return answer?.cost ?? answer?.error ?? 'no answer';
  };

  it('has values that its types take: the twin says nothing that it does not say of the whole one', () => {
    const codes = (twin: WhatIf | undefined) => twin?.limits.map(({ code }) => code).toSorted();
    expect(codes(twins[1])).toEqual(codes(twins[0]));
    const lost = stripped.columns.filter(
      ({ stats }, place) =>
        stats &&
        stats.most_common_vals === null &&
        stats.histogram_bounds === null &&
        (whole.columns[place]?.stats?.most_common_vals ?? whole.columns[place]?.stats?.histogram_bounds),
    );
    // docs/snapshot-file.md: no codes for these.
    expect(lost.map(({ type }) => type).toSorted()).toEqual(
      [
        'bytea',
        'inet',
        'integer[]',
        'interval',
        'jsonb',
        'money',
        'text[]',
        'time without time zone',
      ].toSorted(),
    );
  });

  it('is planned as the whole one is, each with its own values', async () => {
    const far: unknown[] = [];
    let asked = 0;
    for (const [place, type] of Object.keys(TYPES).entries()) {
      const at = (snapshot: Snapshot) =>
        snapshot.columns.find((column) => column.name === columnOf(place))?.stats;
      const pick = (snapshot: Snapshot, share: number) => {
        const stats = at(snapshot);
        const texts = stats?.histogram_bounds ?? stats?.most_common_vals ?? null;
        const values = texts === null ? [] : parseArrayText(texts);
        return values[Math.floor(values.length * share)];
      };
      if (pick(stripped, 0.5) === undefined) continue;
      const quoted = (value: unknown) => `${pg.escapeLiteral(String(value))}::${type}`;
      const conditions = (snapshot: Snapshot) => [
        `${columnOf(place)} = ${quoted(pick(snapshot, 0.4))}`,
        `${columnOf(place)} > ${quoted(pick(snapshot, 0.9))}`,
        `${columnOf(place)} IN (${quoted(pick(snapshot, 0.2))}, ${quoted(pick(snapshot, 0.7))})`,
        `${columnOf(place)} IS NOT NULL`,
      ];
      const [ofWhole, ofStripped] = [conditions(whole), conditions(stripped)];
      for (const [position, condition] of ofWhole.entries()) {
        const text = (where: string) =>
          `SELECT o.v FROM zoo z JOIN other o ON o.zoo_id = z.id WHERE z.${where}`;
        const expected = await cost(twins[0], text(condition));
        const found = await cost(twins[1], text(ofStripped[position] ?? ''));
        asked += 1;
        const factor = Number(found) / Number(expected);
        if (!(factor > 0.8 && factor < 1.25)) far.push({ type, condition, expected, found });
      }
    }
    expect(asked).toBe(16 * 4);
    expect(far).toEqual([]);
  });
});
