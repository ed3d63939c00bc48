/** What a recommendation of a setting says, whichever rule makes it, in the dialect of who runs the server. */
import {
  type AffectedStatement,
  type Change,
  quoteLiteral,
  quoteParameter,
  type RecommendationDraft,
  type RuleContext,
  type SettingOverride,
  type SettingRow,
} from '../../domain/index.ts';
import { setting } from './facts.ts';
import type { Proposal } from './propose.ts';
import { bareValue } from './units.ts';

/** How settings change where nobody may ALTER SYSTEM. */
const SERVICE_DIALECT: Record<string, string> = {
  rds: 'in the DB parameter group (a static parameter wants a reboot)',
  aurora: 'in the DB cluster parameter group (a static parameter wants a reboot)',
  cloudsql:
    'as a database flag: gcloud … patch --database-flags replaces the whole list, so give all of them',
  alloydb:
    'as a database flag: gcloud … update --database-flags replaces the whole list, so give all of them',
  azure: 'under server parameters',
  supabase:
    'with ALTER ROLE or ALTER DATABASE where a session may set it, otherwise with supabase postgres-config update',
  neon: 'with ALTER ROLE or ALTER DATABASE where a session may set it',
};

/** Given outside of the files that ALTER SYSTEM writes: it would change nothing. */
const OUTSIDE_SOURCES = new Set(['command line', 'environment variable']);
/** pg_settings.source of what ALTER ROLE ALL SET: it goes before files and ALTER SYSTEM, for everybody. */
const OF_ALL_ROLES = 'global';

/** Why the service cannot apply it, with what a person does instead; null: ALTER SYSTEM does it. */
function byHand(context: RuleContext, row: SettingRow, text: string): string | null {
  if (row.source === OF_ALL_ROLES) {
    const name = quoteParameter(row.name);
    return `It is given by ALTER ROLE ALL, which goes before the server's own value: ALTER ROLE ALL SET ${name} = ${quoteLiteral(text)}; or ALTER ROLE ALL RESET ${name};`;
  }
  const service = context.snapshot.server.managed_service;
  if (service !== null) {
    return `On ${service} it is set ${SERVICE_DIALECT[service] ?? "through the service's own configuration"}.`;
  }
  if (OUTSIDE_SOURCES.has(row.source)) {
    return `It is given by the server's ${row.source}, which ALTER SYSTEM does not override: change it there (Patroni starts servers so: patronictl edit-config).`;
  }
  if (setting(context, 'allow_alter_system')?.setting === 'off') {
    return 'ALTER SYSTEM is switched off here (allow_alter_system), as Patroni and CloudNativePG do: change it in their configuration.';
  }
  return null;
}

function maskNote(mask: SettingOverride): string {
  const whom = [mask.role && `role ${mask.role}`, mask.database && `database ${mask.database}`].filter(
    Boolean,
  );
  const end = whom.length === 0 ? 'ALTER ROLE ALL RESET' : 'ALTER ROLE or ALTER DATABASE … RESET';
  return `${mask.name} is ${mask.value} for ${whom.join(' in ') || 'all roles'} and stays so: ${end} ends that.`;
}

/** Σ calls × cost of statements, planner cost units; null where no planner was asked. */
export function sumOf(affects: readonly AffectedStatement[]) {
  const sum = (read: (item: AffectedStatement) => number) =>
    affects.length === 0 ? null : affects.reduce((total, item) => total + item.calls * read(item), 0);
  return { cost_before: sum((item) => item.cost_before), cost_after: sum((item) => item.cost_after) };
}

type DatabaseOverride = SettingOverride & { database: string };

/**
 * The value in force comes from ALTER DATABASE … SET: what was observed in this database was observed with that, and the
 * server's own value would change nothing here. Such a value needs no right on the server's files, also on a service.
 */
