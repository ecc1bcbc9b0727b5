/**
 * As much of Prometheus' language as the panels of docs/prometheus/dashboard.json need, over
 * scrapes that a script has made: selectors, rate, sum by, histogram_quantile and a quotient.
 */
type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** One scrape of all nodes: samples by name. */
export interface Scrape {
  readonly atMs: number;
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
}

/** Adds what a node's /metrics says, under its `instance`. */
export function parseScrape(text: string, instance: string, into: Map<string, Sample[]>): void {
  for (const line of text.split('\n')) {
    const match = /^([a-z_:]+)(?:\{(.*)\})? (\S+)$/i.exec(line);
    if (match === null) continue;
    const [, name = '', words = '', value = ''] = match;
    const pairs = [...words.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
    const own = Object.fromEntries(pairs.map(([, key = '', text = '']) => [key, text]));
    const known = into.get(name) ?? [];
    into.set(name, known);
    known.push({ labels: { ...own, instance, job: 'holostore' }, value: Number(value) });
  }
}

/** The values of the expression at scrape number `at`; rates are over `windowMs`. */
export function evaluate(
  expression: string,
  scrapes: readonly Scrape[],
  at: number,
  windowMs: number,
): Sample[] {
  const reader = new Reader(expression, { scrapes, at, windowMs });
  const samples = reader.expression();
  reader.expect('');
  return samples;
}

interface Frame {
  readonly scrapes: readonly Scrape[];
  readonly at: number;
  readonly windowMs: number;
}

class Reader {
  #rest: string;
  readonly #frame: Frame;

  constructor(text: string, frame: Frame) {
    this.#rest = text.trim();
    this.#frame = frame;
  }

  expression(): Sample[] {
    let left = this.#term();
    while (this.#take('/')) left = quotient(left, this.#term());
    return left;
  }

  expect(word: string): void {
    if (word === '' ? this.#rest === '' : this.#take(word)) return;
    throw new Error(`"${word || 'the end'}" is expected before "${this.#rest}"`);
  }

  #term(): Sample[] {
    const { scrapes, at, windowMs } = this.#frame;
    if (this.#take('rate(')) {
      const { name, matchers } = this.#selector();
      this.expect('[$__rate_interval])');
      return rate(name, matchers, scrapes, at, windowMs);
    }
    if (this.#take('sum by (')) {
      const by = this.#word(/^[\w, ]+/).split(/, */);
      this.expect(')');
      this.expect('(');
      const inner = this.expression();
      this.expect(')');
      return sumBy(inner, by);
    }
    if (this.#take('histogram_quantile(')) {
      const share = Number(this.#word(/^[\d.]+/));
      this.expect(',');
      const inner = this.expression();
      this.expect(')');
      return quantiles(share, inner);
    }
    const { name, matchers } = this.#selector();
    return select(scrapes[at], name, matchers);
  }

  #selector(): { readonly name: string; readonly matchers: Labels } {
    const name = this.#word(/^[a-z_:]+/i);
    const matchers: Record<string, string> = {};
    if (this.#take('{')) {
      const words = this.#word(/^[^}]*/);
      for (const [, key = '', value = ''] of words.matchAll(/(\w+)="([^"]*)"/g)) {
        matchers[key] = value;
      }
      this.expect('}');
    }
    return { name, matchers };
  }

  #take(word: string): boolean {
    if (!this.#rest.startsWith(word)) return false;
    this.#rest = this.#rest.slice(word.length).trimStart();
    return true;
  }

  #word(shape: RegExp): string {
    const [found = ''] = shape.exec(this.#rest) ?? [];
    if (found === '') throw new Error(`"${this.#rest}" is not understood`);
    this.#take(found);
    return found;
  }
}

function keyOf(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function select(scrape: Scrape | undefined, name: string, matchers: Labels): Sample[] {
  const all = scrape?.samples.get(name) ?? [];
  return all.filter(({ labels }) =>
    Object.entries(matchers).every(([key, value]) => labels[key] === value),
  );
}

/** Of counters; one that went back began anew. */
function rate(
  name: string,
  matchers: Labels,
  scrapes: readonly Scrape[],
  at: number,
  windowMs: number,
): Sample[] {
  const now = scrapes[at];
  const first = scrapes.findIndex(({ atMs }) => atMs >= (now?.atMs ?? 0) - windowMs);
  const before = scrapes[first];
  if (now === undefined || before === undefined || first >= at) return [];
  const known = new Map(
    select(before, name, matchers).map(({ labels, value }) => [keyOf(labels), value]),
  );
  const seconds = (now.atMs - before.atMs) / 1_000;
  return select(now, name, matchers).flatMap(({ labels, value }) => {
    const then = known.get(keyOf(labels));
    if (then === undefined) return [];
    return [{ labels, value: (value < then ? value : value - then) / seconds }];
  });
}

function sumBy(samples: readonly Sample[], by: readonly string[]): Sample[] {
  const sums = new Map<string, { labels: Labels; value: number }>();
  for (const { labels, value } of samples) {
    const kept = Object.fromEntries(by.map((name) => [name, labels[name] ?? '']));
    const sum = sums.get(keyOf(kept)) ?? { labels: kept, value: 0 };
    sums.set(keyOf(kept), { ...sum, value: sum.value + value });
  }
  return [...sums.values()];
}

function quotient(over: readonly Sample[], under: readonly Sample[]): Sample[] {
  const known = new Map(under.map(({ labels, value }) => [keyOf(labels), value]));
  return over.map(({ labels, value }) => ({
    labels,
    value: value / (known.get(keyOf(labels)) ?? Number.NaN),
  }));
}

function quantiles(share: number, buckets: readonly Sample[]): Sample[] {
  const groups = new Map<string, { labels: Labels; bounds: [number, number][] }>();
  for (const { labels, value } of buckets) {
    const { le = '', ...rest } = labels;
    const group = groups.get(keyOf(rest)) ?? { labels: rest, bounds: [] };
    groups.set(keyOf(rest), group);
    group.bounds.push([le === '+Inf' ? Infinity : Number(le), value]);
  }
  return [...groups.values()].map(({ labels, bounds }) => ({
    labels,
    value: quantile(share, bounds),
  }));
}

/** Linear within a bucket, as in Prometheus. */
function quantile(share: number, unordered: readonly [number, number][]): number {
  const bounds = unordered.toSorted(([a], [b]) => a - b);
  const wanted = share * (bounds.at(-1)?.[1] ?? 0);
  if (!(wanted > 0)) return Number.NaN;
  let [lower, below] = [0, 0];
  for (const [bound, count] of bounds) {
    if (count >= wanted) {
      if (bound === Infinity) return lower;
      return lower + ((bound - lower) * (wanted - below)) / Math.max(1e-12, count - below);
    }
    [lower, below] = [bound, count];
  }
  return lower;
}
