/** Extensions older than the files on the server. */
import { quoteIdentifier } from '../../../domain/index.ts';
import { healthRule, unseen } from '../../health/check.ts';
import { measured } from '../../settings/facts.ts';

export const rule = healthRule(
  'extension-outdated',
  'An extension is older than its files',
  "An installed extension whose version is before the default one of the server's files: after pg_upgrade and after new packages " +
    'nobody updates it by itself. Info; versions are compared number by number. Quiet where the installed one is newer, or where ' +
    'either is no number.',
  ({ snapshot }) => {
    if (snapshot.instance === undefined) return unseen('Versions of extensions');
    return {
      found: snapshot.instance.extensions.flatMap((extension) => {
        const { name, installed_version, default_version } = extension;
        if (default_version === null || !isBefore(installed_version, default_version)) return [];
        return [
          {
            object: name,
            title: `The extension ${name} is ${installed_version}; the server has ${default_version}`,
            rationale:
              'Its SQL objects are those of the older version: newer columns and functions are missing, and mended definitions are not in force.',
            severity: 'info' as const,
            evidence: [
              measured('installed', installed_version, null, 'pg_extension.extversion'),
              measured('in the files', default_version, null, 'pg_available_extensions.default_version'),
            ],
            remedy: [
              `ALTER EXTENSION ${quoteIdentifier(name)} UPDATE;  -- views that depend on its own may have to be dropped before; read its release notes`,
            ],
          },
        ];
      }),
    };
  },
);

/** 1.9 is before 1.10. False where a part is no number: such versions have no order that all agree on. */
export function isBefore(a: string, b: string): boolean {
  const [left, right] = [a, b].map((version) =>
    version.split('.').map((part) => (part === '' ? Number.NaN : Number(part))),
  );
  if (left === undefined || right === undefined || [...left, ...right].some(Number.isNaN)) return false;
  for (let place = 0; place < Math.max(left.length, right.length); place += 1) {
    const difference = (left[place] ?? 0) - (right[place] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
