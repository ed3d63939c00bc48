/** Command lines of clouds that set parameters of a server. */
import type { DialectSetting } from './settings-dialect.ts';

/** A word for the shell: values such as log_line_prefix hold spaces and per cents. */
export const shellWord = (text: string) =>
  /^[\w.:=-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** Booleans of parameter groups are 0 and 1 ("AllowedValues" in the guides of RDS and Aurora). */
const awsValue = (bare: string) => (bare === 'on' ? '1' : bare === 'off' ? '0' : bare);

/** ApplyMethod of a static parameter must be pending-reboot, of a dynamic one it may be immediate; at most 20 a call. */
export function parameterGroup(settings: readonly DialectSetting[], command: string): string[] {
  return chunks(settings, 20).flatMap((part) => [
    `aws rds ${command} --parameters \\`,
    ...part.map(({ name, bare, restart }, index) => {
      const given = `ParameterName=${name},ParameterValue=${awsValue(bare)},ApplyMethod=${restart ? 'pending-reboot' : 'immediate'}`;
      const quoted = /^[\w.=,-]+$/.test(given) ? `"${given}"` : shellWord(given);
      return `  ${quoted}${index < part.length - 1 ? ' \\' : ''}`;
    }),
  ]);
}

/**
 * gcloud replaces the whole list of flags, and what is not named is reset: the list of today is read and merged.
 * `^~^` is gcloud's way to separate by another sign than a comma, which values may hold.
 */
export function wholeListOfFlags(
  settings: readonly DialectSetting[],
  { read, flags, write }: { read: string; flags: string; write: string },
): string[] {
  const wanted = JSON.stringify(Object.fromEntries(settings.map(({ name, bare }) => [name, bare])));
  return [
    '# The list is replaced as a whole: flags of today are read and kept. Look at "$FLAGS" before you send it.',
    `FLAGS=$(${read} | jq -r --argjson wanted ${shellWord(wanted)} \\`,
    `  '([${flags}] | from_entries) + $wanted | to_entries | map("\\(.key)=\\(.value)") | join("~")')`,
    `${write} --database-flags="^~^$FLAGS"`,
  ];
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let start = 0; start < items.length; start += size) parts.push(items.slice(start, start + size));
  return parts;
}

/** Prints those of the names that Cloud SQL has no flag for (the reference of gcloud sql flags list). */
export function unknownFlags(settings: readonly DialectSetting[]): string[] {
  const names = settings.map(({ name }) => name).toSorted();
  return [
    '# A flag that Cloud SQL does not have fails the whole call. This prints those that it does not have; VERSION is POSTGRES_17 and so on.',
    `LC_ALL=C comm -23 <(printf '%s\\n' ${names.join(' ')}) <(gcloud sql flags list --database-version="$VERSION" --format='value(name)' | LC_ALL=C sort)`,
  ];
}
