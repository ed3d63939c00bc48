/**
 * The command line: parses arguments, calls use-cases, prints. Data goes to standard output, progress to standard
 * error. Exit codes: 0 clean, 1 findings (doctor, scorecard --fail-on), 2 usage, 3 connection, 4 everything else that failed.
 */
import { writeFile } from 'node:fs/promises';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { type AnalyzeOptions, analyzeOnce, reportFormats } from './commands/analyze.ts';
import { verifyAudit } from './commands/audit.ts';
import { type ExportOptions, exportSnapshot } from './commands/export.ts';
import { type MigrationOptions, writeMigrations } from './commands/migration.ts';
import { renderRestartBatch } from './commands/restart-batch.ts';
import {
  failingGrades,
  fails,
  type ScorecardOptions,
  type ScorecardResult,
  scorecardOnce,
} from './commands/scorecard.ts';
import { type TuneOptions, tune, tuneFormats, tuneWorkloads } from './commands/tune.ts';
import { type Config, environmentVariable, loadConfig } from './config.ts';
import { runDemo } from './demo/index.ts';
import { isUsable, PgLuthierError, type Report, ruleAreas } from './domain/index.ts';
import { resolveDsn, restartBatch, whatIfEngines } from './pipeline/index.ts';
import { createProgress } from './progress.ts';
import {
  migrationFormats,
  renderDiagnosis,
  renderReport,
  renderReportMarkdown,
  renderReportSettings,
  renderReportSql,
  renderScorecard,
  renderScorecardMarkdown,
} from './report/index.ts';
import { stripModes } from './snapshot-file/index.ts';
import { diagnoseTarget } from './target/index.ts';
import { packageVersion } from './version.ts';

/** Store, API and jobs are half of all the code: only commands that need them wait until it is loaded. */
const service = () => import('./service.ts');

const EXIT = { ok: 0, findings: 1, usage: 2, connection: 3, failed: 4 } as const;

const connectionCodes = new Set([
  'dsn_invalid',
  'dsn_reference_unresolved',
  'target_unreachable',
  'target_auth_failed',
  'target_database_missing',
  'target_busy',
  'target_connection_lost',
  'store_unreachable',
]);

/** How codes of mistakes in what was given begin. */
const usageCodes = ['config_invalid', 'workload_', 'usage_', 'snapshot_file_', 'scorecard_file_'];

