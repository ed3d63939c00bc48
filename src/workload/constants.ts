/** The constants that a text of SQL shows. */
import type { ScanToken } from 'libpg-query';
import { scanTokens } from './parser.ts';

/** PostgreSQL's tokens of constants (scan.l). */
const CONSTANTS: ReadonlySet<string> = new Set([
  'SCONST',
  'USCONST',
  'ICONST',
  'FCONST',
  'BCONST',
  'XCONST',
  'TRUE_P',
  'FALSE_P',
]);

/** Each constant as it is written, with its place; null: no SQL. The grammar must be loaded (any parse does it). */
export function constantTokens(sql: string): ScanToken[] | null {
  return scanTokens(sql)?.filter(({ tokenName }) => CONSTANTS.has(tokenName)) ?? null;
}
