/**
 * A change as a migration for people to run with their own tool: up and down, with the tool's own mark for what must
 * not be in a transaction. What each tool does was looked up in its documentation and tracker; sources stand at each.
 */
import { isTransactional } from '../domain/index.ts';
import { codeFormats } from './migration-code.ts';
import type { Migration, MigrationInput, MigrationParts } from './migration-parts.ts';
import { sqlFormats } from './migration-sql.ts';

export const migrationFormats = [
  'plain',
  'flyway',
  'node-pg-migrate',
  'golang-migrate',
  'rails',
  'django',
  'prisma',
  'drizzle',
] as const;
export type MigrationFormat = (typeof migrationFormats)[number];

/** @param at the migration's version is this time's. */
export function renderMigration(format: MigrationFormat, input: MigrationInput, at: Date): Migration {
  const slug =
    input.title
      .normalize('NFKD')
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '_')
      .replaceAll(/^_+|_+$/g, '')
      .slice(0, 60)
      .replace(/_$/, '') || 'pgluthier';
  const parts: MigrationParts = {
    ...input,
    slug,
    version: (later = 0) =>
      new Date(at.getTime() + later * 1000)
        .toISOString()
        .replaceAll(/[^0-9]/g, '')
        .slice(0, 14),
    transactional: [...input.statements, ...input.rollback].every(isTransactional),
  };
  return { ...sqlFormats, ...codeFormats }[format](parts);
}
