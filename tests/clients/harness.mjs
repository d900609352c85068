// Starts the vendors' stand-in and Penstock in front of it, each on a free port of 127.0.0.1, and stops them by process id.
//
//   PENSTOCK_TARGET=upstream   no Penstock: the SDKs talk to the stand-in itself, which proves the suites and the stand-in
//   PENSTOCK_UPSTREAM_DLL, PENSTOCK_SERVER_DLL   where the builds are; else the newest under bin/
import { spawn } from 'node:child_process';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const OPENAI_KEY = 'sk-upstream-openai';
const ANTHROPIC_KEY = 'sk-ant-upstream';

export const direct = process.env.PENSTOCK_TARGET === 'upstream';

/** Options of a test that means nothing without Penstock in between. */
export const serverOnly = direct ? { skip: 'needs Penstock' } : {};

/** @param {{env?: Record<string, string> | ((upstream: string) => Record<string, string>), config?: object}} options more environment for Penstock, where a null value removes a variable; its penstock.json */
export async function start(options = {}) {
  const upstream = await startUpstream();
  let penstock = null;
  try {
    if (!direct) penstock = await startPenstock(upstream.url, typeof options.env === 'function' ? options.env(upstream.url) : options.env ?? {}, options.config);
    const session = new Session(upstream, penstock);
    if (penstock) session.key = session.anthropicKey = (await session.createKey({ scopes: ['ai:complete', 'ai:embed'] })).apiKey;
    return session;
  } catch (error) {
    // What still runs would keep the test process from ending.
    await penstock?.stop();
    await upstream.stop();
    throw error;
  }
}

class Session {
  constructor(upstream, penstock) {
    this.upstream = upstream;
    this.penstock = penstock;
    this.url = penstock?.url ?? upstream.url;
    this.openaiBase = `${this.url}/v1`;
    this.anthropicBase = this.url;
    this.key = OPENAI_KEY;
    this.anthropicKey = ANTHROPIC_KEY;
    this.adminKey = penstock?.adminKey;
  }

  /** A virtual key, as an admin makes it. */
  async createKey(fields) {
    const answer = await this.post('/v1/auth/keys', { name: 'suite', ...fields }, this.adminKey);
    assert.equal(answer.status, 201, JSON.stringify(answer.body));
    return answer.body;
  }

  async post(route, body, key = this.key) {
    const answer = await fetch(this.url + route, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key ? { authorization: `Bearer ${key}` } : {}) },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text, body: text.startsWith('{') ? JSON.parse(text) : undefined };
  }

  /** What the stand-in received since it was last asked to forget. */
  async seen() {
    return (await (await fetch(`${this.upstream.url}/_seen`)).json()).calls;
  }

  async forget() {
    await fetch(`${this.upstream.url}/_seen`, { method: 'DELETE' });
  }

  async usage() {
    const answer = await fetch(`${this.url}/v1/usage`, { headers: { authorization: `Bearer ${this.key}` } });
    assert.equal(answer.status, 200, 'GET /v1/usage');
    return answer.json();
  }

  /** Runs work with a key of its own, whose usage therefore is that work's and no other's. */
  async withOwnKey(work) {
    if (direct) return work();
    const { key, anthropicKey } = this;
    this.key = this.anthropicKey = (await this.createKey({ scopes: ['ai:complete', 'ai:embed'] })).apiKey;
    try {
      return await work();
    } finally {
      Object.assign(this, { key, anthropicKey });
    }
  }

  /** Runs work, then checks that Penstock booked what the stand-in says it billed, to the token and the nano-dollar. */
  async booked(work) {
    await this.forget();
    return this.withOwnKey(async () => {
      const result = await work();
      if (!direct) await until(() => this.assertBooked(), 2_000);
      return result;
    });
  }

  async assertBooked() {
    const calls = (await this.seen()).filter((call) => ['/v1/chat/completions', '/v1/embeddings', '/v1/messages'].includes(call.path) || call.path.startsWith('/model/'));
    assert.ok(calls.length > 0, 'the upstream saw no call');
    assert.ok(calls.every((call) => call.usageSent), 'a call without usage cannot be compared');
    const sum = (pick) => calls.reduce((total, call) => total + pick(call), 0);
    const usage = await this.usage();
    assert.equal(usage.requests, calls.length, 'requests');
    assert.equal(usage.inputTokens, sum(({ billed }) => billed.input + billed.cacheRead + billed.cacheWrite5m + billed.cacheWrite1h), 'inputTokens');
    assert.equal(usage.outputTokens, sum(({ billed }) => billed.output + billed.reasoning), 'outputTokens');
    const cost = sum(costOf);
    assert.ok(Math.abs(usage.totalCost - cost) < 1e-9 * calls.length + 1e-12, `totalCost is ${usage.totalCost}, not ${cost}`);
  }

  /** Resolves to how many ms after `since` the stand-in saw its client leave. */
  async leftAfter(since) {
    let call;
    await until(async () => {
      call = (await this.seen()).at(-1);
      assert.equal(call?.outcome, 'aborted');
    }, 3_000);
    return call.abortedAt - since;
  }

  async stop() {
    await this.penstock?.stop();
    await this.upstream.stop();
  }
}

