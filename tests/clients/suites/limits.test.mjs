// Limits, as official clients meet them: a typed error, headers on every answer, and a wait as long as they are told.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI, { RateLimitError } from 'openai';
import Anthropic, { RateLimitError as AnthropicRateLimitError } from '@anthropic-ai/sdk';
import { serverOnly, start, until } from '../harness.mjs';

const GPT = 'gpt-4o-mini';
const CLAUDE = 'claude-haiku-4-5';

describe('limits', serverOnly, () => {
  let session;
  before(async () => {
    session = await start();
  });
  after(() => session?.stop());

  const keyWith = async (fields) => (await session.createKey({ scopes: ['ai:complete', 'ai:embed'], ...fields })).apiKey;
  const dialects = {
    openai: {
      Limited: RateLimitError,
      client: (apiKey, more) => new OpenAI({ apiKey, baseURL: session.openaiBase, maxRetries: 0, ...more }),
      ask: (client, content = 'Hello', more = {}) => client.chat.completions.create({ model: GPT, max_tokens: 50, messages: [{ role: 'user', content }], ...more }),
      header: (kind, of) => `x-ratelimit-${kind}-${of}`,
      reset: /^([0-9]+h)?([0-9]+m)?[0-9.]+s$|^[0-9]+ms$/,
      code: (error) => error.code,
      says: 'rate_limit_exceeded',
    },
    anthropic: {
      Limited: AnthropicRateLimitError,
      client: (apiKey, more) => new Anthropic({ apiKey, baseURL: session.anthropicBase, maxRetries: 0, ...more }),
      ask: (client, content = 'Hello', more = {}) => client.messages.create({ model: CLAUDE, max_tokens: 50, messages: [{ role: 'user', content }], ...more }),
      header: (kind, of) => `anthropic-ratelimit-${of}-${kind}`,
      reset: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
      code: (error) => error.error.error.type,
      says: 'rate_limit_error',
    },
  };

  for (const [name, { Limited, client, ask, header, reset, code, says }] of Object.entries(dialects)) {
    describe(`${name} SDK`, () => {
      for (const stream of [false, true]) {
        test(`the headers of ${stream ? 'a stream' : 'an answer'}`, async () => {
          const apiKey = await keyWith({ requestsPerSecond: 0.01, burst: 5, tokensPerMinute: 100_000 });
          const { response } = await ask(client(apiKey), 'Hello', { stream }).withResponse();
          assert.equal(response.headers.get(header('limit', 'requests')), '5');
          assert.equal(response.headers.get(header('remaining', 'requests')), '4');
          assert.match(response.headers.get(header('reset', 'requests')), reset);
          assert.equal(response.headers.get(header('limit', 'tokens')), '100000');
          const left = Number(response.headers.get(header('remaining', 'tokens')));
          assert.ok(left < 100_000 && left > 99_000, `${left} left`);
          assert.match(response.headers.get(header('reset', 'tokens')), reset);
        });

        test(`beyond the burst ${stream ? 'a stream' : 'a call'} is a typed error that says when to come back`, async () => {
          const apiKey = await keyWith({ requestsPerSecond: 0.02, burst: 1 });
          await ask(client(apiKey));
          const error = await ask(client(apiKey), 'Hello', { stream }).then(() => assert.fail('it was answered'), (e) => e);
          assert.ok(error instanceof Limited, String(error));
          assert.equal(code(error), says);
          assert.match(error.message, /may send 0\.02 requests a second \(burst 1\)\. The next one passes in (49|50)\.\d\d s/);
          assert.ok(['49', '50'].includes(error.headers.get('retry-after')));
          assert.ok(Number(error.headers.get('retry-after-ms')) > 48_000);
          assert.equal(error.headers.get(header('remaining', 'requests')), '0');
        });
      }

      test('it waits as it is told, and then passes at once', async () => {
        const apiKey = await keyWith({ requestsPerSecond: 1 / 3, burst: 1 });
        await ask(client(apiKey));
        const tries = [];
        const watched = async (...request) => {
          const at = performance.now();
          const answer = await fetch(...request);
          tries.push({ at, answered: performance.now(), status: answer.status, wait: Number(answer.headers.get('retry-after-ms')) });
          return answer;
        };
        await ask(client(apiKey, { maxRetries: 1, fetch: watched }));
        // Without a word from us they come back within a second, and are refused again.
        assert.deepEqual(tries.map(({ status }) => status), [429, 200]);
        const [refused, passed] = tries;
        assert.ok(refused.wait > 1_000, `told to wait ${refused.wait} ms`);
        assert.ok(passed.at - refused.answered >= refused.wait - 5, `told to wait ${refused.wait} ms, it waited ${passed.at - refused.answered} ms`);
      });

      test('one call in flight: the second is refused, and passes when the first is over or its client has left', async () => {
        const apiKey = await keyWith({ concurrency: 1 });
        const running = await ask(client(apiKey), '[[slow:tokens=200:ms=50]]', { stream: true });
        const refused = await ask(client(apiKey)).then(() => assert.fail('it was answered'), (e) => e);
        assert.ok(refused instanceof Limited, String(refused));
        assert.match(refused.message, /may have 1 calls in flight at once/);
        running.controller.abort();
        await until(() => ask(client(apiKey)), 3_000);
        // One after another, none meets the one before.
        for (let i = 0; i < 20; i++) for await (const event of await ask(client(apiKey), 'Hello', { stream: true })) assert.ok(event);
      });

      test('tokens a minute: what a call may need is taken, and what it did not use comes back', async () => {
        const apiKey = await keyWith({ tokensPerMinute: 1_000 });
        const running = await ask(client(apiKey), '[[slow:tokens=200:ms=50]]', { stream: true, max_tokens: 700 });
        const refused = await ask(client(apiKey), 'Hello', { max_tokens: 700 }).then(() => assert.fail('it was answered'), (e) => e);
        assert.ok(refused instanceof Limited, String(refused));
        assert.match(refused.message, /may use 1000 tokens a minute, and this call may need 7\d\d/);
        running.controller.abort();
        await until(() => ask(client(apiKey), 'Hello', { max_tokens: 700 }), 3_000);
      });
    });
  }

  test('embeddings and tasks show the same headers', async () => {
    const apiKey = await keyWith({ requestsPerSecond: 0.01, burst: 9, tokensPerMinute: 10_000 });
    const answers = [
      await session.post('/v1/embeddings', { model: 'text-embedding-3-small', input: 'Hello' }, apiKey),
      await session.post('/v1/embed', { model: 'text-embedding-3-small', input: 'Hello' }, apiKey),
      await session.post('/v1/classify', { model: 'local', text: 'great', labels: ['good', 'bad'] }, apiKey),
      await session.post('/v1/complete', { model: 'local', messages: [{ role: 'user', content: 'Hello' }] }, apiKey),
    ];
    assert.deepEqual(answers.map((answer) => answer.headers.get('x-ratelimit-remaining-requests')), ['8', '7', '6', '5']);
    for (const answer of answers) assert.ok(Number(answer.headers.get('x-ratelimit-remaining-tokens')) < 10_000);
  });
});
