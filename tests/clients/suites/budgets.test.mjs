// Budgets, as official clients meet them: held before a call, settled once, and 402 where they do not reach.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import Anthropic from '@anthropic-ai/sdk';
import { start, serverOnly } from '../harness.mjs';

const GPT = 'gpt-4o-mini';
const CLAUDE = 'claude-haiku-4-5';

describe('budgets', serverOnly, () => {
  let session;
  before(async () => {
    session = await start();
  });
  after(() => session?.stop());

  const keyWith = (monthlyBudget) => session.createKey({ scopes: ['ai:complete', 'ai:embed'], monthlyBudget, requestsPerSecond: 1_000_000, burst: 1_000_000 });
  const budget = async (key) => (await fetch(`${session.url}/v1/usage/budget`, { headers: { authorization: `Bearer ${key}` } })).json();
  const usage = async (key) => (await fetch(`${session.url}/v1/usage`, { headers: { authorization: `Bearer ${key}` } })).json();
  const upstreamCalls = async () => (await session.seen()).length;
  const put = (body, key = session.adminKey) => fetch(`${session.url}/v1/usage/budget`, { method: 'PUT', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, body: JSON.stringify(body) });

  test('a spent one is a 402 that says which, how much and until when, and is not tried again', async () => {
    const { apiKey, keyId } = await keyWith(0.000001);
    const before = await upstreamCalls();
    let sent = 0;
    const client = new OpenAI({ apiKey, baseURL: session.openaiBase, maxRetries: 2, fetch: (...request) => { sent++; return fetch(...request); } });

    const error = await client.chat.completions.create({ model: GPT, max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] }).then(() => assert.fail('it was answered'), (e) => e);

    assert.ok(error instanceof OpenAI.APIError, String(error));
    assert.equal(error.status, 402);
    assert.equal(error.code, 'budget_exceeded');
    assert.equal(error.type, 'insufficient_quota');
    assert.match(error.message, new RegExp(`monthly budget of key '${keyId}'.*of 0\\.000001 USD spent.*resets on \\d{4}-\\d{2}-01`));
    assert.equal(sent, 1, 'it was tried again');
    assert.equal(await upstreamCalls(), before);
    assert.equal((await usage(apiKey)).requests, 0);
  });

  test("a spent one is Anthropic's billing_error", async () => {
    const { apiKey } = await keyWith(0.000001);
    const client = new Anthropic({ apiKey, baseURL: session.anthropicBase, maxRetries: 0 });

    const error = await client.messages.create({ model: CLAUDE, max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] }).then(() => assert.fail('it was answered'), (e) => e);

    assert.equal(error.status, 402);
    assert.equal(error.error.error.type, 'billing_error');
  });

  test('64 calls at once never pass it, and what they cost is what is spent', async () => {
    const { apiKey } = await keyWith(0.002);
    const client = new OpenAI({ apiKey, baseURL: session.openaiBase, maxRetries: 0 });

    const outcomes = await Promise.all(Array.from({ length: 64 }, async (_, i) => {
      try {
        const options = { model: GPT, max_tokens: 400, messages: [{ role: 'user', content: `Say something about ${i}` }] };
        if (i % 2) return (await client.chat.completions.create(options)) && 200;
        for await (const chunk of await client.chat.completions.create({ ...options, stream: true })) assert.ok(chunk);
        return 200;
      } catch (e) {
        return e.status;
      }
    }));

    const stands = await budget(apiKey);
    assert.ok(outcomes.includes(200) && outcomes.includes(402), outcomes.join());
    assert.deepEqual(outcomes.filter((status) => status !== 200 && status !== 402), []);
    assert.equal(stands.held, 0);
    assert.ok(stands.spent <= stands.limit);
    assert.equal(stands.spent, (await usage(apiKey)).totalCost);
    assert.equal((await usage(apiKey)).requests, outcomes.filter((status) => status === 200).length);
  });

  test('a call that sets no size is cut down to what is left', async () => {
    const { apiKey } = await keyWith(0.0005);
    const client = new OpenAI({ apiKey, baseURL: session.openaiBase, maxRetries: 0 });

    const { data, response } = await client.chat.completions.create({ model: GPT, messages: [{ role: 'user', content: 'Hello' }] }).withResponse();

    assert.equal(data.choices[0].finish_reason, 'stop');
    const sent = (await session.seen()).at(-1);
    const cap = JSON.parse(sent.body).max_tokens;
    assert.ok(cap > 64 && cap * 0.0000006 <= 0.0005, `max_tokens ${cap}`);
    const left = Number(response.headers.get('x-penstock-budget-remaining-usd'));
    assert.equal(left, (await budget(apiKey)).remaining);
  });

  test('an admin changes one for the next call, and nobody else does', async () => {
    const { apiKey, keyId } = await keyWith(0.000001);
    const client = new OpenAI({ apiKey, baseURL: session.openaiBase, maxRetries: 0 });
    const ask = () => client.chat.completions.create({ model: GPT, max_tokens: 10, messages: [{ role: 'user', content: 'Hello' }] });
    const raise = { scope: 'key', name: keyId, limit: 1 };

    await assert.rejects(ask(), { status: 402 });
    assert.equal((await put(raise, apiKey)).status, 403);
    await assert.rejects(ask(), { status: 402 });
    assert.equal((await put(raise)).status, 200);

    assert.ok(await ask());
    assert.equal((await budget(apiKey)).limit, 1);
  });

  test('what costs nothing needs none', async () => {
    const { apiKey } = await keyWith(0);
    const client = new OpenAI({ apiKey, baseURL: session.openaiBase, maxRetries: 0 });

    assert.ok(await client.chat.completions.create({ model: 'local', messages: [{ role: 'user', content: 'Water flows.' }] }));
    await assert.rejects(client.embeddings.create({ model: 'text-embedding-3-small', input: 'text' }), { status: 402 });
  });
});
