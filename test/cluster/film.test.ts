/** The page of a film in a real browser. A picture goes to `HOLO_PICTURES`, where that is set. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readFilm } from '../../transport/console/film.ts';
import { FilmServer } from '../../transport/console/film-server.ts';
import { NO_BROWSER, openPage, startBrowser } from './browser.ts';

const { HOLO_PICTURES: pictures } = process.env;
const STORY = join(import.meta.dirname, '../stories/a-delayed-commit.txt');

test.skipIf(NO_BROWSER !== undefined)('a story is shown step by step, and back', async () => {
  const server = new FilmServer(readFilm(readFileSync(STORY, 'utf8')));
  const address = await server.listen(0);
  const browser = await startBrowser();
  const { page, errors, foreign } = await openPage(browser, [new URL(address).host]);
  await page.goto(address);
  const current = page.locator('[aria-current=step]');
  await current.waitFor();
  const first = await current.textContent();
  const steps = page.locator('.words li');
  const at = (await steps.allTextContents()).findIndex((text) =>
    text.includes('deliver 1>2 PreAccept a'),
  );
  for (let step = 0; step < at; step += 1) await page.keyboard.press('ArrowRight');
  await expect.poll(() => current.textContent()).toContain('deliver 1>2 PreAccept a');
  expect(page.url()).toContain(`#step=${at}`);
  if (pictures !== undefined) await page.screenshot({ path: join(pictures, 'film.png') });
  await page.keyboard.press('Home');
  await expect.poll(() => current.textContent()).toBe(first);
  await page.keyboard.press('t');
  await page.locator(':root[data-theme=dark]').waitFor();
  expect([errors, foreign]).toEqual([[], []]);
  await browser.close();
  server.close();
});