/** Runs one command line and returns its exit code; nothing is thrown. */
export async function runCli(argv: string[]): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = new Command('pgluthier')
    .description('A tuning advisor for PostgreSQL: evidence before advice, approval before change.')
    .version(packageVersion)
    .showHelpAfterError()
    .exitOverride();

  program
    .command('demo')
    .description('watch the whole loop on a sample database that it brings along')
    .option('--once', 'exit when the result is shown, in place of serving on')
    .option('--json', 'print the result as JSON')
    .option('--rounds <n>', 'rounds of the workload before and after', positiveInteger, 40)
    .action(async (options: { once?: boolean; json?: boolean; rounds: number }) => {
      await demo(loadConfig(), options);
    });

  program
    .command('serve')
    .description('start the API and the jobs')
    .action(async () => {
      await serveUntilStopped(loadConfig());
    });

  program
    .command('analyze')
    .alias('analyse')
    .description('advise on one database, now, or on a snapshot file, and change nothing')
    .argument('[dsn]', 'postgresql:// URL, env:NAME or file:/path')
    .option('--snapshot <file>', 'a file of pgluthier export, in place of a database')
    .option(
      '--workload <path>',
      'statements from a .sql file or a folder of them, in place of pg_stat_statements',
    )
    .option(
      '--window <seconds>',
      'watch the database for so long, in place of its counters since their reset',
      positiveInteger,
    )
    .option('--replica <dsn...>', 'physical standbys: an index that one of them uses is not unused')
    .option(
      '--measure-bloat <size>',
      'read indexes that seem bloated, so much of them at most, with pgstatindex() (extension pgstattuple)',
      byteSize,
    )
    .option('--budget <size>', 'disk that new indexes may take in all, e.g. 300MB', byteSize)
    .option(
      '--max-regression <percent>',
      'how much dearer a statement may get because an existing index is replaced, e.g. 10%',
      percentage,
    )
    .option(
      '--max-indexes-per-table <count>',
      'indexes that a table may have at most, existing ones with them',
      positiveInteger,
    )
    .option('--time-limit <seconds>', 'how long the search may take; default 600', positiveInteger)
    .addOption(
      new Option(
        '--what-if <planner>',
        'who plans: a twin of the target, its own planner with the extension hypopg, or the one checked by the other',
      )
        .choices([...whatIfEngines])
        .default('twin'),
    )
    .addOption(new Option('--only <area...>', 'only rules of these areas').choices([...ruleAreas]))
    .option('--ram <size>', "the host's memory, e.g. 16GB", byteSize)
    .option('--cpu <count>', "the host's CPUs", positiveInteger)
    .addOption(new Option('--disk <type>', "the host's disks").choices(['hdd', 'ssd', 'nvme', 'san']))
    .option('--json', 'print the report as JSON')
    .addOption(
      new Option(
        '--format <format>',
        'how to print it; sql is all of it as a script, conf, rds and so on are its settings alone',
      )
        .choices([...reportFormats])
        .default('text'),
    )
    .option('-o, --output <file>', 'write to a file')
    .action(async (dsn: string | undefined, options: AnalyzeOptions) => {
      const report = await analyzeOnce(dsn, options);
      await print(formatReport(report, options), options.output);
    });

  program
    .command('scorecard')
    .description('values, grades and the checklist of one database, now, or of a snapshot file')
    .argument('[dsn]', 'postgresql:// URL, env:NAME or file:/path')
    .option('--snapshot <file>', 'a file of pgluthier export, in place of a database')
    .option(
      '--window <seconds>',
      'watch the database for so long, in place of its counters since their reset',
      positiveInteger,
    )
    .option('--thresholds <file>', 'JSON with thresholds by metric, in place of the defaults')
    .option('--baseline <file>', 'compare with a scorecard of --save-baseline')
    .option('--save-baseline <file>', 'keep this one to compare later ones with')
    .option('--force', 'replace the file of --save-baseline if it is there')
    .addOption(
      new Option('--fail-on <grade>', 'exit with 1 where a metric has this grade or a worse one').choices([
        ...failingGrades,
      ]),
    )
    .option('--ram <size>', "the host's memory, e.g. 16GB", byteSize)
    .option('--cpu <count>', "the host's CPUs", positiveInteger)
    .addOption(new Option('--disk <type>', "the host's disks").choices(['hdd', 'ssd', 'nvme', 'san']))
    .option('--json', 'print it as JSON')
    .addOption(
      new Option('--format <format>', 'how to print it').choices(['text', 'markdown']).default('text'),
    )
    .option('-o, --output <file>', 'write to a file')
    .action(async (dsn: string | undefined, options: ScorecardOptions) => {
      const result = await scorecardOnce(dsn, options);
      await print(formatScorecard(result, options), options.output);
      if (fails(result.scorecard, options.failOn)) exitCode = EXIT.findings;
    });

  program
    .command('tune')
    .description('settings for a host, from its hardware alone: no database is asked')
    .requiredOption('--ram <size>', "the host's memory, e.g. 16GB", byteSize)
    .option('--cpu <count>', "the host's CPUs", positiveInteger)
    .addOption(new Option('--disk <type>', "the host's disks").choices(['hdd', 'ssd', 'nvme', 'san']))
    .option('--pg <major>', "PostgreSQL's major version", positiveInteger, 18)
    .addOption(
      new Option('--workload <type>', 'what the server is mostly for')
        .choices([...tuneWorkloads])
        .default('mixed'),
    )
    .option('--connections <count>', 'max_connections', positiveInteger)
    .addOption(new Option('--format <format>', 'how to print them').choices([...tuneFormats]).default('text'))
    .option('-o, --output <file>', 'write to a file')
    .action(async (options: TuneOptions & { output?: string }) => {
      await print(tune(options), options.output);
    });

  program
    .command('export')
    .description('write all that an analysis needs into one file, for analyze --snapshot')
    .argument('<dsn>', 'postgresql:// URL, env:NAME or file:/path')
    .requiredOption('-o, --output <file>', 'the file')
    .option('--window <seconds>', 'watch the database for so long and write what happened', positiveInteger)
    .addOption(
      new Option('--strip <what>', 'take out constants, values of columns, names of people and machines')
        .choices([...stripModes])
        .default('none'),
    )
    .option('--ram <size>', "the host's memory, e.g. 16GB", byteSize)
    .option('--cpu <count>', "the host's CPUs", positiveInteger)
    .addOption(new Option('--disk <type>', "the host's disks").choices(['hdd', 'ssd', 'nvme', 'san']))
    .option('--force', 'replace the file if it is there')
    .action(async (dsn: string, options: ExportOptions) => {
      await exportSnapshot(dsn, options);
      process.stdout.write(`${options.output}\n`);
    });

  program
    .command('migration')
    .description('write what a report recommends as migrations of your own tool, up and down')
    .argument('<report>', 'a file of pgluthier analyze --json')
    .addOption(
      new Option('--format <tool>', 'whose migrations').choices([...migrationFormats]).default('plain'),
    )
    .requiredOption('-o, --output <folder>', 'where the files go; none is replaced')
    .option('--only <id...>', 'only these recommendations')
    .action(async (report: string, options: MigrationOptions) => {
      process.stdout.write(await writeMigrations(report, options, new Date()));
    });

  program
    .command('migrate')
    .description("bring the store's schema up to date")
    .action(async () => {
      const config = loadConfig();
      const { store, embedded } = await openStoreOf(config);
      await store.close();
      await embedded?.stop();
      process.stdout.write('The store is up to date.\n');
    });

  program
    .command('restart-batch')
    .description(
      'approved settings of a target that wait for a restart, and what they may take of memory together',
    )
    .argument('<target>', "the target's id")
    .option('--json', 'print as JSON')
    .action(async (target: string, options: { json?: boolean }) => {
      const config = loadConfig();
      const { store, embedded } = await openStoreOf(config);
      try {
        const waiting = await restartBatch({ store }, target);
        process.stdout.write(
          options.json ? `${JSON.stringify(waiting, null, 2)}\n` : renderRestartBatch(waiting),
        );
      } finally {
        await store.close();
        await embedded?.stop();
      }
    });

  program
    .command('audit')
    .description('the log of who decided what')
    .command('verify')
    .description('recompute its chain of hashes: whether an entry was changed, removed or cut off')
    .option('--expect <hash>', 'the last hash as it was noted elsewhere')
    .action(async ({ expect }: { expect?: string }) => {
      const config = loadConfig();
      const { store, embedded } = await openStoreOf(config);
      try {
        const { ok, text } = await verifyAudit(store.audit, expect);
        process.stdout.write(text);
        exitCode = ok ? EXIT.ok : EXIT.findings;
      } finally {
        await store.close();
        await embedded?.stop();
      }
    });

  program
    .command('doctor')
    .description('what this role can see and do, and the exact GRANTs that are missing')
    .argument('<dsn>', 'postgresql:// URL, env:NAME or file:/path')
    .option('--json', 'print as JSON')
    .action(async (dsn: string, options: { json?: boolean }) => {
      const diagnosis = await diagnoseTarget(await resolveDsn(dsn, environmentVariable));
      process.stdout.write(
        options.json ? `${JSON.stringify(diagnosis, null, 2)}\n` : renderDiagnosis(diagnosis, terminal()),
      );
      const clean = diagnosis.checks.every((check) => check.ok !== false);
      exitCode = clean && isUsable(diagnosis) ? EXIT.ok : EXIT.findings;
    });

  try {
    await program.parseAsync(argv);
  } catch (error) {
    exitCode = reportFailure(error);
  }
  return exitCode;
}

