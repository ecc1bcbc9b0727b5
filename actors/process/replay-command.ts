/** `holostore replay FILE`: shows a film of the simulator, or a story, on a page. */
import { readFileSync } from 'node:fs';
import { FilmError, readFilm } from '../../transport/console/film.ts';
import { FilmServer } from '../../transport/console/film-server.ts';
import { fileErrorText } from '../../transport/file-error.ts';
import {
  ConfigError,
  integer,
  parseFlags,
  type Setting,
  settingValue,
} from './settings/settings.ts';

const REPLAY_SETTINGS: Readonly<Record<'port', Setting<number>>> = {
  port: {
    value: 'N',
    help: 'port of the page, on the loopback; 0: any free one',
    standard: '0',
    parse: integer(0, 65_535),
  },
};

/** Serves the page until it is interrupted. */
export async function runReplay(
  args: readonly string[],
  write: (line: string) => void,
): Promise<number> {
  const [path, ...rest] = args;
  if (path === undefined || path.startsWith('-')) {
    throw new ConfigError('replay takes the path of a film: npm run sim -- --seed S --record FILE');
  }
  const given = parseFlags(rest, REPLAY_SETTINGS, 'replay');
  const port = settingValue('port', REPLAY_SETTINGS.port, given, {});
  const server = new FilmServer(filmIn(path));
  write(`the film is at ${await server.listen(port)} until Ctrl-C`);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
  server.close();
  return 0;
}

function filmIn(path: string): ReturnType<typeof readFilm> {
  try {
    return readFilm(readFileSync(path, 'utf8'));
  } catch (error) {
    const reason = error instanceof FilmError ? error.message : fileErrorText(error);
    throw new ConfigError(`${path} cannot be shown: ${reason}`);
  }
}
