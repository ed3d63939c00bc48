/** SECURITY DEFINER functions whose names are looked up by the caller's search_path. */
import type { DefinerFunction } from '../../../domain/index.ts';
import { quoteQualified } from '../../../domain/index.ts';
import { healthRule, unseen } from '../../health/check.ts';
import { measured } from '../../settings/facts.ts';

export const rule = healthRule(
  'definer-search-path',
  'A SECURITY DEFINER function sets no search_path',
  'SECURITY DEFINER routines without a search_path of their own: whoever calls them may put objects of the same names in front ' +
    "and run them with the owner's rights (CVE-2018-1058). High where the owner is a superuser and PUBLIC may execute it, medium " +
    "where one of both, otherwise low. Quiet for extensions' and for SQL bodies that are parsed when made (BEGIN ATOMIC, 14).",
  ({ snapshot }) => {
    if (snapshot.instance === undefined) return unseen('SECURITY DEFINER functions');
    return {
      found: snapshot.instance.definer_functions
        .filter((routine) => !routine.sets_search_path && routine.is_parsed_early !== true)
        .map((routine) => {
          const written = `${routine.schema}.${routine.name}(${routine.identity_arguments ?? '…'})`;
          return {
            object: written,
            title: `${written} runs with its owner's rights and the caller's search_path`,
            rationale:
              'A name in its body that is not qualified, operators included, is looked up in the schemas of the caller, pg_temp among them: who may create objects there decides what runs.',
            severity: severityOf(routine),
            evidence: [
              measured('sets search_path', false, null, 'pg_proc.proconfig'),
              measured('owner is a superuser', routine.owner_is_superuser, null, 'pg_roles.rolsuper'),
              measured('PUBLIC may execute it', routine.public_may_execute, null, 'has_function_privilege()'),
            ],
            remedy: [
              `ALTER ROUTINE ${quoteQualified(routine.schema, routine.name)}(${routine.identity_arguments ?? '…'}) SET search_path = pg_catalog, pg_temp;  -- with the schemas that it needs before pg_temp`,
              ...(routine.public_may_execute
                ? [
                    `Unless all may call it: REVOKE EXECUTE ON ROUTINE ${quoteQualified(routine.schema, routine.name)}(${routine.identity_arguments ?? '…'}) FROM PUBLIC;`,
                  ]
                : []),
            ],
          };
        }),
    };
  },
);

function severityOf(routine: DefinerFunction) {
  if (routine.owner_is_superuser && routine.public_may_execute) return 'high' as const;
  return routine.owner_is_superuser || routine.public_may_execute ? ('medium' as const) : ('low' as const);
}
