/** Values as the rooms expect them, for one client alone: other users of the driver in this process keep theirs. */
import pg from 'pg';
import { PgLuthierError } from '../domain/index.ts';

const INT8 = 20;
const INT8_ARRAY = 1016;
const NUMERIC = 1700;
const TIMESTAMPTZ = 1184;

/** int8 as a number: every counter fits; what does not is an error, never a rounded value. */
function parseInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) {
    throw new PgLuthierError({
      code: 'target_value_unreadable',
      status: 502,
      message: 'A count of the target is beyond 2^53 and cannot be kept exactly.',
    });
  }
  return value;
}

/** `2026-01-31 12:00:00.123456+00` as ISO 8601; infinities stay words. */
function parseTimestamp(text: string): string {
  return text.endsWith('infinity') ? text : `${text.replace(' ', 'T').replace(/\+00$/, '')}Z`;
}

const arrayOfText = pg.types.getTypeParser(1009 as number, 'text') as (text: string) => (string | null)[];

const parsers: Record<number, (text: string) => unknown> = {
  [INT8]: parseInt8,
  [INT8_ARRAY]: (text) => arrayOfText(text).map((item) => (item === null ? null : parseInt8(item))),
  // Sums of counters come as numeric; beyond 2^53 they lose their last digits, which no ratio shows.
  [NUMERIC]: Number,
  [TIMESTAMPTZ]: parseTimestamp,
};

/** int8 and numeric as numbers, timestamps as ISO 8601 in UTC (the session's time zone is UTC). */
export const valueTypes: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    parsers[oid] ?? pg.types.getTypeParser(oid, format as 'text')) as pg.CustomTypesConfig['getTypeParser'],
};
