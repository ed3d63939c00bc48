/**
 * Room rule. target-list/ reads lists of targets that other tools write: YAML or JSON files, one or a folder of them.
 * It may import domain only. It connects to nothing and keeps nothing.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { parse, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { PgLuthierError } from '../domain/index.ts';

const entrySchema = z
  .object({
    name: z.string().min(1).max(200),
    /** A DSN, or a reference to it: `env:NAME`, `file:/path`. */
    dsn: z.string().min(1).max(4096),
    /** Which databases of the server: absent the DSN's own; `all`, or some by name: each becomes a target `name/database`. */
    databases: z.union([z.literal('all'), z.array(z.string().min(1).max(63)).min(1)]).optional(),
    host: z
      .object({
        ram_bytes: z.number().int().positive().optional(),
        cpu_count: z.number().int().positive().optional(),
        disk_type: z.enum(['hdd', 'ssd', 'nvme', 'san']).optional(),
      })
      .strict()
      .default({}),
    labels: z.record(z.string().max(63), z.string().max(255)).default({}),
    paused: z.boolean().default(false),
  })
  .strict();

const listSchema = z.object({ targets: z.array(z.unknown()) }).strict();

/** One entry of a list. Its DSN may be a secret. */
export type ListEntry = z.infer<typeof entrySchema>;

export interface TargetList {
  /** Of all that was read: equal for equal lists. */
  hash: string;
  entries: ListEntry[];
}

const EXTENSIONS = new Set(['.yaml', '.yml', '.json']);

/**
 * Reads a file, or all .yaml, .yml and .json files of a folder in the order of their names.
 * @throws PgLuthierError `target_list_unreadable`; `target_list_invalid` naming the file, the entry and what is wrong:
 * never a DSN.
 */
export async function readTargetList(path: string): Promise<TargetList> {
  const files = await readFiles(path);
  const entries: ListEntry[] = [];
  const places = new Map<string, string>();
  for (const { name, text } of files) {
    const found = parseFile(name, text);
    for (const [position, given] of found.entries()) {
      const place = `${name}, entry ${position + 1}`;
      const parsed = entrySchema.safeParse(given);
      if (!parsed.success) {
        const problems = parsed.error.issues.map(
          (issue) => `${issue.path.join('.') || 'it'}: ${issue.message}`,
        );
        throw invalid(`${place}: ${problems.join('; ')}`);
      }
      const before = places.get(parsed.data.name);
      if (before !== undefined)
        throw invalid(`${place}: ${parsed.data.name} is the name of ${before} already`);
      places.set(parsed.data.name, place);
      entries.push(parsed.data);
    }
  }
  return { hash: hashOf(files), entries };
}

/** The hash of a list without reading what is in it: whether anything changed. @throws as `readTargetList`. */
export async function targetListHash(path: string): Promise<string> {
  return hashOf(await readFiles(path));
}

interface ListFile {
  name: string;
  text: string;
}

async function readFiles(path: string): Promise<ListFile[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [{ name: path, text: await readFile(path, 'utf8') }];
    // Hidden ones too are left out: Kubernetes' mounts keep former versions in folders of such names.
    const names = (await readdir(path))
      .filter((name) => EXTENSIONS.has(extname(name)) && !name.startsWith('.'))
      .sort();
    return await Promise.all(
      names.map(async (name) => ({ name: join(path, name), text: await readFile(join(path, name), 'utf8') })),
    );
  } catch (cause) {
    throw new PgLuthierError({
      code: 'target_list_unreadable',
      status: 500,
      message: `The list of targets ${path} cannot be read: ${(cause as NodeJS.ErrnoException).code ?? 'unknown reason'}.`,
      remedy:
        'Check PGLUTHIER_TARGETS_FILE and that the service may read what it names. The targets stay as they were.',
      cause,
    });
  }
}

function parseFile(name: string, text: string): unknown[] {
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    const at =
      error instanceof YAMLParseError ? ` (line ${error.linePos?.[0].line ?? '?'}: ${error.code})` : '';
    throw invalid(`${name} is not YAML or JSON${at}`);
  }
  // An empty file lists nothing.
  if (document === null || document === undefined) return [];
  const parsed = listSchema.safeParse(document);
  if (!parsed.success) throw invalid(`${name} must hold "targets:" with a list, and nothing else`);
  return parsed.data.targets;
}

function hashOf(files: readonly ListFile[]): string {
  const hash = createHash('sha256');
  for (const { name, text } of files) hash.update(JSON.stringify([name, text]));
  return hash.digest('hex');
}

function invalid(message: string): PgLuthierError {
  return new PgLuthierError({
    code: 'target_list_invalid',
    status: 422,
    message: `The list of targets is not valid: ${message}.`,
    remedy: 'docs/fleet.md shows what a list looks like. The targets stay as they were.',
  });
}
