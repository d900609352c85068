// Penstock's own routes, by real curl: the documented examples word for word, but for host and key.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { serverOnly, start } from '../harness.mjs';

const run = promisify(execFile);
let session;
before(async () => { if (!serverOnly.skip) session = await start(); });
after(() => session?.stop());

/** Runs a command line as a shell would, with the test's host in place of the example's; gives status, headers and body. */
async function shell(command, host, more = '') {
  const line = `${command.replaceAll(host, session.url)} ${more} --silent --show-error --include --max-time 20`;
  const { stdout } = await run('bash', ['-c', line], { maxBuffer: 4 << 20, env: { ...process.env, no_proxy: '*' } });
  const at = stdout.indexOf('\r\n\r\n');
  const [status, ...headers] = stdout.slice(0, at).split('\r\n');
  const text = stdout.slice(at + 4);
  return { status: Number(status.split(' ')[1]), headers: headers.join('\n').toLowerCase(), text, get body() { return JSON.parse(text); } };
}

const bearer = (key = session.key) => `-H "Authorization: Bearer ${key}"`;

describe('native routes', serverOnly, () => {
  test('health needs no key', async () => {
    for (const route of ['/health', '/v1/health']) {
      const answer = await shell(`curl https://your-api-endpoint${route}`, 'https://your-api-endpoint');
      assert.equal(answer.status, 200, route);
    }
  });

  test('an admin creates a key; nobody else does', async () => {
    const example = `curl -X POST https://your-api-endpoint/v1/auth/keys \\
-H "Content-Type: application/json" \\
-d '{
"name": "Test Key",
"scopes": ["ai:complete", "ai:embed", "agent:run"],
"monthlyBudget": 50
}'`;
    const host = 'https://your-api-endpoint';
    assert.equal((await shell(example, host)).status, 401);
    assert.equal((await shell(example, host, bearer())).status, 403);
    const made = await shell(example, host, bearer(session.adminKey));
    assert.equal(made.status, 201);
    assert.match(made.body.apiKey, /^sk-pen-/);
    assert.ok(made.body.keyId && made.body.apiKey.includes(made.body.keyId));
  });

  test('the haiku', async () => {
    const example = `curl -X POST https://your-api-endpoint/v1/complete \\
-H "Authorization: Bearer sk-proj-abc123..." \\
-H "Content-Type: application/json" \\
-d '{
"messages": [{"role": "user", "content": "Write a haiku about TypeScript"}],
"model": "gpt-4",
"temperature": 0.8
}'`;
    const { status, headers, body } = await session.booked(() => shell(example.replace('sk-proj-abc123...', session.key), 'https://your-api-endpoint'));
    assert.equal(status, 200);
    assert.match(headers, /^x-request-id: /m);
    assert.ok(body.id);
    assert.equal(body.content, 'You said: Write a haiku about TypeScript');
    assert.equal(body.model, 'gpt-4');
    assert.equal(body.provider, 'openai');
    assert.ok(body.usage.inputTokens > 0 && body.usage.outputTokens > 0);
    assert.equal(body.usage.totalTokens, body.usage.inputTokens + body.usage.outputTokens);
    // USD 30 and 60 per million tokens.
    assert.ok(Math.abs(body.usage.cost - (body.usage.inputTokens * 30 + body.usage.outputTokens * 60) / 1e6) < 1e-9, `cost ${body.usage.cost}`);
    assert.ok(body.latencyMs >= 0);
    const [call] = await session.seen();
    const sent = JSON.parse(call.body);
    assert.equal(sent.model, 'gpt-4');
    assert.equal(sent.temperature, 0.8);
    assert.deepEqual(sent.messages, [{ role: 'user', content: 'Write a haiku about TypeScript' }]);
  });

  test('complete: system prompt and output cap, on either vendor', async () => {
    for (const model of ['gpt-4o-mini', 'claude-haiku-4-5']) {
      const messages = [{ role: 'user', content: 'one two three' }];
      const answer = await session.booked(() => session.post('/v1/complete', { messages, model, systemPrompt: 'Be brief.' }));
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.body.content, 'You said: one two three (system: Be brief.)');
      const capped = await session.booked(() => session.post('/v1/complete', { messages, model, maxTokens: 3 }));
      assert.equal(capped.body.content, 'You said: one');
      assert.equal(capped.body.usage.outputTokens, 3);
    }
  });

  test('stream: events of text, usage in the last, then [DONE]', async () => {
    for (const model of ['gpt-4o-mini', 'claude-haiku-4-5']) {
      const body = JSON.stringify({ messages: [{ role: 'user', content: 'one two three' }], model });
      const { status, headers, text } = await session.booked(() => shell(`curl -X POST http://host/v1/stream ${bearer()} -H "Content-Type: application/json" -d '${body}'`, 'http://host'));
      assert.equal(status, 200, text);
      assert.match(headers, /content-type: text\/event-stream/);
      assert.ok(text.endsWith('data: [DONE]\n\n'), JSON.stringify(text.slice(-200)));
      const events = text.split('\n').filter((line) => line.startsWith('data: {')).map((line) => JSON.parse(line.slice(6)));
      assert.ok(events.length > 3, 'it did not stream');
      const { usage } = events.at(-1);
      assert.ok(usage?.inputTokens > 0 && usage.outputTokens > 0 && usage.cost > 0, JSON.stringify(events.at(-1)));
      assert.ok(events.slice(0, -1).every((event) => !event.usage), 'usage before the last event');
      for (const word of ['one', 'two', 'three']) assert.ok(text.includes(word));
    }
  });

  test('embed: a hundred inputs in order', async () => {
    const input = Array.from({ length: 100 }, (_, i) => `text ${i}`);
    const answer = await session.booked(() => session.post('/v1/embed', { input, model: 'text-embedding-3-small' }));
    assert.equal(answer.status, 200, answer.text.slice(0, 300));
    const one = await session.post('/v1/embed', { input: 'text 42', model: 'text-embedding-3-small' });
    const vectors = answer.body.embeddings;
    assert.equal(vectors?.length, 100, `members: ${Object.keys(answer.body)}`);
    assert.deepEqual(vectors[42], one.body.embeddings[0]);
    assert.notDeepEqual(vectors[41], vectors[42]);
  });

  const QUERIES = {
    standard: `curl -X POST https://your-api-id.execute-api.us-east-1.amazonaws.com/ai \\
  -H "Content-Type: application/json" \\
  -d '{
    "prompt": "Write a Terraform module for an S3 bucket with versioning and encryption",
    "model": "standard"
  }'`,
    fast: `curl -X POST https://your-api-id.execute-api.us-east-1.amazonaws.com/ai \\
  -H "Content-Type: application/json" \\
  -d '{
    "prompt": "What is the kubectl command to check pod logs?",
    "model": "fast"
  }'`,
  };

  for (const [tier, example] of Object.entries(QUERIES)) {
    test(`ai: the ${tier} query`, async () => {
      const { status, body, headers } = await session.booked(() => shell(example, 'https://your-api-id.execute-api.us-east-1.amazonaws.com', bearer()));
      assert.equal(status, 200);
      assert.match(headers, /content-type: application\/json/);
      const prompt = /"prompt": "([^"]+)"/.exec(example)[1];
      assert.ok(body.answer.includes(prompt), body.answer);
      assert.ok(body.answer.includes('You are a helpful DevOps assistant.'), 'the default system prompt is kept');
      assert.equal(body.model, tier);
      assert.ok(Number.isInteger(body.tokens.input) && body.tokens.input > 0);
      assert.ok(Number.isInteger(body.tokens.output) && body.tokens.output > 0);
      assert.deepEqual(Object.keys(body).toSorted(), ['answer', 'model', 'tokens']);
    });
  }

  test('ai: a system prompt of the caller\'s own; no model means standard; an unknown tier falls back to it', async () => {
    const own = await session.post('/ai', { prompt: 'hello', system: 'Be brief.' });
    assert.equal(own.body.model, 'standard');
    assert.match(own.body.answer, /Be brief\./);
    assert.doesNotMatch(own.body.answer, /DevOps/);
    const unknown = await session.post('/ai', { prompt: 'hello', model: 'x' });
    assert.equal(unknown.status, 200, unknown.text);
    assert.equal(unknown.body.model, 'standard');
  });

  test('ai: without a prompt, exactly this', async () => {
    for (const body of ['{}', '{"prompt":""}', '{"prompt":null,"model":"fast"}']) {
      const answer = await session.post('/ai', body);
      assert.equal(answer.status, 400);
      assert.deepEqual(answer.body, { error: 'prompt is required' });
      assert.equal(answer.text.replaceAll(/\s/g, ''), '{"error":"promptisrequired"}');
    }
  });

  test('ai: needs a key, and a failure tells nothing of the inside', async () => {
    assert.equal((await session.post('/ai', { prompt: 'hello' }, '')).status, 401);
    const failed = await session.post('/ai', { prompt: 'hello [[status:500]]' });
    assert.ok(failed.status >= 500, `${failed.status}`);
    assert.equal(typeof failed.body.error, 'string');
    assert.doesNotMatch(failed.text, /Exception|\bat \w+\.|sk-|127\.0\.0\.1/);
  });

  test('errors elsewhere are problem details with a code and the request', async () => {
    const cases = [
      [400, await session.post('/v1/complete', { model: 'gpt-4o-mini' })],
      [400, await session.post('/v1/complete', '{"messages": [')],
      [401, await session.post('/v1/complete', { messages: [{ role: 'user', content: 'hello' }], model: 'gpt-4o-mini' }, 'sk-wrong')],
      [404, await session.post('/v1/complete', { messages: [{ role: 'user', content: 'hello' }], model: 'nonesuch' })],
    ];
    for (const [status, answer] of cases) {
      assert.equal(answer.status, status, answer.text);
      assert.match(answer.headers.get('content-type'), /^application\/problem\+json/);
      assert.equal(answer.body.status, status);
      assert.ok(answer.body.code && answer.body.detail);
      assert.equal(answer.body.request_id, answer.headers.get('x-request-id'));
    }
  });
});
