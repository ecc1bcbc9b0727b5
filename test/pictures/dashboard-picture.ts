/** The panels of docs/prometheus/dashboard.json over scrapes of real nodes, as Grafana lays them out. */
import { evaluate, type Scrape } from './promql.ts';
import { colourOfNumber, element, picture, round, text } from './svg.ts';

/** Of Grafana's grid: 24 columns, rows of 30 pixels. */
const COLUMN = 56;
const ROW = 26;
const WINDOW_MS = 5_000;
const LEGENDS_MAX = 6;

interface Panel {
  readonly title: string;
  readonly gridPos: {
    readonly h: number;
    readonly w: number;
    readonly x: number;
    readonly y: number;
  };
  readonly fieldConfig: { readonly defaults: { readonly unit?: string } };
  readonly targets: readonly { readonly expr: string; readonly legendFormat?: string }[];
}

export interface Dashboard {
  readonly panels: readonly Panel[];
}

interface Line {
  readonly name: string;
  readonly points: readonly (readonly [atMs: number, value: number])[];
}

export function dashboardPicture({ panels }: Dashboard, scrapes: readonly Scrape[]): string {
  const height = Math.max(...panels.map(({ gridPos }) => gridPos.y + gridPos.h)) * ROW + 30;
  const [first, last] = [scrapes[0]?.atMs ?? 0, scrapes.at(-1)?.atMs ?? 0];
  const seconds = ((last - first) / 1_000).toFixed(0);
  const title = `docs/prometheus/dashboard.json over ${seconds} s of three nodes under load; node 3 is killed and comes back`;
  return picture(24 * COLUMN, height, title, [
    text(10, 19, title, { 'font-size': 14, 'font-weight': 'bold' }),
    ...panels.flatMap((panel) => panelPicture(panel, scrapes, first, last)),
  ]);
}

function panelPicture(
  panel: Panel,
  scrapes: readonly Scrape[],
  first: number,
  last: number,
): string[] {
  const { x, y, w, h } = panel.gridPos;
  const [left, top] = [x * COLUMN + 4, y * ROW + 30];
  const [width, height] = [w * COLUMN - 8, h * ROW - 8];
  const lines = panel.targets.flatMap(({ expr, legendFormat }) =>
    linesOf(expr, legendFormat, scrapes),
  );
  const known = lines
    .flatMap(({ points }) => points.map(([, value]) => value))
    .filter(Number.isFinite);
  const most = Math.max(...known, 0) || 1;
  const least = Math.min(...known, 0);
  const plot = { left: left + 60, top: top + 24, width: width - 70, height: height - 62 };
  const px = (atMs: number): number =>
    plot.left + ((atMs - first) / Math.max(1, last - first)) * plot.width;
  const py = (value: number): number =>
    plot.top + (1 - (value - least) / (most - least)) * plot.height;
  const unit = panel.fieldConfig.defaults.unit ?? '';
  const levels = [least, (least + most) / 2, most];
  return [
    element('rect', { x: left, y: top, width, height, fill: '#fbfbfb', stroke: '#d8d8d8' }),
    text(left + 8, top + 16, panel.title, { 'font-weight': 'bold' }),
    ...levels.flatMap((value) => [
      element('line', {
        x1: plot.left,
        x2: plot.left + plot.width,
        y1: round(py(value)),
        y2: round(py(value)),
        stroke: '#e6e6e6',
      }),
      text(plot.left - 6, py(value) + 4, worded(value, unit), {
        'text-anchor': 'end',
        fill: '#666666',
        'font-size': 9,
      }),
    ]),
    ...lines.map((line, at) => polyline(line, colourOfNumber(at), px, py)),
    ...legends(lines, plot.left, top + height - 26, plot.width),
  ];
}

function linesOf(expr: string, legendFormat = '', scrapes: readonly Scrape[]): Line[] {
  const lines = new Map<string, [number, number][]>();
  for (const [at, { atMs }] of scrapes.entries()) {
    for (const { labels, value } of evaluate(expr, scrapes, at, WINDOW_MS)) {
      const name = legendFormat.replace(
        /\{\{(\w+)\}\}/g,
        (_, label: string) => labels[label] ?? '',
      );
      const points = lines.get(name) ?? [];
      lines.set(name, points);
      points.push([atMs, value]);
    }
  }
  return [...lines].map(([name, points]) => ({ name, points }));
}

function polyline(
  { points }: Line,
  stroke: string,
  px: (atMs: number) => number,
  py: (value: number) => number,
): string {
  let isOpen = false;
  let path = '';
  for (const [atMs, value] of points) {
    if (!Number.isFinite(value)) {
      isOpen = false;
      continue;
    }
    path += `${isOpen ? 'L' : 'M'}${round(px(atMs))} ${round(py(value))}`;
    isOpen = true;
  }
  return element('path', { d: path, fill: 'none', stroke, 'stroke-width': 1.4 });
}

/** In two rows. */
function legends(lines: readonly Line[], left: number, top: number, width: number): string[] {
  const each = width / (LEGENDS_MAX / 2);
  return lines.slice(0, LEGENDS_MAX).flatMap(({ name }, at) => {
    const [x, y] = [left + (at % 3) * each, top + Math.floor(at / 3) * 13 + 8];
    const more =
      at === LEGENDS_MAX - 1 && lines.length > LEGENDS_MAX
        ? ` (+${lines.length - LEGENDS_MAX})`
        : '';
    const mark = element('line', {
      x1: round(x),
      x2: round(x + 10),
      y1: y - 3,
      y2: y - 3,
      stroke: colourOfNumber(at),
      'stroke-width': 3,
    });
    return [
      mark,
      text(x + 14, y, `${name.slice(0, 34)}${more}`, { 'font-size': 9, fill: '#444444' }),
    ];
  });
}

function worded(value: number, unit: string): string {
  if (unit === 's') return value < 1 ? `${round(value * 1_000)} ms` : `${round(value)} s`;
  if (unit === 'bytes') return `${round(value / 1024 ** 2)} MiB`;
  if (unit === 'percentunit') return `${round(value * 100)} %`;
  if (value >= 1_000) return `${round(value / 1_000)} k`;
  return String(Math.round(value * 100) / 100);
}
