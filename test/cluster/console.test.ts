/**
 * The console in a real browser, on a live cluster of three nodes under load. Pictures of all views
 * go to `HOLO_PICTURES`, where that is set.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NO_BROWSER, openPage, startBrowser, type WatchedPage } from './browser.ts';
import type { Client } from './client.ts';
import { HOST, TestCluster } from './harness.ts';
import { RawClient, request } from './raw-client.ts';

const { HOLO_PICTURES: pictures } = process.env;
const VIEWS = [
  ['overview', 'Round trips between nodes'],
  ['ranges', '/s in 256 slots'],
  ['actors', 'coordinator'],
  ['transactions', 'Slow, recovered and sampled transactions'],
  ['keys', 'key:1'],
  ['clients', '127.0.0.1:'],
  ['holofast', 'Where time goes on node 3'],
  ['logs', 'the store is serving'],
  ['jobs', 'Dump the trace'],
] as const;
const PATIENCE = { timeout: 10_000 };
const DESKTOP = { width: 1280, height: 720 };
const LOOKS = [
  ['light', DESKTOP, 'light'],
  ['dark', DESKTOP, 'dark'],
  ['phone', { width: 390, height: 844 }, 'light'],
] as const;

let cluster: TestCluster;
let browser: Browser;
let isLoaded = true;
let load: Promise<unknown>;
let foreignSite: Server;

/** Some commands of each kind, one after the other, until the tests are over. */
async function work(client: Client, node: number): Promise<void> {
  for (let turn = 0; isLoaded; turn += 1) {
    await client.run('SET', `key:${turn % 50}`, `${node}`);
    await client.run('INCR', 'shared');
    await client.run('GET', `key:${turn % 50}`);
    await client.run('HSET', `hash:${turn % 5}`, `field${turn % 20}`, 'value');
    if (turn % 20 === 0) await client.run('LPUSH', 'shared', 'wrong type');
  }
}

beforeAll(async () => {
  if (NO_BROWSER !== undefined) return;
  cluster = await TestCluster.start({ flags: ['--trace-slow-ms', '1'] });
  load = Promise.allSettled(cluster.nodes.map((node) => work(node.client(), node.id)));
  browser = await startBrowser();
  foreignSite = createServer((_request, response) => {
    response.setHeader('Content-Type', 'text/html').end('<title>elsewhere</title>');
  }).listen(0, HOST);
}, 60_000);

afterAll(async () => {
  isLoaded = false;
  await browser?.close();
  await load;
  foreignSite?.close();
  await cluster?.remove();
});

function admins(): string[] {
  return cluster.nodes.map(({ adminPort }) => `${HOST}:${adminPort}`);
}

function addressOf(node: number, view = 'overview'): string {
  return `http://${HOST}:${cluster.node(node).adminPort}/#/${view}`;
}

function open(options = {}): Promise<WatchedPage> {
  return openPage(browser, admins(), options);
}

/** Names of transactions that a node has kept, the newest first. */
async function slowTransactions(): Promise<string[]> {
  let found: string[] = [];
  await expect
    .poll(async () => {
      const answers = await Promise.all(cluster.nodes.map((node) => node.http('/trace/slow')));
      found = answers.flatMap(({ body }) =>
        (JSON.parse(body) as { txn: string; why: string }[]).map(({ txn }) => txn),
      );
      return found.length;
    }, PATIENCE)
    .toBeGreaterThan(0);
  return found.toReversed();
}

async function keep(page: Page, name: string): Promise<void> {
  if (pictures === undefined) return;
  // A time line wants some points.
  await page.waitForTimeout(name === 'overview-light' ? 15_000 : 1_500);
  await page.screenshot({ path: join(pictures, `${name}.png`) });
}

function expectNothingWrong({ errors, foreign }: WatchedPage): void {
  expect(errors).toEqual([]);
  expect(foreign).toEqual([]);
}

