/**
 * Room rule. workload/ turns what was collected into what the advisors reason about: windows out of two snapshots,
 * fingerprinted statements, their use of columns, and statements with sampled values in place of parameters.
 * It is pure: no I/O but loading PostgreSQL's grammar (libpg-query, WASM). It may import domain only, and must not
 * handle SQL by regular expressions or string search: texts are edited at the positions that the grammar gives.
 */
export { formatArrayText, parseArrayText } from './array-text.ts';
export { workloadFromSnapshot, workloadFromWindow } from './build.ts';
export { columnsRead, isReadable } from './columns-read.ts';
export { composeWindows } from './compose.ts';
export { concurrencyOf } from './concurrency.ts';
export { constantTokens } from './constants.ts';
export { diffSnapshots } from './delta.ts';
export { expressionCalls } from './expression-calls.ts';
export { workloadFromFiles } from './files.ts';
export { readIndex } from './index-statement.ts';
export { fingerprint, parseSql } from './parser.ts';
export { temporaryTime, unmeasuredQuery } from './query-rows.ts';
export { returnedRows, returnsOneRow } from './returned-rows.ts';
export { sampleStatements } from './sampling.ts';
export { stripConstants } from './strip-constants.ts';
export { statementUsage } from './usage.ts';
export { type UsageCatalog, usageCatalog } from './usage-catalog.ts';
