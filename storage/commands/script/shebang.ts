/**
 * The first line of a script may tell its engine and its flags, `#!lua flags=no-writes`. Lua sees
 * an empty line in its place, so that lines keep their numbers. Pure.
 */

interface Shebang {
  /** Without the `#!` line. */
  readonly source: string;
  readonly isReadOnly: boolean;
  /** Its flags say so; without a first line they do not. */
  readonly mayWrite: boolean;
}

const FLAGS: ReadonlySet<string> = new Set([
  ...['no-writes', 'allow-oom', 'allow-stale', 'no-cluster', 'allow-cross-slot-keys'],
]);

/** The error line of one that makes no sense. */
export function parseShebang(text: string): Shebang | string {
  if (!text.startsWith('#!')) {
    return { source: text, isReadOnly: false, mayWrite: false };
  }
  const end = text.indexOf('\n');
  if (end === -1) return 'ERR Invalid script shebang';
  const [engine = '', ...options] = text.slice(0, end).trimEnd().split(' ');
  if (engine !== '#!lua') return `ERR Unexpected engine in script shebang: ${engine}`;
  let isReadOnly = false;
  for (const option of options) {
    if (!option.startsWith('flags=')) return `ERR Unknown lua shebang option: ${option}`;
    for (const flag of option.slice('flags='.length).split(',')) {
      if (flag === '') continue;
      if (!FLAGS.has(flag)) return `ERR Unexpected flag in script shebang: ${flag}`;
      isReadOnly ||= flag === 'no-writes';
    }
  }
  return { source: text.slice(end), isReadOnly, mayWrite: !isReadOnly };
}
