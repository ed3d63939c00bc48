/**
 * The twin: an embedded server of the target's own major version that holds its schema, statistics, sizes and planner
 * settings, but no data, so that its planner answers as the target's would.
 */
import { availableParallelism } from 'node:os';
import {
  type GinShape,
  type Limit,
  quoteIdentifier,
  type Snapshot,
  type WhatIf,
} from '../../domain/index.ts';
import { type EmbeddedServer, startEmbedded } from '../../embedded/index.ts';
import { assumeSettings } from './application-settings.ts';
import { assumeAnswers } from './assumed-answers.ts';
import { checkDomains } from './domains.ts';
import { writeExtendedStatistics } from './extended-statistics.ts';
import { chooseInstallation, type InstallationOptions } from './installation.ts';
import { createDatabase } from './locale.ts';
import { Twin } from './planner.ts';
import { buildPolicies } from './policies.ts';
import { listRelations, shapeFiles, writeSizes } from './relations.ts';
import { buildSchema } from './schema.ts';
import { DATABASE, OWNER_ROLE, PLANNER_ROLE, withSession } from './session.ts';
import { plannerSettings, searchPath, TWIN_SETTINGS } from './settings.ts';
import { writeTargetStatistics } from './statistics.ts';
import { withNeededTables } from './subset.ts';

export interface TwinOptions extends InstallationOptions {
  /** All statements that will be asked about: of a large database only what they can touch is rebuilt. Absent: all. */
  statements?: readonly string[];
  progress?: (message: string) => void;
  /** What the metapages of existing GIN indexes say, by the target's OID; of others the planner guesses. */
  ginShapes?: ReadonlyMap<number, GinShape>;
  /** Planner sessions; where not given, as many as there are cores, at most four. */
  sessions?: number;
  /** Looks at the server before the first question: for tests. */
  inspect?: (server: EmbeddedServer) => Promise<void>;
}

/** Tables and indexes of a twin whose files may lie in memory. */
const MOST_IN_MEMORY = 3000;
/** More planner sessions than this do not pay: a configuration is asked about few statements at a time. */
const MAX_SESSIONS = 4;

/**
 * Builds the twin of a snapshot.
 * @throws PgLuthierError `twin_unavailable` when no PostgreSQL is installed here, `twin_needs_sparse_files`.
 */
export async function openTwin(whole: Snapshot, options: TwinOptions = {}): Promise<WhatIf> {
  const limits: Limit[] = [];
  const snapshot = options.statements ? withNeededTables(whole, options.statements) : whole;
  const installation = await chooseInstallation(snapshot, options, limits);
  const { major } = installation;
  const server = await startEmbedded({
    installation,
    name: 'twin',
    // Each takes some 16 kB for itself, and a candidate, too: very many would be too much to have in memory.
    light: snapshot.tables.length + snapshot.indexes.length <= MOST_IN_MEMORY ? 'memory' : 'disk',
    settings: TWIN_SETTINGS,
    initdbArgs: [
      '--encoding=UTF8',
      '--locale=C',
      '--wal-segsize=1',
      ...(major >= 18 ? ['--no-data-checksums'] : []),
    ],
  });
  try {
    limits.push(...(await prepareServer(server, snapshot, major)));
    options.progress?.(`building the twin: ${snapshot.tables.length} of ${whole.tables.length} tables`);
    const namePath = searchPath(snapshot);
    const { found: relations, roles } = await withSession(server, null, (admin) =>
      withSession(server, OWNER_ROLE, async (owner) => {
        for (const client of [admin, owner]) {
          await client.query(
            "SELECT set_config('search_path', $1, false), set_config('client_min_messages', 'error', false)",
            [namePath],
          );
        }
        limits.push(...(await buildSchema(admin, owner, snapshot, major)));
        const found = await listRelations(admin);
        await writeSizes(admin, found, snapshot);
        limits.push(...(await writeTargetStatistics(admin, owner, found, snapshot)));
        limits.push(...(await writeExtendedStatistics(admin, owner, snapshot, major)));
        limits.push(...(await checkDomains(admin, owner, snapshot.schema)));
        const secured = await buildPolicies(admin, owner, snapshot);
        limits.push(...secured.limits);
        return { found, roles: secured.roles };
      }),
    );
    limits.push(...(await assumeSettings(server, snapshot, roles)));
    limits.push(...(await assumeAnswers(server, snapshot)));
    // The server must forget the pages it has seen: files change beneath it only while it is down.
    await server.restart(() =>
      shapeFiles(server.dataDirectory, snapshot, relations, options.ginShapes ?? new Map()),
    );
    await options.inspect?.(server);
    const sessions = options.sessions ?? Math.min(MAX_SESSIONS, availableParallelism());
    return await Twin.open(server, { snapshot, whole, limits, namePath, sessions, roles });
  } catch (error) {
    await server.stop('immediate');
    throw error;
  }
}

/** Roles, the database, and the settings that its planner has. */
async function prepareServer(server: EmbeddedServer, snapshot: Snapshot, major: number): Promise<Limit[]> {
  return withSession(
    server,
    null,
    async (client) => {
      const limits = await createDatabase(client, DATABASE, snapshot.server, major);
      await client.query(`
        CREATE ROLE ${OWNER_ROLE} LOGIN;
        CREATE ROLE ${PLANNER_ROLE} LOGIN IN ROLE pg_read_all_data, pg_write_all_data;
        ALTER DATABASE ${DATABASE} OWNER TO ${OWNER_ROLE}`);
      for (const [name, value] of Object.entries(plannerSettings(snapshot))) {
        try {
          await client.query(
            `ALTER ROLE ${PLANNER_ROLE} SET ${name.split('.').map(quoteIdentifier).join('.')} = ${value}`,
          );
        } catch (error) {
          limits.push({
            scope: 'twin',
            code: 'setting_not_copied',
            message: `The planner setting ${name} could not be copied: ${error instanceof Error ? error.message : String(error)}`,
            remedy: null,
          });
        }
      }
      return limits;
    },
    'postgres',
  );
}
