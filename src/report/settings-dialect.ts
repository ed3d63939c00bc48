/** Settings in the words of whoever owns the server: a file, SQL, a cloud's parameters, an operator's manifest. */
import { quoteIdentifier, quoteLiteral } from '../domain/index.ts';

export const settingDialects = ['conf', 'sql', 'rds', 'cloudsql', 'azure', 'patroni', 'cnpg'] as const;
export type SettingDialect = (typeof settingDialects)[number];

/** One setting as it is proposed. */
export interface DialectSetting {
  name: string;
  /** As a person writes it, with its unit: `4GB`. */
  text: string;
  /** The same as a bare number in pg_settings' own unit, as clouds take it; words stay. */
  bare: string;
  restart: boolean;
}

/** A file, script or manifest fragment; ends with a line break. */
export function renderSettings(settings: readonly DialectSetting[], dialect: SettingDialect): string {
  return `${DIALECTS[dialect](settings).join('\n')}\n`;
}

/** A number or a plain word needs no quotes in postgresql.conf. */
const confValue = (text: string) => (/^[\w.]+$/.test(text) ? text : quoteLiteral(text));

const DIALECTS: Record<SettingDialect, (settings: readonly DialectSetting[]) => string[]> = {
  conf: (settings) =>
    settings.map(
      ({ name, text, restart }) => `${name} = ${confValue(text)}${restart ? '  # wants a restart' : ''}`,
    ),
  sql: (settings) => [
    ...settings.map(({ name, text }) => `ALTER SYSTEM SET ${quoteIdentifier(name)} = ${quoteLiteral(text)};`),
    'SELECT pg_reload_conf();',
    ...(settings.some(({ restart }) => restart)
      ? [`-- after a restart: ${settings.flatMap(({ name, restart }) => (restart ? [name] : [])).join(', ')}`]
      : []),
  ],
  // ApplyMethod of a static parameter must be pending-reboot, of a dynamic one it may be immediate; at most 20 a call.
  rds: (settings) =>
    chunks(settings, 20).flatMap((part) => [
      'aws rds modify-db-parameter-group --db-parameter-group-name "$PARAMETER_GROUP" --parameters \\',
      ...part.map(
        ({ name, bare, restart }, index) =>
          `  "ParameterName=${name},ParameterValue=${bare},ApplyMethod=${restart ? 'pending-reboot' : 'immediate'}"${index < part.length - 1 ? ' \\' : ''}`,
      ),
    ]),
  cloudsql: (settings) => [
    '# patch replaces the whole list of flags: add those that are set today',
    '# (gcloud sql instances describe "$INSTANCE" --format="value(settings.databaseFlags)").',
    `gcloud sql instances patch "$INSTANCE" --database-flags=${settings.map(({ name, bare }) => `${name}=${bare}`).join(',')}`,
  ],
  azure: (settings) =>
    settings.map(
      ({ name, bare }) =>
        `az postgres flexible-server parameter set --resource-group "$GROUP" --server-name "$SERVER" --name ${name} --value ${bare}`,
    ),
  patroni: (settings) => [
    '# patronictl edit-config; then patronictl restart for those that want one',
    'postgresql:',
    '  parameters:',
    ...settings.map(({ name, text }) => `    ${name}: ${yamlText(text)}`),
  ],
  cnpg: (settings) => [
    'spec:',
    '  postgresql:',
    '    parameters:',
    ...settings.map(({ name, text }) => `      ${name}: ${yamlText(text)}`),
  ],
};

/** Always in quotes: `on` and `off` would be booleans, 1.1 a number, and both manifests want text. */
const yamlText = (text: string) => JSON.stringify(text);

function chunks<T>(items: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let start = 0; start < items.length; start += size) parts.push(items.slice(start, start + size));
  return parts;
}
