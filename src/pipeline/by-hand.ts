/** A proposed setting in the words of whoever runs the server, whether or not the service may set it itself. */
import type { ProposedSetting, Recommendation, Snapshot } from '../domain/index.ts';
import { renderSettings, type SettingDialect, settingDialects } from '../report/index.ts';

/** Dialects that fit the server, the likeliest first. */
export function dialectsOf({ server, settings }: Pick<Snapshot, 'server' | 'settings'>): SettingDialect[] {
  const service = settingDialects.find((name) => name === server.managed_service);
  if (service) return [service];
  // Patroni and CloudNativePG switch ALTER SYSTEM off and write the files themselves.
  const denied = settings.some(({ name, setting }) => name === 'allow_alter_system' && setting === 'off');
  return denied ? ['patroni', 'cnpg'] : ['sql', 'conf'];
}

/** One setting, a text a dialect; a role's is SQL and stands in the statements already, a database's is SQL everywhere. */
export function byHand(
  setting: ProposedSetting,
  dialects: readonly SettingDialect[],
): NonNullable<Recommendation['by_hand']> {
  if (setting.role !== null) return [];
  if (setting.database != null)
    return [{ dialect: 'sql', text: renderSettings([dialectSetting(setting)], 'sql') }];
  return dialects.map((dialect) => ({ dialect, text: renderSettings([dialectSetting(setting)], dialect) }));
}

function dialectSetting({ name, value, bare_value, restart, role, database = null }: ProposedSetting) {
  return { name, text: value, bare: bare_value, restart, role, database };
}
