import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadRules } from '../../src/advise/registry.ts';
import { ruleAreas } from '../../src/domain/index.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgluthier-rules-'));
  for (const area of ruleAreas) await mkdir(join(directory, area));
});

afterEach(async () => rm(directory, { recursive: true, force: true }));

const source = (id: string) => `export const rule = {
  id: '${id}', area: '${id.split('/')[0]}', title: 't', description: 'd',
  evaluate: () => ({ recommendations: [], rejections: [], limits: [] }) };`;

const add = (path: string, text: string) => writeFile(join(directory, path), text);

describe('the rules that are shipped', () => {
  test('every area has some, ids are unique and each says what it does', async () => {
    const rules = await loadRules();
    expect(new Set(rules.map((rule) => rule.area))).toEqual(new Set(ruleAreas));
    expect(new Set(rules.map((rule) => rule.id)).size).toBe(rules.length);
    for (const rule of rules) expect(rule.description.length, rule.id).toBeGreaterThan(40);
  });
});

test('finds .js rules by area and name, and leaves declarations and maps alone', async () => {
  await add('health/b-two.js', source('health/b-two'));
  await add('health/a-one.js', source('health/a-one'));
  await add('index/c.js', source('index/c'));
  await add('health/a-one.d.ts', 'broken on purpose {{{');
  await add('health/a-one.js.map', 'broken on purpose {{{');
  expect((await loadRules(directory)).map((rule) => rule.id)).toEqual([
    'index/c',
    'health/a-one',
    'health/b-two',
  ]);
});

test.each([
  ['a syntax error', 'health/bad.js', 'export const rule = {{{', /health\/bad\.js cannot be loaded/],
  ['no rule', 'health/bad.js', 'export const other = 1;', /health\/bad\.js must export a rule/],
  ['another id', 'health/bad.js', source('health/good'), /with the id health\/bad, not health\/good/],
  ['another area', 'health/bad.js', source('index/bad'), /of area health with the id health\/bad/],
  ['a name that is none', 'health/Bad_Name.js', source('health/Bad_Name'), /is no rule's file/],
])('fails loudly for %s', async (_, path, text, message) => {
  await add(path, text);
  await expect(loadRules(directory)).rejects.toThrow(message);
});

test('fails loudly for two files of one rule', async () => {
  await add('health/twice.js', source('health/twice'));
  await add('health/twice.ts', source('health/twice'));
  await expect(loadRules(directory)).rejects.toThrow('two files define the rule health/twice');
});

test('fails loudly when an area is missing', async () => {
  await rm(join(directory, 'settings'), { recursive: true });
  await expect(loadRules(directory)).rejects.toThrow(/ENOENT/);
});
