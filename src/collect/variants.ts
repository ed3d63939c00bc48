/** The SQL of a noun: the variant with the highest floor that the server (or extension) reaches. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { quoteIdentifier } from '../domain/index.ts';
import { sqlPath } from '../package-root.ts';

/** `pg170000.sql` has floor 170000; `pgss1.11.sql` has floor 1.11, compared part by part. */
const FILE_NAME = /^(pg|pgss)(\d+(?:\.\d+)?)\.sql$/;

function compareVersions(a: string, b: string): number {
  const [aMajor = 0, aMinor = 0] = a.split('.').map(Number);
  const [bMajor = 0, bMinor = 0] = b.split('.').map(Number);
  return aMajor - bMajor || aMinor - bMinor;
}

const texts = new Map<string, string>();
const floors = new Map<string, readonly string[]>();

/** All variants of a noun, by their floor, ascending. The folder is looked at once: it ships with the program. */
export function floorsOf(noun: string): readonly string[] {
  const known = floors.get(noun);
  if (known) return known;
  const directory = sqlPath('collect', noun);
  if (!existsSync(directory)) throw new Error(`there is no sql/collect/${noun}`);
  const found = readdirSync(directory)
    .flatMap((name) => FILE_NAME.exec(name)?.[2] ?? [])
    .sort(compareVersions);
  floors.set(noun, found);
  return found;
}

/**
 * The SQL of a noun for a version.
 * @param version server_version_num, or an extension's version such as `1.11`.
 * @param replacements values of the file's `:name` places: SQL of ours, or a schema's name, which is quoted.
 * @throws Error when no variant reaches so low: a version that must have been refused before.
 */
export function sqlVariant(
  noun: string,
  version: string,
  replacements: { extension_schema?: string } & Record<string, string> = {},
): string {
  const floor = floorsOf(noun)
    .filter((candidate) => compareVersions(candidate, version) <= 0)
    .at(-1);
  if (floor === undefined) throw new Error(`sql/collect/${noun} has no variant for version ${version}`);
  const key = `${noun}/${floor}`;
  let text = texts.get(key);
  if (text === undefined) {
    const prefix = existsSync(sqlPath('collect', noun, `pg${floor}.sql`)) ? 'pg' : 'pgss';
    text = readFileSync(sqlPath('collect', noun, `${prefix}${floor}.sql`), 'utf8');
    texts.set(key, text);
  }
  let result = text;
  for (const [name, value] of Object.entries(replacements)) {
    // A function: in a text `$&` and `$$` would mean something.
    result = result.replaceAll(`:${name}`, () =>
      name === 'extension_schema' ? quoteIdentifier(value) : value,
    );
  }
  return result;
}
