// The OpenAI SDK and OpenAI's own models: bytes pass through, and what only this dialect knows works.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI, { BadRequestError, NotFoundError, RateLimitError } from 'openai';
import { direct, serverOnly, start, until } from '../harness.mjs';
import { all, openaiCases, textOf } from '../cases/openai.mjs';

const MODEL = 'gpt-4o-mini';
let session;
before(async () => { session = await start(); });
after(() => session?.stop());

const client = (options = {}) => new OpenAI({ baseURL: session.openaiBase, apiKey: session.key, maxRetries: 0, ...options });
const ask = (content, more = {}) => client().chat.completions.create({ model: MODEL, messages: [{ role: 'user', content }], ...more });

describe(`openai SDK, ${MODEL}`, () => {
  openaiCases(() => session, MODEL);

  test('several choices, whole and streamed', async () => {
    const whole = await session.booked(() => ask('hello', { n: 2 }));
    assert.deepEqual(whole.choices.map((choice) => choice.message.content), ['You said: hello', 'You said: hello (choice 1)']);
    const chunks = await session.booked(async () => all(await ask('hello', { n: 2, stream: true })));
    for (const index of [0, 1]) {
      const own = chunks.filter((chunk) => chunk.choices[0]?.index === index);
      assert.equal(textOf(own), whole.choices[index].message.content);
      assert.equal(own.at(-1).choices[0].finish_reason, 'stop');
    }
  });

  test('logprobs, whole and streamed', async () => {
    const whole = await ask('hello', { logprobs: true, top_logprobs: 2, seed: 7 });
    assert.deepEqual(whole.choices[0].logprobs.content.map((entry) => entry.token), ['You', ' said:', ' hello']);
    assert.equal(whole.choices[0].logprobs.content[0].top_logprobs.length, 2);
    const chunks = await all(await ask('hello', { logprobs: true, stream: true }));
    assert.deepEqual(chunks.flatMap((chunk) => chunk.choices[0]?.logprobs?.content ?? []).map((entry) => entry.token), ['You', ' said:', ' hello']);
  });

  test('json_object, and a refusal', async () => {
    const answer = await ask('hello as json', { response_format: { type: 'json_object' } });
    assert.deepEqual(JSON.parse(answer.choices[0].message.content), { said: 'hello as json' });
    const refused = await ask('hello [[refuse]]');
    assert.equal(refused.choices[0].message.refusal, 'I cannot help with that.');
    assert.equal(refused.choices[0].message.content, null);
  });

  test('fields of the answer that nobody knows yet are kept', async () => {
    const answer = await ask('hello [[unknown-event]]');
    assert.equal(answer.added_later, 'kept');
    assert.equal(answer.system_fingerprint, 'fp_standin');
  });

  test('a spent quota of the vendor is not retried', async () => {
    await session.forget();
    const failed = await ask('hello [[insufficient_quota]]', {}).then(() => assert.fail('it was answered'), (e) => e);
    if (direct) assert.ok(failed instanceof RateLimitError);
    assert.equal((await session.seen()).length, 1);
    if (!direct) {
      await session.forget();
      const patient = client({ maxRetries: 2 });
      await assert.rejects(patient.chat.completions.create({ model: MODEL, messages: [{ role: 'user', content: 'hello [[insufficient_quota]]' }] }));
      assert.equal((await session.seen()).length, 1, 'the SDK was let to retry what cannot pass');
    }
  });

  test('a zero the vendor reports is a zero', async () => {
    const { usage } = await session.booked(() => ask('hello [[zero-usage]]'));
    assert.equal(usage.total_tokens, 0);
  });

  test('missing usage is estimated, never booked at nothing', serverOnly, async () => {
    await session.withOwnKey(async () => {
      await ask('hello there [[no-usage]]');
      await until(async () => {
        const usage = await session.usage();
        assert.equal(usage.requests, 1);
        assert.ok(usage.inputTokens > 0 && usage.outputTokens > 0 && usage.totalCost > 0, JSON.stringify(usage));
      }, 2_000);
    });
  });

  test('embeddings: the default encoding gives the same vector as floats', async () => {
    const input = ['first', 'second 東京'];
    const model = 'text-embedding-3-small';
    const packed = await session.booked(() => client().embeddings.create({ model, input }));
    assert.equal(JSON.parse((await session.seen()).at(-1).body).encoding_format, 'base64');
    const plain = await session.booked(() => client().embeddings.create({ model, input, encoding_format: 'float' }));
    assert.deepEqual(packed.data.map((item) => item.index), [0, 1]);
    for (const i of [0, 1]) {
      assert.equal(packed.data[i].embedding.length, 1_536);
      assert.deepEqual(packed.data[i].embedding, plain.data[i].embedding.map(Math.fround));
      assert.ok(Math.abs(packed.data[i].embedding.reduce((sum, x) => sum + x * x, 0) - 1) < 1e-4);
    }
    assert.notDeepEqual(packed.data[0].embedding, packed.data[1].embedding);
    assert.ok(packed.usage.prompt_tokens > 0 && packed.usage.total_tokens === packed.usage.prompt_tokens);
  });

  test('embeddings: dimensions, one text, a hundred in order', async () => {
    const model = 'text-embedding-3-small';
    const one = await session.booked(() => client().embeddings.create({ model, input: 'text 42', dimensions: 64 }));
    assert.equal(one.data[0].embedding.length, 64);
    const many = await session.booked(() => client().embeddings.create({ model, input: Array.from({ length: 100 }, (_, i) => `text ${i}`), dimensions: 64 }));
    assert.equal(many.data.length, 100);
    assert.deepEqual(many.data.map((item) => item.index), Array.from({ length: 100 }, (_, i) => i));
    assert.deepEqual(many.data[42].embedding, one.data[0].embedding);
  });

  test('embeddings: errors are typed', async () => {
    await assert.rejects(client().embeddings.create({ model: 'text-embedding-nonesuch', input: 'x' }), NotFoundError);
    await assert.rejects(client().embeddings.create({ model: 'text-embedding-3-small', input: [] }), (e) => e instanceof BadRequestError && /input/.test(e.message));
    await assert.rejects(client().embeddings.create({ model: 'text-embedding-3-small', input: 'x [[status:429:retry-after=1]]' }), RateLimitError);
  });

  test('models are listed and found by name', async () => {
    const names = (await all(await client().models.list())).map((model) => model.id);
    assert.ok(names.includes(MODEL));
    if (!direct) assert.ok(names.includes('claude-haiku-4-5'));
    const one = await client().models.retrieve(MODEL);
    assert.equal(one.id, MODEL);
    assert.equal(one.object, 'model');
    await assert.rejects(client().models.retrieve('nonesuch'), NotFoundError);
  });

  test('every answer names its request', async () => {
    const { response } = await client().chat.completions.create({ model: MODEL, messages: [{ role: 'user', content: 'hello' }] }).withResponse();
    assert.ok(response.headers.get('x-request-id'));
    if (direct) return;
    const [call] = (await session.seen()).slice(-1);
    assert.match(call.clientRequestId, /^att_/);
    assert.ok(!JSON.stringify(call).includes(session.key), 'the virtual key reached the vendor');
  });
});
