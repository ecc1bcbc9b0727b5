/** Answers to questions, asked once or again and again; and views that need a role. */
import { html, useEffect, useState } from './html.js';
import { Empty } from './parts.js';
import { connection, useConnection } from './state.js';

/**
 * @param {string} what
 * @param {Record<string, string | number>} args
 * @param {number} everyMs 0: once
 * @returns {{ data: any, error: string | undefined, again: () => void }} `data` stays while it is asked anew
 */
export function useAsked(what, args, everyMs = 0) {
  const [state, setState] = useState({
    data: /** @type {any} */ (undefined),
    error: /** @type {string | undefined} */ (undefined),
  });
  const [turn, setTurn] = useState(0);
  const { welcome, state: link } = useConnection();
  const name = JSON.stringify([what, args, welcome?.role, link, turn]);
  useEffect(() => {
    let isOver = false;
    /** @type {ReturnType<typeof setTimeout>} */
    let timer;
    const ask = async () => {
      if (!document.hidden && connection.state === 'open') {
        try {
          const data = await connection.ask(what, args);
          if (!isOver) setState({ data, error: undefined });
        } catch (error) {
          if (!isOver)
            setState((before) => ({
              ...before,
              error: String(/** @type {Error} */ (error).message),
            }));
        }
      }
      if (!isOver && everyMs > 0) timer = setTimeout(ask, everyMs);
    };
    void ask();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [name]);
  return { ...state, again: () => setTurn(turn + 1) };
}

/** A view for those with a role, and a way to get one. @param {{ children?: unknown }} props */
export function NeedsRole({ children }) {
  const { welcome } = useConnection();
  if (welcome === undefined) return html`<${Empty}>Connecting.<//>`;
  if (welcome.role !== undefined) return children;
  return html`<div class="card"><${Empty}>
    This view shows keys, values, addresses or traces: log in with the role of viewer.
    <p><button class="primary" onClick=${() => document.getElementById('login')?.click()}>Log in</button></p>
  <//></div>`;
}

/** @param {{ error: string | undefined }} props */
export function Problem({ error }) {
  return error === undefined ? null : html`<div class="notice bad" role="alert">${error}</div>`;
}
