// Measures what bench/coldstart.sh says. Everything binds to 127.0.0.1 and is stopped by its process id.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

const [, , folder, runsText, limitText] = process.argv;
const [runs, limit] = [Number(runsText), Number(limitText)];
const emulator = path.resolve('tests/emulators/node_modules/@dynoxide/linux-x64/dynoxide');
const adminKey = `sk-pen-bench-${randomBytes(32).toString('hex')}`;
const children = new Set();
process.on('exit', () => { for (const child of children) child.kill('SIGKILL'); });

const dynamo = await freePort();
start(emulator, ['--host', '127.0.0.1', '--port', String(dynamo)], { PATH: process.env.PATH });
await reachable(dynamo);
// The first start makes the tables, and is not counted: in AWS a template makes them.
await lambda();
const ours = [];
const ourCpu = [];
const nodeCpu = [];
const warm = [];
const node = [];
for (let i = 0; i < runs; i++) {
  const seen = await lambda();
  ours.push(seen.first);
  warm.push(seen.next);
  ourCpu.push(seen.cpu);
  const plain = await hello();
  node.push(plain.took);
  nodeCpu.push(plain.cpu);
}

const line = (name, list) => `${name.padEnd(34)} p50 ${quantile(list, 0.5).toFixed(0).padStart(5)} ms   p95 ${quantile(list, 0.95).toFixed(0).padStart(5)} ms`;
console.log(`${runs} cold starts, ${os.cpus().length} processors, load ${os.loadavg()[0].toFixed(1)}`);
console.log(line('Penstock.Lambda, to first answer', ours));
console.log(line('  of that, processor time', ourCpu));
console.log(line('  the second answer', warm));
console.log(line("Node's http hello, to first answer", node));
console.log(line('  of that, processor time', nodeCpu));
console.log(`ratio of the p50s: ${(quantile(ours, 0.5) / quantile(node, 0.5)).toFixed(1)}; limit of the p95: ${limit} ms`);
process.exit(quantile(ours, 0.95) <= limit ? 0 : 1);

/** One process behind a Runtime API of its own: a request for the models, then a second one. */
async function lambda() {
  const event = JSON.stringify({
    version: '2.0', rawPath: '/v1/models', rawQueryString: '', headers: { authorization: `Bearer ${adminKey}` },
    requestContext: { stage: '$default', domainName: 'a.lambda-url.us-east-1.on.aws', http: { method: 'GET', path: '/v1/models', sourceIp: '192.0.2.7' } }, isBase64Encoded: false,
  });
  const data = fs.mkdtempSync(path.join(os.tmpdir(), 'penstock-cold-'));
  const times = [];
  let done;
  let fail;
  const finished = new Promise((resolve, reject) => { done = resolve; fail = reject; });
  let sent;
  let cpu;
  const api = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      if (request.url.endsWith('/next')) {
        if (times.length === 2) return done();
        sent = performance.now();
        response.writeHead(200, { 'Lambda-Runtime-Aws-Request-Id': `id-${times.length}`, 'Lambda-Runtime-Deadline-Ms': String(Date.now() + 60_000), 'content-type': 'application/json' });
        return response.end(event);
      }

      times.push(performance.now());
      cpu ??= processorTime(child.pid);
      if (!/"statusCode":200/.test(body)) fail(new Error(`${request.url}: ${body.slice(0, 500)}`));
      response.writeHead(202);
      return response.end('{}');
    });
  });
  await new Promise((resolve) => api.listen(0, '127.0.0.1', resolve));
  const begun = performance.now();
  const child = start(path.resolve(folder, 'bootstrap'), [], {
    PATH: process.env.PATH, HOME: data, TMPDIR: data, AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${api.address().port}`,
    PENSTOCK_STORE: 'dynamodb', DYNAMODB_ENDPOINT: `http://127.0.0.1:${dynamo}`, AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', PENSTOCK_ADMIN_KEY: adminKey,
  }, path.resolve(folder));
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { said = (said + text).slice(-4_000); });
  child.on('exit', (code) => fail(new Error(`the function ended with ${code}:\n${said}`)));
  try {
    await finished;
    return { first: times[0] - begun, next: times[1] - sent, cpu };
  } finally {
    child.removeAllListeners('exit');
    await stop(child);
    api.close();
    api.closeAllConnections();
    fs.rmSync(data, { recursive: true, force: true });
  }
}

/** Node with as little as a server can be. */
async function hello() {
  const port = await freePort();
  const begun = performance.now();
  const child = start(process.execPath, ['-e', `require('http').createServer((q, r) => r.end('hello')).listen(${port}, '127.0.0.1')`], { PATH: process.env.PATH });
  while (!(await answers(port))) await new Promise((resolve) => setTimeout(resolve, 1));
  const took = performance.now() - begun;
  const cpu = processorTime(child.pid);
  await stop(child);
  return { took, cpu };
}

/** Of all threads so far, in ms; what else runs on the machine is not in it. */
function processorTime(pid) {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function answers(port) {
  return new Promise((resolve) => {
    http.get({ host: '127.0.0.1', port, agent: false }, (answer) => answer.resume().on('end', () => resolve(true))).on('error', () => resolve(false));
  });
}

function start(program, args, env, cwd) {
  const child = spawn(program, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  child.stdout.resume();
  child.stderr.resume();
  return child;
}

function stop(child) {
  return new Promise((resolve) => {
    child.once('exit', () => { children.delete(child); resolve(); });
    child.kill('SIGKILL');
  });
}

async function reachable(port) {
  for (let i = 0; i < 500; i++) {
    const open = await new Promise((resolve) => {
      const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
      socket.on('error', () => resolve(false));
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`nothing listens on ${port}`);
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().on('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function quantile(list, q) {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)];
}
