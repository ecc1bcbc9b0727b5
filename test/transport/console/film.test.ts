/** Films: of seeds, and of stories. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readFilm } from '../../../transport/console/film.ts';
import { FilmServer } from '../../../transport/console/film-server.ts';
import { httpGet } from '../../../transport/http/http-get.ts';
import { simulate } from '../../simulation/cluster.ts';
import { FilmCamera } from '../../simulation/film-camera.ts';

const STORIES = join(import.meta.dirname, '../../stories');
const stories = readdirSync(STORIES).filter((name) => name.endsWith('.txt'));

test('a seed is filmed: messages, losses, faults, executions; and decides as without', () => {
  const camera = new FilmCamera();
  const options = { seed: 3, nodes: 3, timeMs: 1_000 };
  const { eventHash } = simulate({ ...options, camera });
  expect(eventHash).toBe(simulate(options).eventHash);
  const film = readFilm(camera.film('seed 3', [1, 2, 3]));
  expect(film).toMatchObject({ title: 'seed 3', nodes: [1, 2, 3] });
  const kinds = new Set(film.events.map(({ kind }) => kind));
  expect([...kinds].sort()).toEqual(['fault', 'lost', 'message', 'step']);
  for (const { kind, at, sentAt = at } of film.events) {
    if (kind === 'message') expect(sentAt).toBeLessThanOrEqual(at);
  }
  const texts = film.events.map(({ text }) => text).join('\n');
  expect(texts).toMatch(/\d>\d PreAccept t\d+ deps=\{/);
  expect(texts).toMatch(/executes t\d+/);
});

test.each(stories)('the story %s is a film', (name) => {
  const { events, nodes, title } = readFilm(readFileSync(join(STORIES, name), 'utf8'));
  expect(title).not.toBe('');
  const steps = events.filter(({ kind }) => kind !== 'told');
  expect(steps.length).toBeGreaterThan(5);
  for (const { from, to, node } of events) {
    for (const each of [from, to, node]) if (each !== undefined) expect(nodes).toContain(each);
  }
});

test.each([
  ['', 'neither a film'],
  ['# a text\n', 'neither a film'],
  ['{"kind":"film","version":2,"nodes":[]}\n', 'another version'],
  ['{"kind":"film","version":1,"nodes":[1]}\nnonsense\n', 'line 2'],
])('%j is none', (text, reason) => {
  expect(() => readFilm(text)).toThrow(reason);
});

test('a film is served with its page, under its own name alone', async () => {
  const film = readFilm(readFileSync(join(STORIES, stories[0] ?? ''), 'utf8'));
  const server = new FilmServer(film);
  const { hostname: host, port } = new URL(await server.listen(0));
  const get = (path: string) => httpGet({ host, port: Number(port) }, path, 1_000);
  expect((await get('/')).body).toContain('/console/page/film.js');
  expect(JSON.parse((await get('/film.json')).body)).toEqual(film);
  expect((await get('/console/page/film.css')).status).toBe(200);
  expect((await get('/../package.json')).status).toBe(404);
  server.close();
});
