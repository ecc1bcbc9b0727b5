/**
 * A film: the events among nodes, step by step, for the page of `holostore replay`. The simulator
 * records one of a seed (`npm run sim -- --seed S --record FILE`), as JSON lines: the first is
 * about the film, each other one is an event. A story of `test/stories` is a film too. Pure.
 */

export interface FilmTitle {
  readonly kind: 'film';
  readonly version: 1;
  readonly title: string;
  /** Ids. */
  readonly nodes: readonly number[];
  /** A film that was cut: events that there were beyond. */
  readonly cut?: number;
}

/** Times are milliseconds; of a story, its steps. */
export interface FilmEvent {
  /**
   * `message` and `lost`: of `from` to `to`, sent at `sentAt`; a lost one never arrives. `step`: at a
   * node. `fault`: done to the cluster. `command`, `told`: of a story, done and said.
   */
  readonly kind: 'message' | 'lost' | 'step' | 'fault' | 'command' | 'told';
  readonly at: number;
  readonly text: string;
  readonly sentAt?: number;
  readonly from?: number;
  readonly to?: number;
  readonly node?: number;
  /** The name of the transaction that it is about. */
  readonly txn?: string;
}

export interface Film extends FilmTitle {
  readonly events: readonly FilmEvent[];
}

export class FilmError extends Error {
  readonly code = 'HOLO_FILM';
}

/** @throws FilmError */
export function readFilm(text: string): Film {
  return text.startsWith('{"kind":"film"') ? recorded(text) : told(text);
}

function recorded(text: string): Film {
  const [title, ...events] = text.split('\n').flatMap((line, index) => {
    if (line === '') return [];
    try {
      return [JSON.parse(line) as unknown];
    } catch {
      throw new FilmError(`line ${index + 1} of the film is no JSON`);
    }
  });
  const { version, nodes } = title as Partial<FilmTitle>;
  if (version !== 1 || !Array.isArray(nodes)) {
    throw new FilmError('it is a film of another version');
  }
  return { ...(title as FilmTitle), events: events as FilmEvent[] };
}

/** Commands of a story stand before `----`, and beneath it what they led to. */
function told(text: string): Film {
  const lines = text.split('\n');
  const title = lines[0]?.startsWith('# ') === true ? lines[0].slice(2) : '';
  const nodes = Number(/^cluster nodes=(\d+)/m.exec(text)?.[1]);
  if (title === '' || !(nodes > 0)) {
    throw new FilmError('it is neither a film of the simulator nor a story of test/stories');
  }
  const events: FilmEvent[] = [];
  const sent = new Map<string, number>();
  let at = 0;
  for (const line of lines) {
    if (line === '----' || line === '' || line === 'ok') continue;
    if (line.startsWith('# ')) {
      events.push({ kind: 'told', at, text: line.slice(2) });
      continue;
    }
    const letter = /^(\d+)>(\d+) (\S+ ?\S*)/.exec(line);
    if (letter !== null) {
      sent.set(letter[0], at);
      events.push({ kind: 'step', at, node: Number(letter[1]), text: `sends ${line}` });
      continue;
    }
    const happened = /^(\d+): (.*)/.exec(line);
    if (happened !== null) {
      events.push({ kind: 'step', at, node: Number(happened[1]), text: happened[2] ?? '' });
      continue;
    }
    at += 1;
    events.push(commandOf(line, at, sent));
  }
  return {
    ...{ kind: 'film', version: 1, title },
    nodes: Array.from({ length: nodes }, (_, index) => index + 1),
    events,
  };
}

function commandOf(line: string, at: number, sent: ReadonlyMap<string, number>): FilmEvent {
  const [, verb = '', from, to, what = ''] = /^(\w+) (?:(\d+)>(\d+) (.*))?/.exec(line) ?? [];
  const ends = { from: Number(from), to: Number(to) };
  const sentAt = sent.get(`${from}>${to} ${what}`) ?? at - 1;
  if (from === undefined) {
    const isFault = /^(crash|down|disk|clock)$/.test(verb);
    return { kind: isFault ? 'fault' : 'command', at, text: line };
  }
  if (verb === 'drop') return { kind: 'lost', at, sentAt, ...ends, text: line };
  return { kind: 'message', at, sentAt, ...ends, text: line };
}
