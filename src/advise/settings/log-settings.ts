/** What the log should tell, whoever says it: the baseline of a host, and the rule that looks at a server. */

/** %q ends it for background processes. Everything that a log analyser needs, and whose session it was. */
export const LOG_LINE_PREFIX = '%m [%p] %q%u@%d %a ';
/** Smaller temporary files are not worth a line each, MB. */
export const LOG_TEMP_FILES_MB = 10;
/** Autovacuums that take longer are told, ms; 10 min by default since 15. */
export const LOG_AUTOVACUUM_MS = 60_000;
/** log_min_duration_statement where no rate of statements is known, ms. */
export const LOG_STATEMENT_MS = 1000;
