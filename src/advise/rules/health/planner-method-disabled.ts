/** enable_* settings that are off for good. */
import { quoteIdentifier, type SettingOverride } from '../../../domain/index.ts';
import { isOff } from '../../autovacuum/options.ts';
import { type Found, healthRule } from '../../health/check.ts';
import { settingEvidence } from '../../health/finding.ts';
import { measured } from '../../settings/facts.ts';

/**
 * What a session, a role or this database has for itself says nothing of the server's: pg_settings shows it all the same.
 * Those of roles and databases are told by pg_db_role_setting.
 */
const OWN = new Set(['session', 'client', 'user', 'database', 'database user', 'interactive', 'test']);

export const rule = healthRule(
  'planner-method-disabled',
  'A method of the planner is switched off',
  'Settings enable_* that are on by default (boot_val) and off: for the server medium, for a role or database low. They are made to ' +
    'try plans in a session; off for good they forbid the right plan everywhere else.',
  ({ snapshot }) => {
    const methods = snapshot.settings.filter(
      (row) => row.name.startsWith('enable_') && row.vartype === 'bool' && row.boot_val === 'on',
    );
    const found: Found[] = methods
      .filter((row) => row.setting === 'off' && !OWN.has(row.source))
      .map((row) => ({
        object: `server ${row.name}`,
        title: `${row.name} is off`,
        rationale:
          'All statements do without this method. Mostly one slow statement was helped so; better statistics, an index, or SET LOCAL around that one helps without harm to others.',
        severity: 'medium',
        evidence: [settingEvidence(row)],
        remedy: [
          `ALTER SYSTEM RESET ${row.name}; SELECT pg_reload_conf();  -- or in ${row.sourcefile ?? 'the configuration'}`,
        ],
        needs: 'reload',
      }));
    const names = new Set(methods.map(({ name }) => name));
    for (const override of snapshot.setting_overrides) {
      if (!names.has(override.name) || !isOff(override.value)) continue;
      const whose = [
        override.role === null ? null : `the role ${override.role}`,
        override.database === null ? null : `the database ${override.database}`,
      ]
        .filter((part) => part !== null)
        .join(' in ');
      found.push({
        object: `${whose} ${override.name}`,
        title: `${override.name} is off for ${whose}`,
        rationale: 'Every statement there does without this method, not only the one that it was meant for.',
        severity: 'low',
        evidence: [measured(override.name, override.value, null, 'pg_db_role_setting')],
        remedy: [`${resetOf(override)};  -- new sessions follow`],
      });
    }
    return { found };
  },
);

function resetOf({ role, database, name }: SettingOverride): string {
  if (role === null) return `ALTER DATABASE ${quoteIdentifier(database ?? '')} RESET ${name}`;
  const where = database === null ? '' : ` IN DATABASE ${quoteIdentifier(database)}`;
  return `ALTER ROLE ${quoteIdentifier(role)}${where} RESET ${name}`;
}
