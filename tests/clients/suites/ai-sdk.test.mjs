// The Vercel AI SDK with its OpenAI provider, on chat completions.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { APICallError, Output, embedMany, generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import { direct, serverOnly, start } from '../harness.mjs';
import { CITY, PIXEL, POLYGLOT } from '../cases/fixtures.mjs';

let session;
before(async () => { session = await start(); });
after(() => session?.stop());

const vendor = (apiKey) => createOpenAI({ baseURL: session.openaiBase, apiKey: apiKey ?? session.key });
const weather = (asked = []) => tool({
  description: 'Weather of a city',
  inputSchema: jsonSchema(CITY),
  execute: async ({ city }) => (asked.push(city), `sunny in ${city}`),
});

for (const name of direct ? ['gpt-4o-mini'] : ['gpt-4o-mini', 'claude-haiku-4-5']) {
  describe(`ai and @ai-sdk/openai, ${name}`, () => {
    const model = () => vendor().chat(name);
    const common = { maxRetries: 0 };

    test('text, system prompt and usage', async () => {
      const answer = await session.booked(() => generateText({ ...common, model: model(), system: 'Be brief.', prompt: POLYGLOT }));
      assert.equal(answer.text, `You said: ${POLYGLOT} (system: Be brief.)`);
      assert.equal(answer.finishReason, 'stop');
      assert.ok(answer.usage.inputTokens > 0 && answer.usage.outputTokens > 0);
    });

    test('stream: joined it is the whole answer, with its usage', async () => {
      const whole = await generateText({ ...common, model: model(), prompt: POLYGLOT });
      await session.booked(async () => {
        const stream = streamText({ ...common, model: model(), prompt: POLYGLOT });
        const pieces = [];
        for await (const piece of stream.textStream) pieces.push(piece);
        assert.ok(pieces.length > 3);
        assert.equal(pieces.join(''), whole.text);
        assert.equal((await stream.usage).outputTokens, whole.usage.outputTokens);
        assert.equal(await stream.finishReason, 'stop');
      });
    });

    test('stop sequences and output cap', async () => {
      const stopped = await generateText({ ...common, model: model(), prompt: 'one two three', stopSequences: ['two'] });
      assert.equal(stopped.text, 'You said: one ');
      const capped = await generateText({ ...common, model: model(), prompt: 'one two three', maxOutputTokens: 3 });
      assert.equal(capped.finishReason, 'length');
    });

    test('tools: the SDK runs the loop, whole', async () => {
      const asked = [];
      const answer = await session.booked(() => generateText({
        ...common, model: model(), prompt: 'What is the weather in Paris and London?', tools: { get_weather: weather(asked) }, stopWhen: stepCountIs(3),
      }));
      assert.deepEqual(asked.toSorted(), ['London', 'Paris']);
      assert.equal(answer.text, 'The tools said: sunny in Paris | sunny in London');
      assert.equal(answer.steps.length, 2);
    });

    test('tools: arguments stream, and the loop goes on', async () => {
      const stream = streamText({
        ...common, model: model(), prompt: 'What is the weather in Paris and London?', tools: { get_weather: weather() }, stopWhen: stepCountIs(3),
      });
      const kinds = [];
      for await (const part of stream.fullStream) kinds.push(part.type);
      assert.ok(kinds.filter((kind) => kind === 'tool-input-delta').length > 3, kinds.join(' '));
      assert.equal(kinds.filter((kind) => kind === 'tool-call').length, 2);
      assert.equal(await stream.text, 'The tools said: sunny in Paris | sunny in London');
    });

    test('tools: a call without arguments', async () => {
      const clock = tool({ inputSchema: jsonSchema({ type: 'object', properties: {} }), execute: async (input) => `got ${JSON.stringify(input)}` });
      for (const marker of ['', ' [[empty-args]]']) {
        const answer = await generateText({ ...common, model: model(), prompt: `What time is it?${marker}`, tools: { get_time: clock }, stopWhen: stepCountIs(2) });
        assert.equal(answer.text, 'The tools said: got {}');
      }
    });

    test('JSON schema: the object conforms', async () => {
      const schema = jsonSchema({ type: 'object', properties: { title: { type: 'string' }, size: { type: 'number' } }, required: ['title', 'size'], additionalProperties: false });
      const answer = await session.booked(() => generateText({ ...common, model: model(), prompt: 'Give me an event', output: Output.object({ schema, name: 'event' }) }));
      assert.deepEqual(answer.output, { title: 'title', size: 1 });
    });

    test('images', async () => {
      const messages = [{ role: 'user', content: [{ type: 'text', text: 'Look' }, { type: 'image', image: Buffer.from(PIXEL, 'base64'), mediaType: 'image/png' }] }];
      const answer = await generateText({ ...common, model: model(), messages });
      assert.equal(answer.text, 'You said: Look (images: image/png 69 bytes)');
    });

    test('errors are APICallErrors with the vendor\'s status', async () => {
      const failing = (prompt, more = {}) => generateText({ ...common, model: model(), prompt, ...more });
      const is = (status, retry) => (e) => APICallError.isInstance(e) && e.statusCode === status && e.isRetryable === retry;
      await assert.rejects(generateText({ ...common, model: vendor('sk-wrong').chat(name), prompt: 'hello' }), is(401, false));
      await assert.rejects(generateText({ ...common, model: vendor().chat('nonesuch'), prompt: 'hello' }), is(404, false));
      await assert.rejects(failing('hello', { temperature: 3 }), is(400, false));
      await assert.rejects(failing('hello [[status:429:retry-after=1]]'), is(429, true));
      await assert.rejects(failing('hello [[status:500]]'), (e) => APICallError.isInstance(e) && e.statusCode >= 500 && e.isRetryable);
    });

    test('an error inside a stream is told, after the text before it', async () => {
      const stream = streamText({ ...common, model: model(), prompt: 'one two three [[error-in-stream:after=2]]', onError: () => {} });
      const parts = [];
      for await (const part of stream.fullStream) parts.push(part);
      assert.equal(parts.filter((part) => part.type === 'text-delta').map((part) => part.text).join(''), 'You said:');
      assert.ok(parts.some((part) => part.type === 'error'));
    });

    test('abort mid-stream cancels the vendor within a second', async () => {
      await session.forget();
      const leaving = new AbortController();
      const stream = streamText({ ...common, model: model(), prompt: '[[slow:tokens=500:ms=20]]', abortSignal: leaving.signal, onError: () => {} });
      let left;
      for await (const part of stream.fullStream) {
        if (part.type !== 'text-delta' || left) continue;
        left = Date.now();
        leaving.abort();
      }
      const took = await session.leftAfter(left);
      assert.ok(took < 1_000, `${took} ms`);
    });
  });
}

describe('ai and @ai-sdk/openai, the rest', () => {
  test('embeddings', async () => {
    const { embeddings, usage } = await session.booked(() => embedMany({ model: vendor().embedding('text-embedding-3-small'), values: ['first', 'second'], maxRetries: 0 }));
    assert.deepEqual(embeddings.map((vector) => vector.length), [1_536, 1_536]);
    assert.ok(usage.tokens > 0);
  });

  test('retries pass over a failure that ends', serverOnly, async () => {
    const { apiKey } = await session.createKey({ scopes: ['ai:complete'], burst: 1, requestsPerSecond: 1 });
    const model = vendor(apiKey).chat('gpt-4o-mini');
    const answers = await Promise.all([1, 2].map((i) => generateText({ model, prompt: `hello ${i}`, maxRetries: 3 })));
    assert.deepEqual(answers.map((answer) => answer.text), ['You said: hello 1', 'You said: hello 2']);
  });
});
