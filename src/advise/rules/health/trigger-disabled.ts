/** Triggers, those of foreign keys among them, that are switched off. */
import type { TriggerRow } from '../../../domain/index.ts';
import { quoteIdentifier, quoteQualified } from '../../../domain/index.ts';
import { healthRule, unseen } from '../../health/check.ts';
import { measured } from '../../settings/facts.ts';

export const rule = healthRule(
  'trigger-disabled',
  'Triggers are switched off',
  'Triggers with tgenabled = D, one finding a table. High where internal ones are among them: those enforce foreign keys (or ' +
    'deferrable unique constraints), which are then not checked although pg_constraint says valid. Others are low. Triggers ' +
    'for replicas only (R) are meant so.',
  ({ snapshot }) => {
    if (snapshot.instance === undefined) return unseen('Triggers');
    const byTable = new Map<number, TriggerRow[]>();
    for (const trigger of snapshot.instance.triggers.filter(({ enabled }) => enabled === 'D')) {
      byTable.set(trigger.table_oid, [...(byTable.get(trigger.table_oid) ?? []), trigger]);
    }
    return {
      found: [...byTable].flatMap(([oid, triggers]) => {
        const table = snapshot.tables.find((each) => each.oid === oid);
        if (table === undefined) return [];
        const name = `${table.schema}.${table.name}`;
        const quoted = quoteQualified(table.schema, table.name);
        const internal = triggers.filter(({ is_internal }) => is_internal);
        const own = triggers.filter(({ is_internal }) => !is_internal);
        return [
          {
            object: name,
            title:
              internal.length > 0
                ? `Foreign keys of ${name} are not enforced: their triggers are off`
                : `${own.length} trigger(s) of ${name} are off`,
            rationale:
              internal.length > 0
                ? 'Somebody ran ALTER TABLE … DISABLE TRIGGER ALL, mostly for a load, and did not switch them on again. Since then nothing was checked, and the constraint still says that it is valid.'
                : 'What they keep up (audit, derived columns, rules) does not happen. A load may have switched them off and not on again.',
            severity: internal.length > 0 ? ('high' as const) : ('low' as const),
            evidence: triggers
              .slice(0, 10)
              .map((trigger) =>
                measured(
                  trigger.name,
                  trigger.is_internal ? 'off, internal' : 'off',
                  null,
                  'pg_trigger.tgenabled',
                ),
              ),
            remedy: [
              ...(internal.length > 0
                ? [
                    `ALTER TABLE ${quoted} ENABLE TRIGGER ALL;  -- a superuser; those on purpose off go on, too`,
                    'Rows from meanwhile stay unchecked, and VALIDATE CONSTRAINT skips what is marked valid: drop the foreign key, add it NOT VALID, then validate it.',
                  ]
                : []),
              ...own
                .slice(0, 10)
                .map((trigger) => `ALTER TABLE ${quoted} ENABLE TRIGGER ${quoteIdentifier(trigger.name)};`),
            ],
          },
        ];
      }),
    };
  },
);
