/**
 * The contract of sql/collect: whatever variant is chosen, on whatever server, a noun's columns have the same names and
 * types, they are those that its schema reads, and its rows pass it.
 */
import { existsSync, readdirSync } from 'node:fs';
import pg from 'pg';
import { describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { collectFastSnapshot, collectSnapshot } from '../../src/collect/index.ts';
import { floorsOf, sqlVariant } from '../../src/collect/variants.ts';
import type { Limit } from '../../src/domain/index.ts';
import { availableMajors } from '../../src/embedded/index.ts';
import { sqlPath } from '../../src/package-root.ts';
import { openTarget, TargetQueryError } from '../../src/target/index.ts';
import { testMajors, testServer } from '../support/servers.ts';
import { EVERY_NOUN_SETTINGS, everyNoun } from './every-noun.ts';

const majors = availableMajors().includes(14) && !testMajors.includes(14) ? [14, ...testMajors] : testMajors;

/** What each statement's rows are checked by; readNoun and readNounOfTables stay as they are. */
const { schemas } = vi.hoisted(() => {
  // The collector may have been imported by a test file before this one, without the mock.
  vi.resetModules();
  return { schemas: new Map<string, unknown>() };
});
vi.mock('../../src/collect/reader.ts', async (original) => {
  const real = await original<typeof import('../../src/collect/reader.ts')>();
  const readNoun: typeof real.readNoun = (reader, noun, sql, schema, parameters) => {
    schemas.set(sql, schema);
    return real.readNoun(reader, noun, sql, schema, parameters);
  };
  const readNounOfTables: typeof real.readNounOfTables = (reader, noun, sql, schema, tables) => {
    schemas.set(sql, schema);
    return real.readNounOfTables(reader, noun, sql, schema, tables);
  };
  return { ...real, readNoun, readNounOfTables };
});

const nouns = readdirSync(sqlPath('collect'));
const ofExtension = (noun: string) => existsSync(sqlPath('collect', noun, `pgss${floorsOf(noun)[0]}.sql`));
const place = { extension_schema: 'public' };
/** Every file of sql/collect, by its text. */
const files = new Map(
  nouns.flatMap((noun) =>
    floorsOf(noun).map((floor) => [sqlVariant(noun, floor, place), { noun, floor }] as const),
  ),
);
const serverFloors = [...new Set(nouns.filter((noun) => !ofExtension(noun)).flatMap(floorsOf))].sort();
/** Versions of pg_stat_statements that each major can create. */
const statementVersions = (major: number) =>
  ['1.9', '1.10', '1.11', '1.12'].slice(0, { 14: 1, 15: 2, 16: 2, 17: 3 }[major] ?? 4);

interface Seen {
  floor: string;
  major: number;
  columns: string[];
}
/** By noun: the columns, with types, of each variant on each server where it ran. */
const seen = new Map<string, Seen[]>();
/** Nouns with rows somewhere, checked by their schema. */
const withRows = new Set<string>();

/** A noun's variant whose columns a newer server no longer has: it is chosen there for no version. */
const GONE = new Set(['42703', '42883', '42P01']);

function keysOf(schema: unknown): string[] {
  const object = schema instanceof z.ZodPipe ? schema.in : schema;
  if (!(object instanceof z.ZodObject)) throw new Error('a noun is read by an object, transformed or not');
  return Object.keys(object.shape).sort();
}

/** The variant that a server of this major gets. */
function chosenFor(noun: string, major: number, fallback: string): string {
  return ofExtension(noun) ? fallback : sqlVariant(noun, String(major * 10_000), place);
}

/**
 * Collects as if the server were of an older version, so that its variants run, and keeps what came. Where a variant's
 * columns are gone the one that replaced it is run.
 */
async function collectAs(dsn: string, major: number, version: number): Promise<Limit[]> {
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  await client.query("SET search_path = pg_catalog; SET lock_timeout = '1s'");
  const session = await openTarget(dsn, { applicationName: 'pgluthier:test', readOnly: true });
  const asked = new Set<string>();
  const watched = {
    ...session,
    server_version_num: version,
    async query<T extends object>(sql: string, parameters: unknown[] = []): Promise<T[]> {
      const file = files.get(sql);
      const rows = await session.query<T>(sql, parameters).catch((error: unknown) => {
        const isGone = error instanceof TargetQueryError && GONE.has(error.sqlstate);
        const chosen = file ? chosenFor(file.noun, major, sql) : sql;
        if (!isGone || chosen === sql) throw error;
        return null;
      });
      if (rows === null) return this.query(chosenFor(file?.noun ?? '', major, sql), parameters);
      if (file) {
        if (rows.length > 0) withRows.add(file.noun);
        if (!asked.has(sql)) {
          asked.add(sql);
          const { fields } = await client.query({ text: sql, values: parameters });
          const columns = fields.map((field) => `${field.name} ${field.dataTypeID}`).sort();
          seen.set(file.noun, [...(seen.get(file.noun) ?? []), { floor: file.floor, major, columns }]);
        }
      }
      return rows;
    },
  };
  try {
    const full = await collectSnapshot(watched);
    const fast = await collectFastSnapshot(watched, { known_statements: new Set() });
    return [...full.limits, ...fast.limits];
  } finally {
    await session.close();
    await client.end();
  }
}

describe.each(majors)('PostgreSQL %i', (major) => {
  it('every variant up to its version gives rows that pass the schema, or is gone and replaced', async () => {
    const server = await testServer({ major, settings: EVERY_NOUN_SETTINGS });
    for (const version of statementVersions(major)) {
      const database = await everyNoun(server, version);
      try {
        const floors = serverFloors.filter((floor) => Math.floor(Number(floor) / 10_000) <= major);
        for (const floor of floors.filter((one) => version === '1.9' || one === floors.at(-1))) {
          expect(await collectAs(database.dsn, major, Number(floor))).toEqual([]);
        }
      } finally {
        await database.stop();
      }
    }
  });
});

describe('over all servers', () => {
  // A standby's receiver, and the senders it makes: test/collect/standby.test.ts.
  const elsewhere = ['replication-receiver', 'replication-senders', 'busy'];

  it('every file was run on every server at hand that can run it', () => {
    for (const { noun, floor } of files.values()) {
      if (noun === 'busy') continue;
      const ran = new Set(
        seen
          .get(noun)
          ?.filter((one) => one.floor === floor)
          .map((one) => one.major),
      );
      const floors = floorsOf(noun);
      for (const major of majors) {
        // As chosen for the server's version, or for one that the extension can have there.
        const versions = ofExtension(noun) ? statementVersions(major) : [String(major * 10_000)];
        const chosen = versions.some(
          (version) => floors.filter((one) => reaches(one, version)).at(-1) === floor,
        );
        expect({ noun, floor, major, ran: !chosen || ran.has(major) }).toMatchObject({ ran: true });
      }
    }
  });

  it.each(nouns.filter((noun) => noun !== 'busy'))("%s: the same columns, which are its schema's", (noun) => {
    const runs = seen.get(noun) ?? [];
    expect(runs.length).toBeGreaterThan(0);
    const texts = floorsOf(noun).map((floor) => sqlVariant(noun, floor, place));
    const keys = texts.flatMap((text) => (schemas.has(text) ? [keysOf(schemas.get(text))] : []));
    expect(keys.length).toBeGreaterThan(0);
    for (const run of runs) {
      expect({ ...run, columns: run.columns }).toEqual({ ...run, columns: runs[0]?.columns });
      expect({ ...run, names: run.columns.map((column) => column.split(' ')[0]) }).toEqual({
        ...run,
        names: keys[0],
      });
    }
  });

  it('every noun had rows to check', () => {
    expect(nouns.filter((noun) => !withRows.has(noun) && !elsewhere.includes(noun))).toEqual([]);
  });
});

function reaches(floor: string, version: string): boolean {
  const [a = 0, b = 0] = floor.split('.').map(Number);
  const [c = 0, d = 0] = version.split('.').map(Number);
  return a < c || (a === c && b <= d);
}

describe('PostgreSQL 19', () => {
  it.each(nouns)('%s: the newest variant is chosen', (noun) => {
    const version = ofExtension(noun) ? '1.13' : '190000';
    const newest = floorsOf(noun).at(-1) ?? '';
    expect(sqlVariant(noun, version, place)).toBe(sqlVariant(noun, newest, place));
  });

  it('is collected from, with the limit that it was not tested', async () => {
    const server = await testServer({ major: Math.max(...majors) });
    const database = await server.createDatabase({ sql: 'CREATE EXTENSION pg_stat_statements' });
    const session = await openTarget(database.dsn, { applicationName: 'pgluthier:test', readOnly: true });
    const snapshot = await collectSnapshot({ ...session, server_version_num: 190_000 });
    expect(snapshot.limits.map((limit) => limit.code)).toEqual(['version_untested']);
    await session.close();
    await database.drop();
  });
});
