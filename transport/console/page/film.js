/**
 * A film among nodes on a time line, step by step, forwards and back: nodes side by side, time
 * downwards, a message as an arrow from when it was sent to when it arrived.
 *
 * @import { Film, FilmEvent } from '../film.ts'
 */
import { html, render, useEffect, useMemo, useRef, useState } from './html.js';
import { useTheme } from './theme.js';

const AROUND = 14;
const WIDTH = 900;
const ROW = 26;
const TOP = 40;
const PLAY_MS = 400;
const TEXT_AROUND = 150;

/** @param {{ film: Film }} props */
function Player({ film }) {
  const [step, setStep] = useState(() =>
    Number(new URLSearchParams(location.hash.slice(1)).get('step') ?? 0),
  );
  const [txn, setTxn] = useState('');
  const [isPlaying, setPlaying] = useState(false);
  const { theme, toggle } = useTheme();
  const last = film.events.length - 1;
  const go = (/** @type {number} */ to) => setStep(Math.max(0, Math.min(last, to)));
  // By the step as it is then: keys may be quicker than the picture.
  const next = (/** @type {number} */ way) =>
    setStep((before) => following(film.events, before, way, txn));
  useEffect(() => history.replaceState(undefined, '', `#step=${step}`), [step]);
  useEffect(() => {
    if (!isPlaying) return undefined;
    const timer = setInterval(() => next(1), PLAY_MS);
    return () => clearInterval(timer);
  }, [isPlaying, txn]);
  useKeys({
    ArrowRight: () => next(1),
    ArrowLeft: () => next(-1),
    Home: () => go(0),
    End: () => go(last),
    ' ': () => setPlaying(!isPlaying),
    t: toggle,
  });
  const names = useMemo(() => [...new Set(film.events.flatMap((each) => each.txn ?? []))], [film]);
  return html`<div class="film">
    <header>
      <img src="/console/page/icon.svg" width="22" height="22" alt="" />
      <span class="title">${film.title.slice(0, 90)}</span>
      <button onClick=${() => next(-1)} aria-label="one step back">◀</button>
      <button onClick=${() => setPlaying(!isPlaying)} aria-label="play">${isPlaying ? '❚❚' : '▶'}</button>
      <button onClick=${() => next(1)} aria-label="one step forwards">▶❘</button>
      <input type="range" min="0" max=${last} value=${step} aria-label="step"
        onInput=${(/** @type {any} */ event) => go(Number(event.target.value))} />
      <span class="muted">${step + 1} of ${last + 1}${film.cut ? `, cut by ${film.cut}` : ''}</span>
      ${
        names.length > 0 &&
        html`<select aria-label="transaction" value=${txn} onChange=${(/** @type {any} */ event) => setTxn(event.target.value)}>
        <option value="">all transactions</option>${names.slice(0, 2_000).map((name) => html`<option value=${name}>${name}</option>`)}
      </select>`
      }
      <button class="icon" onClick=${toggle} aria-label="light or dark">${theme === 'dark' ? '☀' : '☾'}</button>
    </header>
    <div class="card stage"><${Stage} film=${film} step=${step} txn=${txn} /></div>
    <${Words} events=${film.events} step=${step} go=${go} />
  </div>`;
}

/** The next event that counts: of the chosen transaction, or any. @param {readonly FilmEvent[]} events @param {number} step @param {number} way @param {string} txn */
function following(events, step, way, txn) {
  for (let at = step + way; at >= 0 && at < events.length; at += way) {
    if (txn === '' || events[at]?.txn === txn || events[at]?.kind === 'fault') return at;
  }
  return step;
}

