/**
 * Runs scripts, one at a time, in the one Lua machine of the process. It decides nothing about
 * keys: what a script calls is the business of its host.
 */
import { installBit } from './lua/lua-bit.ts';
import { LuaGuards } from './lua/lua-guards.ts';
import { installJson } from './lua/lua-json.ts';
import {
  GLOBALS,
  LUA_NUMBER,
  LUA_STRING,
  LUA_TABLE,
  type LuaLimits,
  LuaMachine,
} from './lua/lua-machine.ts';
import { installMsgpack } from './lua/lua-msgpack.ts';
import { PRELUDE, PRELUDE_NAME, SCOPE } from './lua/lua-prelude.ts';
import { LuaResult } from './lua/lua-result.ts';
import { RedisLibrary, type ScriptHost } from './lua/redis-library.ts';
import type { ScriptReply } from './script-reply.ts';

interface Script {
  readonly source: string;
  /** As errors name it. */
  readonly name: () => string;
  readonly keys: readonly string[];
  readonly args: readonly string[];
}

const REGISTRY = -10_000;
/** Where the preparation leaves the function that runs a script. */
const RUN = 1;
/** For the code of the longest script that a client may send. */
const COMPILE_BYTES_MAX = 1024 * 1024 * 1024;

class ScriptEngine {
  readonly #machine: LuaMachine;
  readonly #guards: LuaGuards;
  readonly #library: RedisLibrary;

  constructor() {
    let guards: LuaGuards | undefined;
    let library: RedisLibrary | undefined;
    this.#machine = new LuaMachine((machine) => {
      guards = new LuaGuards(machine);
      library = new RedisLibrary(machine);
      guards.install();
      installBit(machine);
      installJson(machine);
      installMsgpack(machine);
      const { api, state } = machine;
      machine.load(PRELUDE, PRELUDE_NAME);
      library.install();
      if (api.lua_pcall(state, 1, 2, 0) !== 0) throw new Error(machine.textAt(state, -1));
      api.lua_insert(state, RUN);
      api.lua_pushvalue(state, -1);
      api.lua_setfield(state, REGISTRY, machine.name(SCOPE));
      // Whatever is compiled from here on has no other globals.
      api.lua_replace(state, GLOBALS);
    });
    this.#guards = guards as unknown as LuaGuards;
    this.#library = library as unknown as RedisLibrary;
  }

  /** Throws what `host` throws, `TOO_MANY_STEPS` and `TOO_MUCH_MEMORY`. */
  run(script: Script, host: ScriptHost, limits: LuaLimits): ScriptReply {
    const machine = this.#machine;
    const { api, state } = machine;
    machine.begin(limits);
    this.#guards.begin(() => host.seed());
    this.#library.begin(host);
    api.lua_pushvalue(state, RUN);
    machine.pushText(state, script.source);
    machine.charge(script.source.length);
    this.#pushList(script.keys);
    this.#pushList(script.args);
    if (api.lua_pcall(state, 3, 2, 0) !== 0) {
      return { type: 'error', text: `ERR ${machine.textAt(state, -1)}` };
    }
    const outcome = machine.textAt(state, -2);
    if (outcome === 'done') return new LuaResult(machine, this.#library.protocol).take();
    if (outcome === 'failed') return { type: 'error', text: this.#failure(script.name()) };
    return { type: 'error', text: this.#problem() };
  }

  /** The error line of a source that cannot be compiled. */
  problemOf(source: string): string | undefined {
    const machine = this.#machine;
    const { api, state } = machine;
    machine.begin({ stepsMax: Infinity, memoryBytesMax: COMPILE_BYTES_MAX });
    api.lua_pushvalue(state, RUN);
    machine.pushText(state, source);
    if (api.lua_pcall(state, 1, 2, 0) !== 0) return `ERR ${machine.textAt(state, -1)}`;
    return machine.textAt(state, -2) === 'unreadable' ? this.#problem() : undefined;
  }

  /** Of the message on top of the stack. */
  #problem(): string {
    const { state } = this.#machine;
    return `ERR Error compiling script (new function): ${this.#machine.textAt(state, -1)}`;
  }

  #pushList(texts: readonly string[]): void {
    const { api, state } = this.#machine;
    api.lua_createtable(state, texts.length, 0);
    for (const [i, text] of texts.entries()) {
      this.#machine.pushText(state, text);
      api.lua_rawseti(state, -2, i + 1);
    }
  }

  /** Of the error on top of the stack. */
  #failure(name: string): string {
    const { api, state } = this.#machine;
    if (api.lua_type(state, -1) !== LUA_TABLE) return `ERR ${this.#machine.textAt(state, -1)}`;
    const message = this.#textOf('err') ?? 'ERR unknown error';
    const source = this.#textOf('source');
    const line = this.#textOf('line');
    const place = source === undefined || line === undefined ? '' : `, on ${source}:${line}.`;
    return place === '' ? message : `${message} script: ${name}${place}`;
  }

  #textOf(field: string): string | undefined {
    const machine = this.#machine;
    const { api, state } = machine;
    machine.pushText(state, field);
    api.lua_rawget(state, -2);
    const type = api.lua_type(state, -1);
    const text = type === 0 ? undefined : machine.textAt(state, -1);
    api.lua_settop(state, -2);
    return type === LUA_STRING || type === LUA_NUMBER ? text : undefined;
  }
}

let engine: ScriptEngine | undefined;

/** Made when the first script runs. */
export function scriptEngine(): ScriptEngine {
  engine ??= new ScriptEngine();
  return engine;
}
