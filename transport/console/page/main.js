/** The frame of the page: navigation, head, notices, and the view that the address names. */
import { count, span } from './format.js';
import { remember } from './history.js';
import { Boundary, html, render, useEffect, useState } from './html.js';
import { Login } from './login.js';
import { Badge } from './parts.js';
import { connection, linkTo, useClock, useConnection, useRoute } from './state.js';
import { useTheme } from './theme.js';
import { VIEWS } from './views.js';

/** Without news for so long, what is shown is stale. */
const STALE_MS = 3_500;

function Page() {
  const { view, args } = useRoute();
  const { theme, toggle } = useTheme();
  const overview = useOverview();
  useKeys();
  const shown = VIEWS.find(({ name }) => name === view) ?? VIEWS[0];
  const { View, title } = /** @type {typeof VIEWS[0]} */ (shown);
  return html`<div class="frame">
    <${Nav} current=${view} />
    <header class="head">
      <span class="title">${title}</span>
      <${Health} overview=${overview} />
      <span class="fill"></span>
      <${User} />
      <button class="icon" onClick=${toggle} title="light or dark (t)" aria-label="light or dark" id="theme">
        ${theme === 'dark' ? '☀' : '☾'}</button>
    </header>
    <main class="view"><${Notices} /><${Boundary} key=${view}>
      <${View} args=${args} overview=${overview} theme=${theme} /><//></main>
  </div>`;
}

/** Watched by every view: the head shows it, and the time lines go on. */
function useOverview() {
  const [overview, setOverview] = useState(/** @type {any} */ (undefined));
  useEffect(
    () =>
      connection.watch('overview', {}, (data, atMs) => {
        if (data.error !== undefined) return;
        remember(data, atMs);
        setOverview(data);
      }),
    [],
  );
  return overview;
}

/** @param {{ current: string }} props */
function Nav({ current }) {
  useEffect(() => {
    // On a phone it is a line that is longer than the screen.
    const item = document.querySelector('.nav [aria-current]');
    item?.scrollIntoView({ inline: 'center', block: 'nearest' });
  }, [current]);
  return html`<nav class="nav" aria-label="views">
    <a class="brand" href="#/overview">
      <img src="/console/page/icon.svg" width="22" height="22" alt="" />HoloStore
    </a>
    ${VIEWS.map(
      ({ name, title, key }) => html`<a class="item" href=${linkTo(name)}
        aria-current=${name === current ? 'page' : undefined}>${title}<span class="key">${key}</span></a>`,
    )}
  </nav>`;
}

/** @param {{ overview: any }} props */
function Health({ overview }) {
  if (overview === undefined) return html`<${Badge}>asking<//>`;
  const nodes = Object.entries(overview.nodes);
  const wrong = overview.findings.filter((/** @type {any} */ each) => each.kind === 'wrong').length;
  return html`<span class="nodes">
    ${nodes.map(([id, node]) => {
      const state = typeof node === 'string' ? node : (node.status.notReady ?? 'ready');
      const tone = typeof node === 'string' ? 'bad' : state === 'ready' ? 'good' : 'warn';
      return html`<${Badge} tone=${tone} title=${`node ${id}: ${state}`}>${id}<//>`;
    })}
    ${wrong > 0 && html`<a href="#/overview"><${Badge} tone="bad">${count(wrong)} to mend<//></a>`}
  </span>`;
}

function User() {
  const { welcome } = useConnection();
  const [isOpen, setOpen] = useState(false);
  const name = welcome?.role === undefined ? 'log in' : `${welcome.user} · ${welcome.role}`;
  return html`<span class="muted cluster">${welcome && `cluster ${welcome.clusterId.slice(0, 8)} · node ${welcome.node}`}</span>
    <button onClick=${() => setOpen(true)} id="login">${name}</button>
    ${isOpen && html`<${Login} onClose=${() => setOpen(false)} />`}`;
}

function Notices() {
  const nowMs = useClock(500);
  const { state, welcome, address, heardAtMs } = useConnection();
  if (state === 'lost') {
    const others = (welcome?.nodes ?? []).flatMap(({ node, admin }) =>
      admin === undefined || admin === location.host ? [] : [{ node, admin }],
    );
    return html`<div class="notice bad" role="alert">
      No connection to ${address}: what is shown is of ${span(nowMs - heardAtMs)} ago. Trying again.
      ${
        others.length > 0 &&
        html` Other nodes: ${others.map(
          ({ node, admin }) =>
            html`<a href=${`${location.protocol}//${admin}/${location.hash}`}>node ${node}</a>${' '}`,
        )}`
      }
    </div>`;
  }
  if (state === 'open' && address !== location.host) {
    return html`<div class="notice warn" role="status">
      ${location.host} does not answer; this is what node ${welcome?.node} sees.${' '}
      <a href=${`${location.protocol}//${address}/${location.hash}`}>Open its page</a>
    </div>`;
  }
  if (state === 'open' && nowMs - heardAtMs > STALE_MS && !document.hidden) {
    return html`<div class="notice warn" role="status">Stale: nothing new for ${span(nowMs - heardAtMs)}.</div>`;
  }
  return null;
}

/** A digit opens a view, `t` changes the theme, `/` goes to the filter. */
function useKeys() {
  useEffect(() => {
    const pressed = (/** @type {KeyboardEvent} */ event) => {
      const { key, target, ctrlKey, metaKey, altKey } = event;
      const isTyping =
        target instanceof HTMLElement && /INPUT|TEXTAREA|SELECT/.test(target.tagName);
      if (isTyping || ctrlKey || metaKey || altKey) return;
      const view = VIEWS.find((each) => each.key === key);
      if (view !== undefined) location.hash = linkTo(view.name);
      else if (key === 't') document.getElementById('theme')?.click();
      else if (key === '/') {
        document.querySelector(/** @type {'input'} */ ('input.filter'))?.focus();
        event.preventDefault();
      }
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, []);
}

render(html`<${Page} />`, /** @type {Element} */ (document.getElementById('app')));
