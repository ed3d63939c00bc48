/** Migrations of tools that take code. */
import { commented, type Migration, type MigrationParts } from './migration-parts.ts';

/** A text as a literal of JavaScript and of Python: JSON's escapes are both's. */
const literal = (text: string) => JSON.stringify(text);

/**
 * `pgm.noTransaction()` in each direction (node-pg-migrate, Migrations: Transactions). Its file names begin with 13 digits
 * of ms or 17 of UTC: 14 are taken for a number of ms, and sort behind every other migration for ever (getNumericPrefix
 * of 7.9).
 */
function nodePgMigrate({
  title,
  slug,
  version,
  statements,
  rollback,
  transactional,
}: MigrationParts): Migration {
  const body = (list: readonly string[]) =>
    [
      ...(transactional ? [] : ['  pgm.noTransaction();']),
      ...list.map((sql) => `  pgm.sql(${literal(sql)});`),
    ].join('\n');
  const down =
    rollback.length === 0
      ? '// Nothing to undo.\nexport const down = () => {};'
      : `export const down = (pgm) => {\n${body(rollback)}\n};`;
  const content = `${commented('//', title)}\nexport const up = (pgm) => {\n${body(statements)}\n};\n\n${down}\n`;
  return { files: [{ path: `${version()}000_${slug}.mjs`, content }], notes: [] };
}

/** `disable_ddl_transaction!` (ActiveRecord::Migration, Transactional Migrations). */
function rails({ title, slug, version, statements, rollback, transactional }: MigrationParts): Migration {
  // A heredoc in single quotes takes the text as it is, up to a line that is its name.
  const execute = (sql: string) => `    execute <<-'PGLUTHIER_SQL'\n${sql}\nPGLUTHIER_SQL`;
  const name = slug
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
  const down = rollback.length === 0 ? '    # Nothing to undo.' : rollback.map(execute).join('\n');
  const content = `${commented('#', title)}
class ${/^[A-Z]/.test(name) ? name : `Change${name}`} < ActiveRecord::Migration[7.0]
${transactional ? '' : '  disable_ddl_transaction!\n\n'}  def up
${statements.map(execute).join('\n')}
  end

  def down
${down}
  end
end
`;
  const file = /^[A-Z]/.test(name) ? slug : `change${slug}`;
  return {
    files: [{ path: `${version()}_${file}.rb`, content }],
    notes: [
      'Give the superclass your version of Rails.',
      ...(transactional
        ? []
        : [
            "Rails' own lock against a second migration is an advisory lock of the session: it does not hold a concurrent build up.",
          ]),
    ],
  };
}

/** `atomic = False` (Django, How to create database migrations: Non-atomic migrations); a list runs statement by statement. */
function django({ title, slug, version, statements, rollback, transactional }: MigrationParts): Migration {
  const list = (sql: readonly string[]) =>
    sql.length === 0
      ? 'migrations.RunSQL.noop'
      : `[\n${sql.map((one) => `                ${literal(one)},`).join('\n')}\n            ]`;
  const content = `${commented('#', title)}
from django.db import migrations


class Migration(migrations.Migration):
${transactional ? '' : '    atomic = False\n\n'}    dependencies = [
        # ("your_app", "the migration before"),
    ]

    operations = [
        migrations.RunSQL(
            sql=${list(statements)},
            reverse_sql=${list(rollback)},
        ),
    ]
`;
  return {
    files: [{ path: `${version()}_${slug}.py`, content }],
    notes: ['Fill in dependencies: your app and its latest migration.'],
  };
}

export const codeFormats = { 'node-pg-migrate': nodePgMigrate, rails, django };
