/** Debian's Chromium, where it is installed: pages that say what goes wrong in them. */
import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const CHROMIUM = '/usr/bin/chromium';

export const NO_BROWSER = existsSync(CHROMIUM) ? undefined : 'there is no /usr/bin/chromium';

export function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
}

export interface WatchedPage {
  readonly page: Page;
  /** Errors of scripts, of the console and of requests. */
  readonly errors: string[];
  /** Requests and sockets to other places than `hosts`. */
  readonly foreign: string[];
}

/** `hosts`: `host:port`, as many as the page may speak to. */
export async function openPage(
  browser: Browser,
  hosts: readonly string[],
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 720 }, ...options });
  const errors: string[] = [];
  const foreign: string[] = [];
  const note = (url: string): void => {
    if (!hosts.includes(new URL(url).host)) foreign.push(url);
  };
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  page.on('request', (request) => note(request.url()));
  page.on('websocket', (socket) => note(socket.url()));
  return { page, errors, foreign };
}
