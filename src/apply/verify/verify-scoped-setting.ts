/**
 * A setting of a role, a database, or a role in a database: in force there, and did it move what it is to move? A window
 * holds the statements of the target's own database, by role: those of a role in other databases are not seen.
 */
import { type ScopedSetting, scopeOf, scopeWords } from '../../domain/index.ts';
import { holds, overridesBefore } from '../scoped-setting.ts';
import { type Judgement, judgement, type VerifyInput } from './judgement.ts';
import { judgeInForce, measuresOf } from './verify-setting.ts';

export function verifyScopedSetting(input: VerifyInput, change: ScopedSetting): Judgement {
  const { name, value } = change;
  const { settings, setting_overrides } = input.after.snapshot;
  const scope = scopeOf(change);
  const whose = scopeWords(scope);
  const role = scope.role ?? undefined;
  const row = settings.find((item) => item.name === name);
  const ofName = setting_overrides.filter((item) => item.name.toLowerCase() === name.toLowerCase());
  const entry = ofName.find((item) => item.role === scope.role && item.database === scope.database);
  const measures = measuresOf(input, name, role);
  if (!row || !holds(change, entry?.value ?? null, row)) {
    return judgement(
      'inconclusive',
      `${name} of ${whose} is ${entry?.value ?? 'not set'}, not ${change.reset ? 'taken away' : value}: it was changed again.`,
      false,
      { measures },
    );
  }
  const masks = overridesBefore(ofName, change).map(
    (mask) => `${scopeWords(mask)} has ${mask.value}, which goes before it.`,
  );
  const inForce = change.reset
    ? `${name} is no longer set for ${whose}.`
    : `${name} = ${value} is in force for new sessions of ${whose}.`;
  return judgeInForce(input, name, [inForce, ...masks].join(' '), role);
}
