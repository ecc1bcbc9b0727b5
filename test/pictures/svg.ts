/** Elements of SVG as text. */
type Attributes = Readonly<Record<string, string | number>>;

export function element(name: string, attributes: Attributes, content = ''): string {
  const words = Object.entries(attributes).map(
    ([key, value]) => ` ${key}="${escaped(`${value}`)}"`,
  );
  return content === ''
    ? `<${name}${words.join('')}/>`
    : `<${name}${words.join('')}>${content}</${name}>`;
}

export function text(x: number, y: number, words: string, attributes: Attributes = {}): string {
  return element('text', { x: round(x), y: round(y), ...attributes }, escaped(words));
}

/** A whole file with a white ground. */
export function picture(
  width: number,
  height: number,
  title: string,
  content: readonly string[],
): string {
  const frame = {
    xmlns: 'http://www.w3.org/2000/svg',
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
  };
  const font = { 'font-family': 'Helvetica, Arial, sans-serif', 'font-size': 11 };
  const ground = element('rect', { width, height, fill: '#ffffff' });
  return `${element('svg', { ...frame, ...font }, `\n${[element('title', {}, escaped(title)), ground, ...content].join('\n')}\n`)}\n`;
}

export function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** The same for the same name. */
export function colourOf(name: string): string {
  let hash = 7;
  for (let at = 0; at < name.length; at += 1) hash = (hash * 31 + name.charCodeAt(at)) % 3_600;
  return `hsl(${Math.floor(hash / 10)}, 62%, 45%)`;
}

const PALETTE = [
  ...['#1f77b4', '#d62728', '#2ca02c', '#ff7f0e', '#9467bd', '#8c564b', '#e377c2', '#17becf'],
  ...['#bcbd22', '#7f7f7f', '#0b3c5d', '#a63a50'],
];

/** Far apart for neighbours. */
export function colourOfNumber(number: number): string {
  return PALETTE[number % PALETTE.length] ?? '#000000';
}

function escaped(words: string): string {
  return words
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
