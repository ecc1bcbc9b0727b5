/** State of the whole page: the connection and the address behind `#`. */
import { Connection } from './connection.js';
import { useEffect, useState } from './html.js';

export const connection = new Connection();

/** Told again at once when a view is opened a second time. @type {Map<string, any>} */
const lastTold = new Map();
/** Of one page at a time, beside the overview. */
const TOLD_MAX = 2;

/**
 * The latest of a view of the cluster; undefined before the first.
 *
 * @param {string} view
 * @param {Record<string, string | number>} args
 * @returns {any}
 */
export function useLive(view, args = {}) {
  const name = JSON.stringify([view, args]);
  const [told, setTold] = useState(() => ({ name, data: lastTold.get(name) }));
  useEffect(
    () =>
      connection.watch(view, args, (data) => {
        lastTold.delete(name);
        lastTold.set(name, data);
        if (lastTold.size > TOLD_MAX) lastTold.delete([...lastTold.keys()][0] ?? '');
        setTold({ name, data });
      }),
    [name],
  );
  return told.name === name ? told.data : lastTold.get(name);
}

/** Draws again when the connection or the user changes. */
export function useConnection() {
  const [, setTurn] = useState(0);
  useEffect(() => connection.onChange(() => setTurn((/** @type {number} */ turn) => turn + 1)), []);
  return connection;
}

/** Draws again every so often. @param {number} everyMs */
export function useClock(everyMs) {
  const [nowMs, setNowMs] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return nowMs;
}

/**
 * `#/view?name=value`: each state of the page that is worth a link has one.
 *
 * @returns {{ view: string, args: Record<string, string> }}
 */
function routeOf(hash = location.hash) {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  return { view: path || 'overview', args: Object.fromEntries(new URLSearchParams(query)) };
}

export function useRoute() {
  const [route, setRoute] = useState(() => routeOf());
  useEffect(() => {
    const changed = () => setRoute(routeOf());
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return route;
}

/**
 * @param {string} view
 * @param {Record<string, string | number | undefined>} args those without a value are left out
 */
export function linkTo(view, args = {}) {
  const given = Object.entries(args).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, String(value)]],
  );
  const query = new URLSearchParams(given).toString();
  return `#/${view}${query === '' ? '' : `?${query}`}`;
}