function reportFailure(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof PgLuthierError) {
    process.stderr.write(`pgluthier: ${error.message} [${error.code}]\n`);
    if (error.remedy) process.stderr.write(`  ${error.remedy}\n`);
    if (usageCodes.some((start) => error.code.startsWith(start))) return EXIT.usage;
    return connectionCodes.has(error.code) ? EXIT.connection : EXIT.failed;
  }
  process.stderr.write(
    `pgluthier: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return EXIT.failed;
}

function formatReport(report: Report, options: AnalyzeOptions): string {
  if (options.json) return `${JSON.stringify(report, null, 2)}\n`;
  if (options.format === 'markdown') return renderReportMarkdown(report);
  if (options.format === 'sql') return renderReportSql(report);
  if (options.format !== 'text') return renderReportSettings(report, options.format);
  return renderReport(report, options.output ? { color: false, width: 110 } : terminal());
}

function formatScorecard({ scorecard, comparison }: ScorecardResult, options: ScorecardOptions): string {
  if (options.json) return `${JSON.stringify({ scorecard, comparison }, null, 2)}\n`;
  if (options.format === 'markdown') return renderScorecardMarkdown(scorecard, comparison);
  return renderScorecard(scorecard, comparison, options.output ? { color: false, width: 110 } : terminal());
}

async function print(text: string, output: string | undefined): Promise<void> {
  if (output === undefined) process.stdout.write(text);
  else await writeFile(output, text);
}

/** Width of the terminal and whether colour is wanted there; NO_COLOR is honoured by environmentVariable. */
function terminal(): { color: boolean; width: number } {
  const tty = process.stdout.isTTY === true;
  return {
    color: tty && environmentVariable('NO_COLOR') === undefined,
    width: Math.min(Math.max(process.stdout.columns ?? 110, 80), 140),
  };
}

/** Resolves at SIGINT or SIGTERM. */
function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve('SIGINT'));
    process.once('SIGTERM', () => resolve('SIGTERM'));
  });
}

async function openStoreOf(config: Config) {
  const { createLogger, openConfiguredStore } = await service();
  return openConfiguredStore(config, createLogger(config.log_level));
}

async function serveUntilStopped(config: Config): Promise<void> {
  const { createLogger, startService } = await service();
  const logger = createLogger(config.log_level);
  const stop = stopSignal();
  const running = await startService(config, logger);
  process.stdout.write(
    `PgLuthier ${packageVersion} listens on ${running.url} (API: ${running.url}/openapi.json)\n`,
  );
  if (running.fresh_token) {
    process.stdout.write(
      `API token, shown this once: ${running.fresh_token}\n` +
        'Send it as "Authorization: Bearer <token>". Only its hash is kept.\n',
    );
  }
  logger.info({ signal: await stop }, 'stopping');
  await running.stop();
  // What was cut off must not keep the process: a next one takes it up.
  process.exit(EXIT.ok);
}

async function demo(
  config: Config,
  options: { once?: boolean; json?: boolean; rounds: number },
): Promise<void> {
  const progress = createProgress();
  const stop = stopSignal();
  const { createLogger, startService } = await service();
  const result = await runDemo({
    startService: async (dataDirectory) => {
      // The demo's service is a real one, but for its own throwaway state and a free port.
      const running = await startService(
        {
          ...config,
          data_dir: dataDirectory,
          store_url: null,
          host: '127.0.0.1',
          port: 0,
          token: null,
          jobs: { ...config.jobs, enabled: options.once !== true },
        },
        createLogger(config.log_level === 'info' ? 'warn' : config.log_level),
      );
      return { url: running.url, token: running.fresh_token ?? '', stop: running.stop };
    },
    rounds: options.rounds,
    progress: (message) => progress.show(message),
    stop,
    show: (text) => {
      progress.clear();
      process.stdout.write(text);
    },
    json: options.json === true,
    once: options.once === true,
    terminal: terminal(),
  });
  progress.clear();
  return result;
}

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value <= 0)
    throw new InvalidArgumentError('It must be a whole number above 0.');
  return value;
}

/** `10%`, as a share. */
function percentage(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*%$/.exec(text);
  if (!match) throw new InvalidArgumentError('Write a percentage such as 10%.');
  return Number(match[1]) / 100;
}

const byteUnits: Record<string, number> = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30, TB: 2 ** 40 };

/** `300MB`, as PostgreSQL counts: 1 MB is 1024 kB. */
function byteSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(text);
  const unit = byteUnits[match?.[2]?.toUpperCase() ?? ''];
  if (!match || unit === undefined) throw new InvalidArgumentError('Write a size such as 300MB or 16GB.');
  return Math.round(Number(match[1]) * unit);
}
