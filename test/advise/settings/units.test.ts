import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  formatMemory,
  parseSetting,
  roundMemory,
  settingBytes,
  showValue,
} from '../../../src/advise/settings/units.ts';
import type { SettingRow } from '../../../src/domain/index.ts';
import { testMajors, testServer } from '../../support/servers.ts';

const majors = [Math.min(...testMajors), Math.max(...testMajors)];

describe.each([...new Set(majors)])('against PostgreSQL %i', (major) => {
  let client: pg.Client;
  beforeAll(async () => {
    client = new pg.Client({ connectionString: (await testServer({ major })).dsn() });
    await client.connect();
  });
  afterAll(async () => client?.end());

  const settingOf = async (name: string): Promise<SettingRow> => {
    const { rows } = await client.query<SettingRow>('SELECT * FROM pg_settings WHERE name = $1', [name]);
    if (!rows[0]) throw new Error(name);
    return rows[0];
  };

  test('every numeric setting is shown as SHOW shows it', async () => {
    const { rows } = await client.query<SettingRow & { shown: string }>(
      "SELECT s.*, current_setting(name) AS shown FROM pg_settings s WHERE vartype IN ('integer', 'real') AND name !~ '_(mode|permissions)$'",
    );
    expect(rows.length).toBeGreaterThan(100);
    expect(rows.map((row) => `${row.name} ${showValue(row)}`)).toEqual(
      rows.map((row) => `${row.name} ${row.shown}`),
    );
  });

  // Session settings of each unit: kB, 8kB, ms, none; integer and real.
  test.each([
    ['work_mem', ['kB', 'MB', 'GB', 'B', '']],
    ['temp_buffers', ['kB', 'MB', 'GB', '']],
    ['effective_cache_size', ['kB', 'MB', 'GB', 'TB', '']],
    // One that does no harm when it is a millisecond.
    ['lock_timeout', ['ms', 's', 'min', 'h', 'd', 'us', '']],
    ['vacuum_cost_delay', ['ms', 'us', '']],
    ['effective_io_concurrency', ['', 'MB']],
    ['random_page_cost', ['', 'ms']],
  ])('%s is read as the server reads it', async (name, units) => {
    const row = await settingOf(name);
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.integer({ min: 0, max: 3000 }).map(String),
          fc.double({ min: 0, max: 200, noNaN: true }).map((number) => number.toFixed(3)),
          fc.constantFrom('1e3', '.5', '2.', '-1', 'abc', '1 2', ''),
        ),
        fc.constantFrom(...units),
        fc.constantFrom('', ' '),
        async (number, unit, space) => {
          const text = `${number}${space}${unit}`;
          const ours = parseSetting(text, row);
          let theirs: number | null;
          try {
            await client.query('SELECT set_config($1, $2, false)', [name, text]);
            theirs = Number((await settingOf(name)).setting);
          } catch {
            theirs = null;
          }
          if (theirs === null) {
            // Out of range is the server's refusal of a number; anything else must be none for us either.
            const beyond = ours !== null && (ours < Number(row.min_val) || ours > Number(row.max_val));
            expect(ours === null || beyond, `${name} = '${text}' is refused, we read ${ours}`).toBe(true);
          } else {
            expect(ours, `${name} = '${text}'`).not.toBeNull();
            expect(ours ?? Number.NaN, `${name} = '${text}'`).toBeCloseTo(theirs, 4);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('formatted memory is the same memory to pg_size_bytes and to a setting', async () => {
    const row = await settingOf('work_mem');
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 64, max: 2 ** 31 - 1 }), async (kilobytes) => {
        const bytes = kilobytes * 1024;
        const text = formatMemory(bytes);
        const { rows } = await client.query<{ size: string }>('SELECT pg_size_bytes($1) AS size', [text]);
        expect(Number(rows[0]?.size)).toBe(bytes);
        await client.query('SELECT set_config($1, $2, false)', ['work_mem', text]);
        const set = await settingOf('work_mem');
        expect(settingBytes(set)).toBe(bytes);
        expect(showValue(set)).toBe(text);
        expect(parseSetting(text, row)).toBe(kilobytes);
      }),
      { numRuns: 60 },
    );
  });
});

test('rounding goes down, by less than an eighth, to what a person would write', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2 ** 20, max: 2 ** 45 }), (bytes) => {
      const rounded = roundMemory(bytes);
      expect(rounded).toBeLessThanOrEqual(bytes);
      expect(rounded % 2 ** 20).toBe(0);
      expect(rounded === bytes || bytes - rounded < Math.max(2 ** 20, bytes / 8)).toBe(true);
    }),
  );
  expect(formatMemory(roundMemory(1000))).toBe('64kB');
});

test('units are case-sensitive and special values are no sizes', () => {
  const kb = { unit: 'kB', vartype: 'integer' };
  expect(parseSetting('1gb', kb)).toBeNull();
  expect(parseSetting('1GB', kb)).toBe(1024 * 1024);
  expect(parseSetting('010', kb)).toBeNull();
  expect(settingBytes({ setting: '-1', ...kb })).toBeNull();
  expect(showValue({ setting: '-1', ...kb })).toBe('-1');
});
