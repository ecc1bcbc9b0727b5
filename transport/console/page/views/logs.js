/** The last lines of all nodes' logs, as they come: by level, and by what they say. */
import { NeedsRole, Problem } from '../asked.js';
import { html, useEffect, useState } from '../html.js';
import { Card, Empty } from '../parts.js';
import { connection, linkTo } from '../state.js';

const LINES_MAX = 2_000;
const SHOWN_MAX = 400;
const EVERY_MS = 1_000;
/** As pino numbers them. */
const LEVELS = [
  ['debug', 20],
  ['info', 30],
  ['warn', 40],
  ['error', 50],
  ['fatal', 60],
];

/** @param {{ args: Record<string, string>, overview: any }} props */
export function Logs({ args, overview }) {
  return html`<${NeedsRole}><${Shown} args=${args} nodes=${Object.keys(overview?.nodes ?? {}).map(Number)} /><//>`;
}

/** @param {{ args: Record<string, string>, nodes: number[] }} props */
function Shown({ args, nodes }) {
  const { lines, error } = useLines(nodes);
  const { level = 'info', search = '' } = args;
  const least = Number(LEVELS.find(([name]) => name === level)?.[1] ?? 30);
  const wanted = search.toLowerCase();
  const found = lines.filter(
    (line) => line.level >= least && line.text.toLowerCase().includes(wanted),
  );
  const go = (/** @type {Record<string, string>} */ change) => {
    location.replace(linkTo('logs', { ...args, ...change }));
  };
  const tools = html`<select aria-label="level" value=${level} onChange=${(/** @type {any} */ event) => go({ level: event.target.value })}>
      ${LEVELS.map(([name]) => html`<option value=${name}>${name} and above</option>`)}
    </select>
    <input class="filter" placeholder="search  /" aria-label="search the logs" value=${search}
      onInput=${(/** @type {any} */ event) => go({ search: event.target.value })} />`;
  return html`<${Problem} error=${error} />
    <${Card} title=${`${found.length} lines`} flush=${true} side=${tools}>
      ${found.length === 0 && html`<${Empty}>No line is like that.<//>`}
      <ol class="log">${found
        .slice(-SHOWN_MAX)
        .reverse()
        .map(
          (line) => html`<li key=${line.key} class=${`level-${line.name}`}>
        <span class="muted">${new Date(line.time).toLocaleTimeString('en-GB')}</span>
        <b>${line.node}</b><span class="name">${line.name}</span><span>${line.msg}</span>
      </li>`,
        )}</ol>
    <//>`;
}

/** Asks each node for the lines that are new, in turn. @param {number[]} nodes */
function useLines(nodes) {
  const [state, setState] = useState({
    lines: /** @type {any[]} */ ([]),
    error: /** @type {string | undefined} */ (undefined),
  });
  useEffect(() => {
    /** @type {Map<number, number>} */
    const known = new Map();
    let isOver = false;
    /** @type {ReturnType<typeof setTimeout>} */
    let timer;
    const look = async () => {
      const found = await Promise.all(
        document.hidden ? [] : nodes.map((node) => linesOf(node, known)),
      );
      if (isOver) return;
      const lines = found.flatMap((each) => each.lines);
      const error = found.map((each) => each.error).find((each) => each !== undefined);
      setState((before) => ({
        error,
        lines:
          lines.length === 0
            ? before.lines
            : [...before.lines, ...lines].sort((a, b) => a.time - b.time).slice(-LINES_MAX),
      }));
      timer = setTimeout(look, EVERY_MS);
    };
    void look();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [nodes.join()]);
  return state;
}

/**
 * @param {number} node
 * @param {Map<number, number>} known lines of each node that there ever were
 */
async function linesOf(node, known) {
  try {
    const { added, lines } = await connection.ask('logs', { node, after: known.get(node) ?? 0 });
    known.set(node, added);
    const first = added - lines.length;
    return {
      lines: lines.map((/** @type {string} */ text, /** @type {number} */ index) =>
        lineOf(text, node, first + index),
      ),
      error: undefined,
    };
  } catch (error) {
    return { lines: [], error: `node ${node}: ${/** @type {Error} */ (error).message}` };
  }
}

/** @param {string} text @param {number} node @param {number} number */
function lineOf(text, node, number) {
  let fields = /** @type {any} */ ({});
  try {
    fields = JSON.parse(text);
  } catch {
    fields = { msg: text };
  }
  const level =
    typeof fields.level === 'number'
      ? fields.level
      : Number(LEVELS.find(([name]) => name === fields.level)?.[1] ?? 30);
  const name = String(LEVELS.find(([, value]) => value === level)?.[0] ?? level);
  const time =
    typeof fields.time === 'number' ? fields.time : Date.parse(fields.time ?? '') || Date.now();
  return { key: `${node}.${number}`, node, level, name, time, msg: fields.msg ?? text, text };
}
