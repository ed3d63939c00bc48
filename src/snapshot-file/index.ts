/**
 * Room rule. snapshot-file/ writes a snapshot into one file, reads it back, and takes out of it what could be personal.
 * It may import domain and workload. It reads and writes the file that it is given and nothing else: no network, no
 * database, and what it reads from a file is checked before anybody sees it. The format is in docs/snapshot-file.md.
 */
export { type SnapshotFile, type StripMode, stripModes } from './format.ts';
export { readSnapshotFile } from './read.ts';
export { stripLiterals, strippedFacts } from './strip.ts';
export { writeSnapshotFile } from './write.ts';
