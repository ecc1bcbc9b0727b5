/**
 * The pages of the admin port: what each answers, and who may read it. They hold no data of their
 * own and ask providers.
 */
import type { Role } from '../access/admin/roles.ts';
import { type Answer, busy, JSON_TYPE, jsonAnswer, textAnswer } from './answer.ts';
import type { NodeStatus } from './node-status.ts';
import { REST_FACTOR } from './paced-writer.ts';
import type { TopologyOutcome, TopologyReport, TopologyRequest } from './topology-report.ts';

const TRACE_FORMATS = ['jsonl', 'perfetto', 'shiviz'] as const;
export type TraceFormat = (typeof TRACE_FORMATS)[number];

export interface AdminProviders {
  /** `undefined` when the node serves, else what is missing. */
  readonly notReady: () => string | undefined;
  /** `ok`, or the disk's problem while reads are still served. */
  readonly disk: () => string;
  /** `ok`, or that data may not grow while reads are still served. */
  readonly memory: () => string;
  /** Changes a setting; returns why not. */
  readonly configure: (name: string, value: string, user: string) => string | undefined;
  /** Changes the topology, or says why not. */
  readonly changeTopology: (request: TopologyRequest, user: string) => Promise<TopologyOutcome>;
  readonly status: () => NodeStatus;
  readonly topology: () => TopologyReport;
  /** The tree of actors, serializable. */
  readonly actors: () => unknown;
  /** In pieces, made as the reader takes them. `txn`: of this transaction alone. */
  readonly trace: (format: TraceFormat, txn?: string) => string | Iterable<string>;
  /** Where the time of commands goes. */
  readonly latency?: () => unknown;
  /** Slow, recovered and sampled transactions of this node with a higher number. */
  readonly slow?: (after: number) => unknown;
  /** The last lines of the log, but for the first so many that there ever were. */
  readonly logs?: (after: number) => unknown;
  /** The keys that clients name most often, and the slow log: at most so many. */
  readonly hotKeys?: (count: number) => unknown;
  readonly slowLog?: (count: number) => unknown;
  /** The largest keys of each type, so many of each; a text says why there are none. */
  readonly bigKeys?: (count: number) => Promise<unknown>;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
}

/** Levels of what is shown without a login: each shows what those before it show. */
export const OPEN_LEVELS = ['nothing', 'health', 'metrics', 'overview'] as const;
export type OpenLevel = (typeof OPEN_LEVELS)[number];

export interface Page {
  /** The level from which it is open; without one a viewer's role is needed, whatever the level. */
  readonly open?: OpenLevel;
  readonly answer: (query: URLSearchParams) => Answer | Promise<Answer>;
}

/** Reads the pages that are not open. */
export const READER: Role = 'viewer';

const TRACE_TYPES: Readonly<Record<TraceFormat, string>> = {
  jsonl: 'application/x-ndjson',
  perfetto: JSON_TYPE,
  shiviz: 'text/plain; charset=utf-8',
};
const PATHS =
  '/healthz /readyz /status /topology /actors /metrics /latency /whoami /logs?after=N ' +
  '/hotkeys?count=N /slowlog?count=N /bigkeys?count=N ' +
  '/trace?format=jsonl|perfetto|shiviz /trace/slow?after=N';

/** Traces under way at once, and scrapes: what is beyond is asked to come again. */
const TRACES_MAX = 1;
const SCRAPES_MAX = 4;
/** Entries of a list where none are asked for by number. */
const LISTED = 10;
/** Of each type. */
const BIG_KEYS_MAX = 1_000;

export class AdminPages {
  readonly #providers: AdminProviders;
  readonly #pages: ReadonlyMap<string, Page>;
  #traces = 0;
  #noTraceBeforeMs = 0;
  #scrapes = 0;

  constructor(providers: AdminProviders) {
    this.#providers = providers;
    this.#pages = new Map(Object.entries(this.#all()));
  }

  /** `undefined`: there is no such page. */
  find(path: string): Page | undefined {
    return this.#pages.get(path);
  }