describe.skipIf(NO_BROWSER !== undefined)(`the console (${NO_BROWSER ?? 'Chromium'})`, () => {
  test('shows every view, light, dark and on a phone', async () => {
    const watched = await open();
    const { page } = watched;
    for (const [view, text] of VIEWS) {
      await page.goto(addressOf(1, view));
      await page.getByText(text).first().waitFor();
      for (const [kind, viewport, colorScheme] of LOOKS) {
        await page.setViewportSize(viewport);
        await page.emulateMedia({ colorScheme });
        await page.locator(`:root[data-theme=${colorScheme}]`).waitFor();
        await keep(page, `${view}-${kind}`);
        // Nothing sticks out at the side: tables scroll within their cards.
        const wide = await page.evaluate('document.documentElement.scrollWidth');
        expect([view, kind, wide]).toEqual([view, kind, viewport.width]);
      }
    }
    expectNothingWrong(watched);
    await page.close();
  });

  test('is told about once a second, and not while nobody sees it', async () => {
    const watched = await open();
    const { page } = watched;
    await page.goto(addressOf(1));
    const upTime = page.getByRole('row').filter({ hasText: 'ready' }).first();
    await upTime.waitFor();
    const before = await upTime.textContent();
    await expect.poll(() => upTime.textContent(), PATIENCE).not.toBe(before);
    await page.evaluate(`
      Object.defineProperty(document, 'hidden', { value: true, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    `);
    await page.waitForTimeout(1_500);
    const hidden = await upTime.textContent();
    await page.waitForTimeout(2_500);
    expect(await upTime.textContent()).toBe(hidden);
    await page.evaluate(`
      Object.defineProperty(document, 'hidden', { value: false, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    `);
    await expect.poll(() => upTime.textContent(), PATIENCE).not.toBe(hidden);
    expectNothingWrong(watched);
    await page.close();
  });

  test('is led by the keyboard and by its address', async () => {
    const watched = await open({ colorScheme: 'light' });
    const { page } = watched;
    await page.goto(addressOf(2, 'holofast'));
    await page.locator('.head .title', { hasText: 'HoloFast' }).waitFor();
    await page.keyboard.press('1');
    await page.locator('.head .title', { hasText: 'Overview' }).waitFor();
    expect(page.url()).toBe(addressOf(2, 'overview'));
    await page.keyboard.press('t');
    await page.locator(':root[data-theme=dark]').waitFor();
    expectNothingWrong(watched);
    await page.close();
  });

  test('shows an actor with its messages, and a slow transaction as a picture', async () => {
    const watched = await open();
    const { page } = watched;
    await page.goto(addressOf(1, 'actors'));
    await page.getByRole('row', { name: 'coordinator' }).click();
    await page.getByText('"batches"').or(page.getByText('incarnation')).first().waitFor();
    await page.getByRole('table', { name: 'messages' }).waitFor();
    await keep(page, 'actor');
    const [slow] = await slowTransactions();
    await page.goto(addressOf(2, `transactions?txn=${encodeURIComponent(slow ?? '')}`));
    await page.locator('.story circle').first().waitFor();
    expect(await page.locator('.story .lane').count()).toBe(3);
    expect(await page.locator('.facts li').count()).toBeGreaterThan(5);
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: 'For Perfetto' }).click();
    expect((await saved).suggestedFilename()).toMatch(/\.perfetto\.json$/);
    await keep(page, 'transaction');
    await page.getByRole('textbox', { name: 'search by TxnId or key' }).fill('shared');
    await page.keyboard.press('Enter');
    await page.getByText('Transactions on').waitFor();
    const found = page
      .getByRole('row')
      .filter({ hasText: /slow|Applied/ })
      .first();
    await found.waitFor();
    await keep(page, 'transactions-of-key');
    await found.click();
    await page.locator('.story circle').first().waitFor();
    expect(page.url()).toMatch(/transactions\?key=shared&txn=/);
    expectNothingWrong(watched);
    await page.close();
  });

  test('changes a key and kills a client, once that is confirmed', async () => {
    const watched = await open();
    const { page } = watched;
    await cluster.node(1).client().must('SET', 'a key', '<b>before</b>');
    await page.goto(addressOf(1, 'keys?key=a+key'));
    const value = page.getByRole('textbox', { name: 'value' });
    await expect.poll(() => value.inputValue(), PATIENCE).toBe('<b>before</b>');
    await keep(page, 'key');
    await value.fill('after ✓');
    await page.getByRole('button', { name: 'Set the value' }).click();
    const confirm = page.getByRole('button', { name: 'Set', exact: true });
    await page.getByText('SET a key').waitFor();
    expect(await confirm.isDisabled()).toBe(true);
    await page.locator('input[name=confirm]').fill('a key');
    await keep(page, 'action');
    await confirm.click();
    await page.getByText('Done. OK').waitFor();
    expect(await cluster.node(2).client().must('GET', 'a key')).toBe('after ✓');
    await page.getByRole('button', { name: 'Close' }).click();
    await page.goto(addressOf(1, 'logs?search=audit'));
    await page.getByText('SET a key (9 bytes) in database 0').waitFor();
    await page.goto(addressOf(1, 'clients'));
    const victim = cluster.node(1).client();
    const id = String(await victim.must('CLIENT', 'ID'));
    const row = page
      .getByRole('row')
      .filter({ has: page.getByRole('cell', { name: id, exact: true }) });
    await row.filter({ hasText: /^1/ }).getByRole('button').click();
    await page.locator('input[name=confirm]').fill(id);
    await page.getByRole('button', { name: 'Kill', exact: true }).last().click();
    await page.getByText('Done.').waitFor();
    // It connects anew.
    await victim.run('PING');
    expect(String(await victim.must('CLIENT', 'ID'))).not.toBe(id);
    expectNothingWrong(watched);
    await page.close();
  });

  test('edits bytes that are no text, and changes no other', async () => {
    const watched = await open();
    const { page } = watched;
    const client = new RawClient(cluster.node(1).redisPort);
    await client.run(request('SET', Buffer.from([0xff, 0x6b]), Buffer.from([0xfe, 0x0a, 0x41])));
    client.close();
    await page.goto(addressOf(1, `keys?key=${encodeURIComponent('\\xffk')}`));
    const value = page.getByRole('textbox', { name: 'value' });
    await expect.poll(() => value.inputValue(), PATIENCE).toBe('\\xfe\nA');
    await value.fill('\\xfe\nA\\x00é');
    await page.getByRole('button', { name: 'Set the value' }).click();
    await page.locator('input[name=confirm]').fill('\\xffk');
    await page.getByRole('button', { name: 'Set', exact: true }).click();
    await page.getByText('Done. OK').waitFor();
    await page.reload();
    await expect.poll(() => value.inputValue(), PATIENCE).toBe('\\xfe\nA\\x00é');
    expect(await page.locator('dl').textContent()).toContain('length6');
    expectNothingWrong(watched);
    await page.close();
  });

  test('refuses an action that another node would have to do, with its address', async () => {
    const watched = await open();
    const { page } = watched;
    await page.goto(addressOf(1, 'clients'));
    const row = page
      .getByRole('row')
      .filter({ hasText: /^2\d+127/ })
      .first();
    await row.getByRole('button').click();
    await page.getByText(`open its console at http://${admins()[1]}/`).waitFor();
    await page.close();
  });

  test('splits a range and pauses a controller, and shows what came of it', async () => {
    const watched = await open();
    const { page } = watched;
    const confirm = async (word: string): Promise<void> => {
      await page.locator('input[name=confirm]').fill(word);
      await page.locator('dialog button.primary').click();
      await page.getByText('Done.').waitFor();
      await page.getByRole('button', { name: 'Close' }).click();
    };
    await page.goto(addressOf(2, 'jobs'));
    const controllers = page.getByRole('table', { name: 'controllers' });
    const ranges = controllers.getByRole('row').filter({ hasText: 'ranges' });
    await ranges.getByRole('button', { name: 'Pause' }).click();
    await confirm('pause ranges');
    await ranges.getByText('paused').waitFor();
    await page.getByRole('spinbutton', { name: 'at slot' }).fill('8192');
    await page.getByRole('button', { name: 'Try' }).first().click();
    await confirm('split 8192');
    const change = page.getByRole('table', { name: 'changes under way' }).getByRole('row').nth(1);
    await change.getByText('at slot 8192').waitFor();
    await keep(page, 'jobs-change');
    await ranges.getByRole('button', { name: 'Resume' }).click();
    await confirm('resume ranges');
    const ended = page.getByRole('table', { name: 'ended changes' }).getByRole('row');
    await ended.filter({ hasText: 'done' }).waitFor();
    await keep(page, 'jobs-ended');
    await page.goto(addressOf(2, 'ranges'));
    await page.getByText('8192–16383').waitFor();
    await keep(page, 'ranges-split');
    expectNothingWrong(watched);
    await page.close();
  });

  test('keeps out the pages of other sites', async () => {
    const { page } = await open();
    await page.goto(`http://${HOST}:${(foreignSite.address() as AddressInfo).port}/`);
    const socket = `ws://${admins()[0]}/console/socket`;
    const outcome = await page.evaluate(`new Promise((resolve) => {
      const socket = new WebSocket('${socket}');
      socket.onopen = () => resolve('open');
      socket.onerror = () => resolve('refused');
    })`);
    expect(outcome).toBe('refused');
    await page.close();
  });

  test('of a node that is killed says so, and goes on by another node', async () => {
    const watched = await open();
    const { page } = watched;
    await page.goto(addressOf(3));
    await page.getByText('3 of 3').waitFor();
    await cluster.node(3).kill();
    await page.getByText(`No connection to ${admins()[2]}`).waitFor();
    const others = page.locator('.notice.bad a');
    await expect.poll(() => others.count(), PATIENCE).toBe(2);
    await page.getByText('does not answer; this is what node').waitFor();
    await page.getByText('2 of 3').waitFor();
    await page.getByText('node 3:', { exact: false }).first().waitFor();
    await keep(page, 'node-killed');
    expect(watched.foreign).toEqual([]);
    await page.close();
    cluster.node(3).start();
    await cluster.ready();
  });
});