/** @param {{ film: Film, step: number, txn: string }} props */
function Stage({ film, step, txn }) {
  const { nodes, events } = film;
  const first = Math.max(0, step - AROUND);
  const shown = events.slice(first, step + AROUND + 1);
  const rowOf = (/** @type {number} */ index) => TOP + (index - first) * ROW;
  const x = (/** @type {number} */ node) =>
    90 + (nodes.indexOf(node) + 0.5) * ((WIDTH - 100) / nodes.length);
  const height = TOP + shown.length * ROW;
  // The row of the event at that time, for the beginning of an arrow.
  const rowAt = (/** @type {number} */ at) => {
    const found = shown.findIndex((each) => each.at >= at);
    return found < 0
      ? rowOf(first)
      : rowOf(first + found) - (shown[found]?.at === at ? 0 : ROW / 2);
  };
  return html`<svg viewBox=${`0 0 ${WIDTH} ${height}`} preserveAspectRatio="xMidYMin meet" role="img" aria-label="the film">
    ${nodes.map(
      (node) => html`<g><text x=${x(node)} y="16" text-anchor="middle">node ${node}</text>
      <line class="lane" x1=${x(node)} x2=${x(node)} y1="24" y2=${height} /></g>`,
    )}
    <line class="now" x1="0" x2=${WIDTH} y1=${rowOf(step)} y2=${rowOf(step)} />
    ${shown.map((event, offset) => {
      const index = first + offset;
      const y = rowOf(index);
      const kind = `${txn !== '' && event.txn !== txn ? 'other' : ''} ${index === step ? 'here' : ''}`;
      const { at, node, from, to, text } = event;
      const time = html`<text class="muted" x="4" y=${y + 4}>${at.toFixed(at % 1 === 0 ? 0 : 2)}</text>`;
      if (from !== undefined && to !== undefined) {
        const startY = Math.max(24, Math.min(rowAt(event.sentAt ?? at), y - ROW / 2));
        return html`<g key=${index} class=${kind}>${time}
          <line class=${`${event.kind} ${index === step ? 'here' : ''}`} x1=${x(from)} y1=${startY} x2=${x(to)} y2=${y} />
          <circle class="end" cx=${x(to)} cy=${y} r=${event.kind === 'lost' ? 0 : 4} />
          <text x=${x(to) + 0.2 * (x(from) - x(to))} y=${y + 0.2 * (startY - y) - 4} text-anchor="middle" class="muted">${nameOf(text)}</text></g>`;
      }
      if (node !== undefined) {
        return html`<g key=${index} class=${kind}>${time}<circle class="step" cx=${x(node)} cy=${y} r="5" />
          <text x=${x(node) + 9} y=${y + 4}>${text.slice(0, 42)}</text></g>`;
      }
      return html`<g key=${index} class=${kind}>${time}<text class=${event.kind === 'fault' ? 'fault' : 'muted'} x="60" y=${y + 4}>
        ${event.kind === 'fault' ? '⚡ ' : ''}${text.slice(0, 100)}</text></g>`;
    })}
  </svg>`;
}

/** Type of a message and its transaction, without what follows. @param {string} text */
function nameOf(text) {
  return text
    .replace(/^(?:deliver |drop |duplicate )?\d+>\d+ /, '')
    .split(' ')
    .slice(0, 2)
    .join(' ');
}

/** @param {{ events: readonly FilmEvent[], step: number, go: (step: number) => void }} props */
function Words({ events, step, go }) {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    list.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'center' });
  }, [step]);
  const first = Math.max(0, step - TEXT_AROUND);
  return html`<div class="card words" ref=${list}><ol>${events
    .slice(first, step + TEXT_AROUND)
    .map((event, offset) => {
      const index = first + offset;
      return html`<li key=${index} class=${event.kind} aria-current=${index === step ? 'step' : undefined} onClick=${() => go(index)}>
      ${event.node !== undefined && html`<b>${event.node}</b>${' '}`}${event.text}</li>`;
    })}</ol></div>`;
}

/** @param {Record<string, () => void>} keys */
function useKeys(keys) {
  useEffect(() => {
    const pressed = (/** @type {KeyboardEvent} */ event) => {
      const act = keys[event.key];
      if (
        act === undefined ||
        (event.target instanceof HTMLElement && event.target.tagName === 'SELECT')
      )
        return;
      act();
      event.preventDefault();
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  });
}

const answer = await fetch('/film.json');
render(
  html`<${Player} film=${await answer.json()} />`,
  /** @type {Element} */ (document.getElementById('app')),
);