function databaseOverride(context: RuleContext, row: SettingRow): DatabaseOverride | undefined {
  if (row.source !== 'database') return undefined;
  return context.snapshot.setting_overrides.find(
    (item): item is DatabaseOverride =>
      item.role === null && item.database !== null && item.name.toLowerCase() === row.name.toLowerCase(),
  );
}

function ofItsDatabase(
  { database, value }: DatabaseOverride,
  { text, shown }: { text: string; shown: string },
  name: string,
): Change {
  return { kind: 'database.setting', database, name, value: text, current_value: shown, previous: value };
}

function changeOf(
  row: SettingRow,
  { text, shown }: { text: string; shown: string },
  instead: string | null,
): Change {
  return instead === null
    ? { kind: 'setting', name: row.name, value: text, current_value: shown, context: row.context }
    : { kind: 'finding' };
}

/** The draft; kind finding where only a person can change it. */
export function settingDraft(
  context: RuleContext,
  proposal: Proposal,
  row: SettingRow,
  { text, shown }: { text: string; shown: string },
): RecommendationDraft {
  const restart = row.context === 'postmaster';
  const ofDatabase = databaseOverride(context, row);
  const instead = (ofDatabase ? null : byHand(context, row, text)) ?? proposal.byHand ?? null;
  const change =
    ofDatabase && instead === null
      ? ofItsDatabase(ofDatabase, { text, shown }, row.name)
      : changeOf(row, { text, shown }, instead);
  const from = row.source === 'default' ? 'the built-in default' : row.source;
  const whose = ofDatabase ? ` of database ${ofDatabase.database}` : '';
  const { affects = [] } = proposal;
  const masks = context.snapshot.setting_overrides.filter(
    (override) =>
      override.name === row.name &&
      override !== ofDatabase &&
      // ALTER ROLE ALL is what is in force then, and the rationale says it.
      !(row.source === OF_ALL_ROLES && override.role === null && override.database === null),
  );
  return {
    rule: proposal.rule,
    change,
    key: `setting ${row.name}${whose}`,
    title: `${row.name}${whose}: ${shown} → ${text}`,
    rationale: [
      proposal.why,
      `It is ${shown} now (${from}).`,
      instead,
      `What would change this advice: ${proposal.unless}`,
    ]
      .filter((sentence) => sentence !== null)
      .join(' '),
    severity: proposal.severity,
    evidence_level:
      proposal.level ?? (proposal.observed ? 'measured' : affects.length > 0 ? 'simulated' : 'estimated'),
    confidence: proposal.confidence,
    estimate: { ...sumOf(affects), size_bytes: null, write_overhead: null },
    affects,
    // What a file, ALTER SYSTEM or a manifest would not change is in none of them.
    ...(row.source === OF_ALL_ROLES
      ? {}
      : {
          setting: {
            name: row.name,
            value: text,
            bare_value: bareValue(text, row.unit),
            restart,
            role: null,
            ...(ofDatabase ? { database: ofDatabase.database } : {}),
          },
        }),
    evidence: [
      {
        name: 'proposed value',
        value: text,
        unit: null,
        source: 'formula',
        level: 'estimated',
        formula: proposal.formula,
      },
      {
        name: 'present value',
        value: shown,
        unit: null,
        source: `pg_settings: ${row.source}${row.sourcefile ? `, ${row.sourcefile}` : ''}`,
        level: 'measured',
        formula: null,
      },
      ...proposal.evidence,
    ],
    risk: {
      locks: 'none',
      restart,
      reload: !restart && !ofDatabase,
      notes: [
        ofDatabase
          ? `ALTER DATABASE gave ${ofDatabase.database} a value of its own, which goes before the server's: it is changed there. New sessions have it, poolers' once they connect anew.`
          : restart
            ? 'It comes into force with the next restart of the server: put all such changes into one.'
            : 'A reload brings it into force; sessions that set it themselves keep theirs.',
        ...masks.map(maskNote),
        ...(proposal.notes ?? []),
      ],
    },
  };
}
