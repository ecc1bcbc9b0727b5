/**
 * Runs scripts and functions, one at a time, in the one Lua machine of the process. It decides
 * nothing about keys: what a script calls is the business of its host.
 *
 * A script is compiled, and a library loaded, into an image of the memory, from which all of its
 * runs begin. Which images are kept changes no result: what is compiled anew gives the same one.
 */

import { type LibraryFunction, sourceOf } from './library.ts';
import { installBit } from './lua/lua-bit.ts';
import { LuaGuards } from './lua/lua-guards.ts';
import { LuaImages } from './lua/lua-images.ts';
import { installJson } from './lua/lua-json.ts';
import {
  GLOBALS,
  LUA_NUMBER,
  LUA_STRING,
  LUA_TABLE,
  type LuaImage,
  type LuaLimits,
  LuaMachine,
  TOO_MANY_STEPS,
  TOO_MUCH_MEMORY,
} from './lua/lua-machine.ts';
import { installMsgpack } from './lua/lua-msgpack.ts';
import { PRELUDE, PRELUDE_NAME, SCOPE } from './lua/lua-prelude.ts';
import { LuaResult } from './lua/lua-result.ts';
import { installStruct } from './lua/lua-struct.ts';
import { RedisLibrary, type ScriptHost } from './lua/redis-library.ts';
import type { ScriptReply } from './script-reply.ts';

interface Arguments {
  readonly keys: readonly string[];
  readonly args: readonly string[];
}

interface Script extends Arguments {
  readonly source: string;
  /** As errors name it. */
  readonly name: () => string;
}

interface Call extends Arguments {
  /** Of the library, with its first line. */
  readonly code: string;
  /** Of the function, as it was registered. */
  readonly name: string;
}

/** A library that was loaded; `problem`: the error line of one that cannot be. */
interface Loaded {
  readonly image: LuaImage;
  readonly functions: readonly LibraryFunction[];
  readonly problem: string | undefined;
}

/** A source that was compiled; `problem`: why it cannot be. */
interface Compiled {
  readonly image: LuaImage;
  readonly problem: string | undefined;
}

const REGISTRY = -10_000;
/** Where the preparation leaves its functions. */
const COMPILE = 1;
const RUN = 2;
const LOAD = 3;
const CALL = 4;
/** Where the compiled script is in its image. */
const SCRIPT = 5;
/** For the code of the longest script that a client may send. */
const COMPILE_LIMITS: LuaLimits = { stepsMax: Infinity, memoryBytesMax: 1024 * 1024 * 1024 };
/** Longer scripts are compiled within the limits of their run, each time. */
const IMAGE_SOURCE_BYTES_MAX = 64 * 1024;
/** A library is loaded with these, whatever the settings are: all nodes have the same ones. */
const LOAD_LIMITS: LuaLimits = { stepsMax: 3_000_000, memoryBytesMax: 8 * 1024 * 1024 };
const IMAGES_BYTES_MAX = 16 * 1024 * 1024;

