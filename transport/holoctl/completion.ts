/** `holoctl completion`: scripts by which a shell completes subcommands and flags. */
import { type Output, parseFlags, UsageError } from './command-line.ts';

const FLAGS: Readonly<Record<string, string>> = {
  status: '--nodes --json',
  topology: '--node --json',
  ranges: '--node --json',
  split: '--at-slot --at-key --range --no-wait --pause --resume --cancel --node --json',
  state: '--node --json',
  'meta-status': '--node --json',
  'controller-status': '--node --json',
  pause: 'ranges replicas meta all --node',
  resume: 'ranges replicas meta all --node',
  freeze: '--frozen --node',
  move: '--range --from --to --node --no-wait --json',
  'add-node': '--node',
  drain: '--node',
  recommission: '--node',
  decommission: '--no-wait --node',
  replace: '--no-wait --node',
  'remove-node': '--node',
  'raise-behaviour': '--node',
  check: '--nodes --down-max --change-s-max --epochs-max --json',
  top: '--nodes --count --json',
  doctor: '--nodes --json',
  holofast: '--node --json',
  actors: '--node --json',
  metrics: '--node',
  config: 'set --node --json',
  login: '--node --json',
  logout: '--node --json',
  latency: '--nodes --json',
  logs: '--nodes --follow --level --json',
  hotkeys: '--nodes --count --json',
  bigkeys: '--nodes --count --json',
  slowlog: '--nodes --count --json',
  trace: 'dump tail --nodes --format --out --slow --count --json',
  completion: 'bash zsh',
  version: '--json',
  help: '',
};

export function completion(args: readonly string[], output: Output): number {
  const [shell] = parseFlags(args, [], [], 1).words;
  if (shell !== 'bash' && shell !== 'zsh') {
    throw new UsageError('say "completion bash" or "completion zsh"');
  }
  // zsh reads bash's scripts by an adapter of its own.
  const head = shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : '';
  output.write(`${head}${SCRIPT}`);
  return 0;
}

const CASES = Object.entries(FLAGS)
  .map(([name, words]) => `    ${name}) words="${words}" ;;`)
  .join('\n');

const SCRIPT = `# To load: source <(holoctl completion bash)
_holoctl() {
  local words="${Object.keys(FLAGS).join(' ')}"
  [ "$COMP_CWORD" -gt 1 ] && case "\${COMP_WORDS[1]}" in
${CASES}
    *) words="" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _holoctl holoctl
`;
