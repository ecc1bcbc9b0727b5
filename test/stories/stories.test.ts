/**
 * Tells every story in this folder and compares it with what the file says. To write the files
 * anew after a change that was meant: `HOLO_STORIES=write npx vitest run ... test/stories`.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { tellStory } from './story.ts';

const FOLDER = import.meta.dirname;
const WRITE = process.env['HOLO_STORIES'] === 'write';
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));

describe('stories', () => {
  test.each(files)('%s', (file) => {
    const path = join(FOLDER, file);
    const text = readFileSync(path, 'utf8');
    const told = tellStory(text);
    if (WRITE) writeFileSync(path, told);
    else expect(told).toBe(text);
    expect(told).not.toContain('VIOLATION');
    expect(told).not.toContain('nothing lies there');
    expect(text.startsWith('# ')).toBe(true);
  });
});

describe('the teller', () => {
  test('does not read what is expected, and begins a cluster for each story', () => {
    const text = 'cluster nodes=3\n----\nwrong\n\ncoordinate 1 a slots=1\n';
    expect(tellStory(text)).toBe(
      'cluster nodes=3\n----\nok\n\ncoordinate 1 a slots=1\n----\n' +
        '1>2 PreAccept a deps={}\n1>3 PreAccept a deps={}\n',
    );
  });

  test('refuses what it does not know', () => {
    expect(() => tellStory('cluster nodes=3\n\ndance 1\n')).toThrow('no command dance');
    expect(() => tellStory('coordinate 1 a slots=1\n')).toThrow('begins with its cluster');
  });
});