class ScriptEngine {
  readonly #machine: LuaMachine;
  readonly #guards: LuaGuards;
  readonly #library: RedisLibrary;
  readonly #compiled = new LuaImages<Compiled>(IMAGES_BYTES_MAX);
  readonly #loaded = new LuaImages<Loaded>(IMAGES_BYTES_MAX);
  /** Of the library that is being loaded. */
  #registered: LibraryFunction[] = [];

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
      installStruct(machine);
      const { api, state } = machine;
      machine.load(PRELUDE, PRELUDE_NAME);
      library.install();
      api.lua_pushcclosure(state, machine.hostFunction(this.#register), 0);
      if (api.lua_pcall(state, 2, CALL + 1, 0) !== 0) throw new Error(machine.textAt(state, -1));
      api.lua_pushvalue(state, 1);
      api.lua_setfield(state, REGISTRY, machine.name(SCOPE));
      // Whatever is compiled from here on has no other globals.
      api.lua_pushvalue(state, 1);
      api.lua_replace(state, GLOBALS);
      api.lua_remove(state, 1);
    });
    this.#guards = guards as unknown as LuaGuards;
    this.#library = library as unknown as RedisLibrary;
  }

  /** Throws what `host` throws, `TOO_MANY_STEPS` and `TOO_MUCH_MEMORY`. */
  run(script: Script, host: ScriptHost, limits: LuaLimits): ScriptReply {
    const problem = this.#beginScript(script.source, limits);
    if (problem !== undefined) return { type: 'error', text: problem };
    const { api, state } = this.#machine;
    this.#beginRun(host);
    api.lua_pushvalue(state, RUN);
    api.lua_pushvalue(state, SCRIPT);
    return this.#finish(script, script.name);
  }

  /** The same for a function of a library; `undefined`: it does not have it. */
  call(call: Call, host: ScriptHost, limits: LuaLimits): ScriptReply {
    const { image, problem } = this.#loadedOf(call.code);
    if (problem !== undefined) return { type: 'error', text: problem };
    const { api, state } = this.#machine;
    this.#machine.begin(limits, image);
    this.#beginRun(host);
    api.lua_pushvalue(state, CALL);
    this.#machine.pushText(state, call.name);
    return this.#finish(call, () => call.name);
  }

  /** The error line of a source that cannot be compiled. */
  problemOf(source: string): string | undefined {
    return this.#compile(source, COMPILE_LIMITS);
  }

  /** The functions that a library registers, or the error line. */
  functionsOf(code: string): readonly LibraryFunction[] | string {
    const { functions, problem } = this.#loadedOf(code);
    return problem ?? functions;
  }

  #beginRun(host: ScriptHost): void {
    this.#guards.begin(() => host.seed());
    this.#library.begin(host);
  }

  /** The compiled script is in its place then; or the error line. */
  #beginScript(source: string, limits: LuaLimits): string | undefined {
    if (source.length > IMAGE_SOURCE_BYTES_MAX) return this.#compile(source, limits);
    const known = this.#compiled.get(source);
    if (known !== undefined) {
      this.#machine.begin(limits, known.image);
      return known.problem;
    }
    const problem = this.#compile(source, COMPILE_LIMITS);
    this.#compiled.set(source, { image: this.#machine.capture(), problem });
    this.#machine.limit(limits);
    return problem;
  }

  #compile(source: string, limits: LuaLimits): string | undefined {
    const machine = this.#machine;
    const { api, state } = machine;
    machine.begin(limits);
    machine.charge(source.length);
    api.lua_pushvalue(state, COMPILE);
    machine.pushText(state, source);
    if (api.lua_pcall(state, 1, 2, 0) !== 0) return `ERR ${machine.textAt(state, -1)}`;
    if (api.lua_type(state, SCRIPT) === 0) {
      return `ERR Error compiling script (new function): ${machine.textAt(state, -1)}`;
    }
    api.lua_settop(state, SCRIPT);
    return undefined;
  }

  #loadedOf(code: string): Loaded {
    const known = this.#loaded.get(code);
    if (known !== undefined) return known;
    this.#registered = [];
    let problem: string | undefined;
    try {
      problem = this.#load(sourceOf({ code }));
    } catch (error) {
      if (error !== TOO_MANY_STEPS && error !== TOO_MUCH_MEMORY) throw error;
      problem = 'ERR FUNCTION LOAD needs more steps or memory than it may have';
    }
    const { api, state } = this.#machine;
    api.lua_settop(state, CALL);
    const functions = this.#registered;
    if (problem === undefined && functions.length === 0) problem = 'ERR No functions registered';
    const loaded = { image: this.#machine.capture(), functions, problem };
    this.#loaded.set(code, loaded);
    return loaded;
  }

  #load(source: string): string | undefined {
    const machine = this.#machine;
    const { api, state } = machine;
    machine.begin(LOAD_LIMITS);
    this.#beginRun(LOADING);
    machine.charge(source.length);
    api.lua_pushvalue(state, LOAD);
    machine.pushText(state, source);
    if (api.lua_pcall(state, 1, 2, 0) !== 0) return `ERR ${machine.textAt(state, -1)}`;
    const outcome = machine.textAt(state, -2);
    if (outcome === 'done') return undefined;
    const text = machine.textAt(state, -1);
    if (outcome === 'unreadable') return `ERR Error compiling function: ${text}`;
    return `ERR Error registering functions: ERR ${text}`;
  }

  /** `register(name, flags, description)` of the prelude, which has judged them. */
  readonly #register = (state: number): number => {
    const machine = this.#machine;
    const [name = '', flags = '', description] = [1, 2, 3].map((i) =>
      machine.api.lua_type(state, i) <= 0 ? undefined : machine.textAt(state, i),
    );
    this.#registered.push({
      name,
      description: description ?? null,
      flags: flags === '' ? [] : flags.split(' '),
    });
    return 0;
  };

  /** Pushes the arguments for the function of the prelude on the stack, with its first one. */
  #finish({ keys, args }: Arguments, name: () => string): ScriptReply {
    const machine = this.#machine;
    const { api, state } = machine;
    this.#pushList(keys);
    this.#pushList(args);
    if (api.lua_pcall(state, 3, 2, 0) !== 0) {
      return { type: 'error', text: `ERR ${machine.textAt(state, -1)}` };
    }
    const isDone = api.lua_toboolean(state, -2) === 1;
    if (isDone) return new LuaResult(machine, this.#library.protocol).take();
    return { type: 'error', text: this.#failure(name()) };
  }

  #pushList(texts: readonly string[]): void {
    const { api, state } = this.#machine;
    api.lua_createtable(state, texts.length, 0);
    for (let i = 0; i < texts.length; i += 1) {
      this.#machine.pushText(state, texts[i] as string);
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

/** A library that is loaded calls no command. */
const LOADING: ScriptHost = {
  call: () => 'ERR no command can be called while a library is loaded',
  refusal: () => undefined,
  log: () => undefined,
  seed: () => 0,
};

let engine: ScriptEngine | undefined;

/** Made when the first script runs. */
export function scriptEngine(): ScriptEngine {
  engine ??= new ScriptEngine();
  return engine;
}
