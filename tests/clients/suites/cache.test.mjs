// Answers given again, as official clients meet them: from the cache, and under an Idempotency-Key.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import Anthropic from '@anthropic-ai/sdk';
import { serverOnly, start, until } from '../harness.mjs';

const GPT = 'gpt-4o-mini';
const CLAUDE = 'claude-haiku-4-5';
const ON = { 'x-penstock-cache': 'on' };

describe('answers given again', serverOnly, () => {
  let session;
  before(async () => {
    session = await start();
  });
  after(() => session?.stop());

  const openai = (options = {}) => new OpenAI({ baseURL: session.openaiBase, apiKey: session.key, maxRetries: 0, ...options });
  const anthropic = (options = {}) => new Anthropic({ baseURL: session.anthropicBase, apiKey: session.anthropicKey, maxRetries: 0, ...options });
  const question = (content, more = {}) => ({ model: GPT, messages: [{ role: 'user', content }], ...more });
  const message = (content, more = {}) => ({ model: CLAUDE, max_tokens: 100, messages: [{ role: 'user', content }], ...more });

  /** The bytes of an answer, and what its headers say. */
  const raw = async (route, body, headers) => {
    const answer = await fetch(session.url + route, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${session.key}`, ...headers }, body: JSON.stringify(body) });
    return { status: answer.status, bytes: Buffer.from(await answer.arrayBuffer()), headers: answer.headers };
  };
  const seen = async (work) => {
    await session.forget();
    const result = await work();
    return { result, calls: (await session.seen()).length };
  };

  for (const [route, body] of [
    ['/v1/chat/completions', question('one', { stream: true, stream_options: { include_usage: true } })],
    ['/v1/chat/completions', question('two')],
    ['/v1/messages', message('three', { stream: true })],
    ['/v1/messages', message('four')],
    ['/v1/embeddings', { model: 'text-embedding-3-small', input: ['five', 'six'], encoding_format: 'base64' }],
  ]) {
    test(`a hit is the first answer byte for byte: ${route}${body.stream ? ', streamed' : ''}`, async () => {
      const { result: [first, second], calls } = await seen(async () => {
        const made = await raw(route, body, ON);
        let again;
        await until(async () => {
          again = await raw(route, body, ON);
          assert.equal(again.headers.get('x-penstock-cache'), 'hit');
        }, 5_000);
        return [made, again];
      });
      assert.deepEqual([first.status, first.headers.get('x-penstock-cache'), calls], [200, 'miss', 1]);
      assert.ok(first.bytes.equals(second.bytes), 'the bytes differ');
      assert.equal(first.headers.get('content-type'), second.headers.get('content-type'));
      assert.match(second.headers.get('age'), /^\d+$/);
    });
  }

  test('the OpenAI SDK reads a cached stream as it read the first', async () => {
    const client = openai({ defaultHeaders: ON });
    const read = async () => {
      const chunks = [];
      for await (const chunk of await client.chat.completions.create(question('read me', { stream: true }))) chunks.push(chunk);
      return chunks;
    };
    const { result: [first, second], calls } = await seen(async () => [await read(), await read()]);
    assert.deepEqual(second, first);
    assert.equal(calls, 1);
  });

  test('the Anthropic SDK reads a cached stream as it read the first', async () => {
    const client = anthropic({ defaultHeaders: ON });
    const read = () => client.messages.stream(message('read me')).finalMessage();
    const { result: [first, second], calls } = await seen(async () => [await read(), await read()]);
    assert.deepEqual(second.content, first.content);
    assert.equal(second.id, first.id);
    assert.equal(calls, 1);
  });

  test('64 identical calls at once are one call upstream', async () => {
    const client = openai({ defaultHeaders: ON });
    const own = await session.createKey({ scopes: ['ai:complete'], requestsPerSecond: 1_000_000, burst: 1_000_000 });
    const { result: answers, calls } = await seen(() => Promise.all(Array.from({ length: 64 }, () => client.chat.completions.create(question('all at once'), { headers: { authorization: `Bearer ${own.apiKey}` } }))));
    assert.equal(calls, 1);
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
    const usage = await (await fetch(`${session.url}/v1/usage/attempts?limit=100&key=${own.keyId}`, { headers: { authorization: `Bearer ${session.adminKey}` } })).json();
    assert.equal(usage.attempts.length, 64);
    assert.equal(usage.attempts.filter(({ cost }) => cost > 0).length, 1);
  });

  test("the OpenAI SDK's Idempotency-Key", async () => {
    const client = openai();
    const named = { headers: { 'Idempotency-Key': 'openai 1' } };
    const { result: [first, second], calls } = await seen(async () => [await client.chat.completions.create(question('named'), named), await client.chat.completions.create(question('named'), named)]);
    assert.deepEqual(second, first);
    assert.equal(calls, 1);
    const error = await client.chat.completions.create(question('another'), named).then(() => assert.fail('it was answered'), (e) => e);
    assert.deepEqual([error.status, error.code], [422, 'idempotency_key_reused']);
  });

  test("the Anthropic SDK's Idempotency-Key, streamed", async () => {
    const client = anthropic();
    const named = { headers: { 'Idempotency-Key': 'anthropic 1' } };
    const read = () => client.messages.stream(message('named'), named).finalMessage();
    const { result: [first, second], calls } = await seen(async () => [await read(), await read()]);
    assert.deepEqual([second.id, second.content, calls], [first.id, first.content, 1]);
    const error = await client.messages.create(message('another'), named).then(() => assert.fail('it was answered'), (e) => e);
    assert.deepEqual([error.status, error.error.error.type], [422, 'invalid_request_error']);
  });
});