  #all(): Readonly<Record<string, Page>> {
    const { status, topology, actors, latency, slow, logs, hotKeys, slowLog } = this.#providers;
    return {
      '/': { open: 'nothing', answer: () => textAnswer(200, PATHS.replaceAll(' ', '\n')) },
      '/healthz': { open: 'health', answer: () => textAnswer(200, 'ok') },
      '/readyz': { open: 'health', answer: () => this.#ready() },
      '/metrics': { open: 'metrics', answer: () => this.#metrics() },
      '/status': { open: 'overview', answer: () => jsonAnswer(status()) },
      '/topology': { open: 'overview', answer: () => jsonAnswer(topology()) },
      '/actors': { open: 'overview', answer: () => jsonAnswer(actors()) },
      '/latency': { open: 'overview', answer: () => jsonAnswer(latency?.() ?? []) },
      '/logs': { answer: (query) => jsonAnswer(logs?.(numberIn(query, 'after', 0)) ?? {}) },
      '/hotkeys': {
        answer: (query) => jsonAnswer(hotKeys?.(numberIn(query, 'count', LISTED)) ?? []),
      },
      '/slowlog': {
        answer: (query) => jsonAnswer(slowLog?.(numberIn(query, 'count', LISTED)) ?? []),
      },
      '/bigkeys': { answer: (query) => this.#bigKeys(query) },
      '/trace': { answer: (query) => this.#trace(query) },
      '/trace/slow': {
        answer: (query) => jsonAnswer(slow?.(Number(query.get('after') ?? '0') || 0) ?? []),
      },
    };
  }

  #ready(): Answer {
    const { notReady, disk, memory } = this.#providers;
    const missing = notReady();
    if (missing !== undefined) return textAnswer(503, missing);
    const states = { disk: disk(), memory: memory() };
    const poor = Object.entries(states).filter(([, state]) => state !== 'ok');
    return textAnswer(200, ['ready', ...poor.map((state) => state.join(': '))].join('\n'));
  }

  async #bigKeys(query: URLSearchParams): Promise<Answer> {
    const count = Math.min(numberIn(query, 'count', LISTED), BIG_KEYS_MAX);
    const found = await this.#providers.bigKeys?.(count);
    return typeof found === 'string' ? textAnswer(503, found) : jsonAnswer(found ?? {});
  }

  async #metrics(): Promise<Answer> {
    if (this.#scrapes >= SCRAPES_MAX) return busy(`${SCRAPES_MAX} scrapes are under way`);
    this.#scrapes += 1;
    try {
      const { contentType, text } = await this.#providers.metrics();
      return { code: 200, type: contentType, body: text };
    } finally {
      this.#scrapes -= 1;
    }
  }

  #trace(query: URLSearchParams): Answer {
    const asked = query.get('format') ?? 'jsonl';
    const format = TRACE_FORMATS.find((each) => each === asked);
    if (format === undefined) {
      return textAnswer(400, `format must be one of ${TRACE_FORMATS.join(', ')}`);
    }
    const tooSoon = performance.now() < this.#noTraceBeforeMs;
    if (this.#traces >= TRACES_MAX || tooSoon) return busy('another trace has been asked for');
    const body = this.#providers.trace(format, query.get('txn') ?? undefined);
    this.#traces += 1;
    const done = (busyMs: number): void => {
      this.#traces -= 1;
      this.#noTraceBeforeMs = performance.now() + REST_FACTOR * busyMs;
    };
    return { code: 200, type: TRACE_TYPES[format], body, done };
  }

  /** The answer to any other path. */
  unknown(): Answer {
    return textAnswer(404, `no such page; the pages are: ${PATHS}`);
  }
}

/** A whole number, 0 or above, in the query. */
function numberIn(query: URLSearchParams, name: string, otherwise: number): number {
  const value = Number(query.get(name) ?? otherwise);
  return Number.isSafeInteger(value) && value >= 0 ? value : otherwise;
}
