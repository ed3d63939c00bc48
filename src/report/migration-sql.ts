/** Migrations of tools that take SQL files. */
import { isTransactional } from '../domain/index.ts';
import { commented, type Migration, type MigrationParts } from './migration-parts.ts';

const IRREVERSIBLE = '-- Nothing to undo.\nSELECT 1;';
const sqlOf = (statements: readonly string[]) =>
  statements.length === 0 ? IRREVERSIBLE : statements.map((sql) => `${sql};`).join('\n');

function plain({ title, slug, version, statements, rollback, transactional }: MigrationParts): Migration {
  const head = commented('--', title);
  const how = transactional
    ? ''
    : '\n-- Run with autocommit, one statement at a time: not inside of a transaction.';
  return {
    files: [
      { path: `${version()}_${slug}.up.sql`, content: `${head}${how}\n${sqlOf(statements)}\n` },
      { path: `${version()}_${slug}.down.sql`, content: `${head}, undone${how}\n${sqlOf(rollback)}\n` },
    ],
    notes: transactional ? [] : ['psql runs such a file as it is; do not give it -1 (--single-transaction).'],
  };
}

/**
 * `executeInTransaction=false` in a script configuration file beside the migration. Undo migrations (U…) are of paid
 * editions. From 9.1.2 on Flyway's own lock is held by a transaction, which a concurrent build waits for without end
 * unless `flyway.postgresql.transactional.lock=false` (flyway/flyway#3854, #3508).
 */
function flyway({ title, slug, version, statements, rollback, transactional }: MigrationParts): Migration {
  const [up, down] = [`V${version()}__${slug}.sql`, `U${version()}__${slug}.sql`];
  const head = commented('--', title);
  const files = [
    { path: up, content: `${head}\n${sqlOf(statements)}\n` },
    { path: down, content: `${head}, undone\n${sqlOf(rollback)}\n` },
  ];
  if (transactional) return { files, notes: ['Undo migrations (U…) need a paid edition of Flyway.'] };
  const content = 'executeInTransaction=false\n';
  return {
    files: [...files, { path: `${up}.conf`, content }, { path: `${down}.conf`, content }],
    notes: [
      'Undo migrations (U…) need a paid edition of Flyway.',
      'Set flyway.postgresql.transactional.lock=false: with its default a concurrent build waits for Flyway itself, for ever.',
    ],
  };
}

/**
 * A file is sent as one query, and PostgreSQL makes one transaction of a query with several statements: so one statement
 * a file, where one of them may not be in a transaction (golang-migrate/migrate#284; x-multi-statement splits by
 * semicolons without regard to literals, #495). Down runs from the last file to the first.
 */
function golangMigrate({
  title,
  slug,
  version,
  statements,
  rollback,
  transactional,
}: MigrationParts): Migration {
  const head = commented('--', title);
  if (transactional) {
    return {
      files: [
        { path: `${version()}_${slug}.up.sql`, content: `${head}\n${sqlOf(statements)}\n` },
        { path: `${version()}_${slug}.down.sql`, content: `${head}, undone\n${sqlOf(rollback)}\n` },
      ],
      notes: [],
    };
  }
  const total = Math.max(statements.length, rollback.length);
  const files = Array.from({ length: total }, (_, position) => {
    const [up, down] = [statements[position], rollback[total - 1 - position]];
    const name = `${version(position)}_${slug}_${position + 1}`;
    return [
      { path: `${name}.up.sql`, content: `${head}\n${sqlOf(up === undefined ? [] : [up])}\n` },
      { path: `${name}.down.sql`, content: `${head}, undone\n${sqlOf(down === undefined ? [] : [down])}\n` },
    ];
  }).flat();
  return {
    files,
    notes:
      total > 1
        ? [`One statement a file: run ${total} steps (migrate up ${total}, migrate down ${total}).`]
        : [],
  };
}

/**
 * As golang-migrate: a script of several statements is one transaction, of one it is none (prisma/prisma#14456). Prisma
 * has no down; `down.sql` beside the migration, run by `prisma db execute`, is what its documentation shows.
 */
function prisma({ title, slug, version, statements, rollback, transactional }: MigrationParts): Migration {
  const head = commented('--', title);
  const groups = transactional ? [statements] : statements.map((sql) => [sql]);
  const undo = transactional ? [rollback] : rollback.map((sql) => [sql]);
  const folder = (position: number) =>
    groups.length === 1 ? `${version()}_${slug}` : `${version(position)}_${slug}_${position + 1}`;
  const last = folder(groups.length - 1);
  const downs = undo.map((group, position) => ({
    path: `${last}/${undo.length === 1 ? 'down.sql' : `down_${position + 1}.sql`}`,
    content: `${head}, undone\n${sqlOf(group)}\n`,
  }));
  return {
    files: [
      ...groups.map((group, position) => ({
        path: `${folder(position)}/migration.sql`,
        content: `${head}\n${sqlOf(group)}\n`,
      })),
      ...downs,
    ],
    notes:
      downs.length === 0
        ? []
        : [
            `Undo: npx prisma db execute --schema prisma/schema.prisma --file ${downs.map(({ path }) => path).join(', then --file ')}; then prisma migrate resolve.`,
          ],
  };
}

/**
 * Drizzle runs all pending migrations in one transaction and has no mark against it (drizzle-team/drizzle-orm#860, open):
 * what may not be in one is a file of its own for psql.
 */
function drizzle(parts: MigrationParts): Migration {
  const { title, slug, version, statements, rollback, transactional } = parts;
  const head = commented('--', title);
  if (!transactional) {
    const by = (list: readonly string[]) => list.filter((sql) => !isTransactional(sql)).length;
    const { files } = plain(parts);
    return {
      files: files.map(({ path, content }) => ({ path: `outside-of-drizzle/${path}`, content })),
      notes: [
        `Drizzle cannot run this: ${by(statements)} statement(s) up and ${by(rollback)} down may not be in a transaction, and it has no mark for that. Run the file with psql, and add the index to the schema by drizzle-kit generate --custom.`,
      ],
    };
  }
  const joined = (list: readonly string[]) =>
    list.length === 0 ? IRREVERSIBLE : list.map((sql) => `${sql};`).join('--> statement-breakpoint\n');
  return {
    files: [
      { path: `${version()}_${slug}.sql`, content: `${head}\n${joined(statements)}\n` },
      { path: `${version()}_${slug}.down.sql`, content: `${head}, undone\n${sqlOf(rollback)}\n` },
    ],
    notes: [
      'Make the migration with drizzle-kit generate --custom and put this text into it: its journal must know it.',
      'Drizzle has no down; run that file with psql.',
    ],
  };
}

export const sqlFormats = {
  plain,
  flyway,
  'golang-migrate': golangMigrate,
  prisma,
  drizzle,
};