/** Tries `check` until it no longer throws; its last error after `within` ms. */
export async function until(check, within) {
  const end = Date.now() + within;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

const prices = JSON.parse(fs.readFileSync(path.join(root, 'src/Penstock/Usage/prices.json'), 'utf8')).models;

/** USD for what the stand-in billed, by the price table. */
export function costOf({ model, billed }) {
  const price = prices[model].usdPerMillionTokens.standard;
  const usd = billed.input * price.input
    + billed.cacheRead * (price.cacheRead ?? price.input)
    + (billed.output + billed.reasoning) * (price.output ?? 0);
  assert.equal(billed.cacheWrite5m + billed.cacheWrite1h, 0, 'cache writes are compared elsewhere');
  return usd / 1e6;
}

export async function startUpstream() {
  const dll = process.env.PENSTOCK_UPSTREAM_DLL ?? newest('tests/Penstock.Upstream', 'Penstock.Upstream.dll');
  const child = run(dll, ['--port', '0'], process.env, os.tmpdir());
  const url = await child.says(/listening on (http:\S+)/);
  return { url, stop: child.stop };
}

async function startPenstock(upstream, more, config) {
  const dll = process.env.PENSTOCK_SERVER_DLL ?? newest('src/hosts/Penstock.Server', 'Penstock.Server.dll');
  const data = fs.mkdtempSync(path.join(os.tmpdir(), 'penstock-clients-'));
  const adminKey = `sk-pen-test-${randomBytes(32).toString('hex')}`;
  const env = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('DOTNET_'))),
    PORT: String(await freePort()),
    PENSTOCK_DATA: data,
    PENSTOCK_ADMIN_KEY: adminKey,
    OPENAI_API_KEY: OPENAI_KEY,
    OPENAI_BASE_URL: `${upstream}/v1`,
    ANTHROPIC_API_KEY: ANTHROPIC_KEY,
    ANTHROPIC_BASE_URL: upstream,
    ...more,
  };
  for (const [name, value] of Object.entries(env)) if (value === null) delete env[name];
  // A vendor's failure is told at once, and closes no target to the tests that follow, unless a suite says what is to happen.
  fs.writeFileSync(path.join(data, 'penstock.json'), JSON.stringify({ routing: { retries: 0, breaker: 'off' }, ...config }));
  const child = run(dll, [], env, data);
  const said = await child.says(/Penstock is ready on (http:\/\/[^\s"]+)/);
  const url = `http://127.0.0.1:${new URL(said).port}`;
  const stop = async () => {
    await child.stop();
    fs.rmSync(data, { recursive: true, force: true });
  };
  return { url, adminKey, stop, log: child.log };
}

function newest(project, file) {
  const builds = ['Release', 'Debug']
    .map((kind) => path.join(root, project, 'bin', kind, 'net10.0', file))
    .filter((dll) => fs.existsSync(dll))
    .sort((a, b) => fs.statSync(b).mtimeMs - fs.statSync(a).mtimeMs);
  if (builds.length === 0) throw new Error(`${file} is not built: dotnet build ${project}`);
  return builds[0];
}

function run(dll, args, env, cwd) {
  const child = spawn('dotnet', [dll, ...args], { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)));
  const kill = () => child.kill('SIGKILL');
  process.on('exit', kill);
  let log = '';
  const listeners = new Set();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      log = (log + text).slice(-200_000);
      for (const listener of listeners) listener();
    });
  }

  const says = (pattern) => new Promise((resolve, reject) => {
    const fail = (why) => {
      kill();
      reject(new Error(`${path.basename(dll)} ${why}. It said:\n${log.slice(-4_000)}`));
    };
    const timer = setTimeout(() => fail('was not ready within 30 s'), 30_000);
    const look = () => {
      const match = pattern.exec(log);
      if (!match) return;
      clearTimeout(timer);
      listeners.delete(look);
      resolve(match[1]);
    };
    listeners.add(look);
    ended.then((code) => fail(`ended with ${code}`));
    look();
  });

  const stop = async () => {
    child.kill('SIGTERM');
    const timer = setTimeout(kill, 10_000);
    const code = await ended;
    clearTimeout(timer);
    process.off('exit', kill);
    return code;
  };
  return { says, stop, log: () => log };
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().on('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
