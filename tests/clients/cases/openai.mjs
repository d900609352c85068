// What a user of the official OpenAI SDK must see, whichever vendor answers.
import assert from 'node:assert/strict';
import { test as run } from 'node:test';
import OpenAI, { APIError, AuthenticationError, BadRequestError, InternalServerError, NotFoundError, PermissionDeniedError, RateLimitError } from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { direct, serverOnly, until } from '../harness.mjs';
import { CITY, PIXEL, POLYGLOT } from './fixtures.mjs';

const say = (content) => [{ role: 'user', content }];
const weather = { type: 'function', function: { name: 'get_weather', description: 'Weather of a city', parameters: CITY } };
const clock = { type: 'function', function: { name: 'get_time', description: 'The time', parameters: { type: 'object', properties: {} } } };

/**
 * @param {() => import('../harness.mjs').Session} get the session, once it runs
 * @param {RegExp[]} without names of cases that the vendor has no counterpart for
 */
export function openaiCases(get, model, without = []) {
  const test = (name, ...rest) => without.some((pattern) => pattern.test(name)) || run(name, ...rest);
  const client = (options = {}) => new OpenAI({ baseURL: get().openaiBase, apiKey: get().key, maxRetries: 0, ...options });
  const ask = (content, more = {}) => client().chat.completions.create({ model, messages: say(content), ...more });
  const stream = (content, more = {}) => ask(content, { stream: true, ...more });

  test('chat: the answer, its ending and its usage', async () => {
    const answer = await get().booked(() => ask(POLYGLOT));
    assert.equal(answer.object, 'chat.completion');
    assert.equal(answer.model, model);
    assert.equal(answer.choices.length, 1);
    assert.equal(answer.choices[0].message.content, `You said: ${POLYGLOT}`);
    assert.equal(answer.choices[0].message.role, 'assistant');
    assert.equal(answer.choices[0].finish_reason, 'stop');
    assert.ok(answer.usage.prompt_tokens > 0);
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  });

  test('chat: system prompt and earlier turns reach the model', async () => {
    const answer = await get().booked(() => client().chat.completions.create({
      model,
      messages: [{ role: 'system', content: 'Be brief.' }, ...say('first'), { role: 'assistant', content: 'one' }, ...say('second')],
    }));
    assert.equal(answer.choices[0].message.content, 'You said: second (system: Be brief.)');
    const sent = JSON.parse((await get().seen()).at(-1).body);
    assert.ok(JSON.stringify(sent).includes('"one"'), 'the assistant turn was lost');
  });

  test('chat: the newer developer role is a system prompt', async () => {
    const answer = await client().chat.completions.create({ model, messages: [{ role: 'developer', content: 'Be brief.' }, ...say('hello')] });
    assert.equal(answer.choices[0].message.content, 'You said: hello (system: Be brief.)');
  });

  test('chat: stop sequence and output cap end the answer', async () => {
    const stopped = await get().booked(() => ask('one two three', { stop: ['two'] }));
    assert.equal(stopped.choices[0].message.content, 'You said: one ');
    assert.equal(stopped.choices[0].finish_reason, 'stop');
    const capped = await get().booked(() => ask('one two three', { max_tokens: 3 }));
    assert.equal(capped.choices[0].message.content, 'You said: one');
    assert.equal(capped.choices[0].finish_reason, 'length');
    assert.equal(capped.usage.completion_tokens, 3);
    const newer = await ask('one two three', { max_completion_tokens: 3 });
    assert.equal(newer.choices[0].finish_reason, 'length');
  });

  test('chat: temperature and the rest of the parameters are taken', async () => {
    const answer = await ask('hello', { temperature: 0.8, user: 'someone' });
    assert.equal(answer.choices[0].message.content, 'You said: hello');
    assert.equal(JSON.parse((await get().seen()).at(-1).body).temperature, 0.8);
  });

  test('chat: cached and reasoning tokens are shown inside their totals', async () => {
    const { usage } = await get().booked(() => ask('hello [[cached:100]][[reasoning:50]]'));
    assert.equal(usage.prompt_tokens_details.cached_tokens, 100);
    assert.ok(usage.prompt_tokens > 100);
    assert.equal(usage.completion_tokens_details.reasoning_tokens, 50);
    assert.ok(usage.completion_tokens > 50);
  });

  test('stream: joined it is the whole answer; no usage unless asked', async () => {
    const whole = await ask(POLYGLOT);
    const chunks = await get().booked(async () => all(await stream(POLYGLOT)));
    assert.equal(textOf(chunks), whole.choices[0].message.content);
    assert.ok(chunks.filter((chunk) => chunk.choices[0]?.delta.content).length > 3, 'it did not stream');
    assert.ok(chunks.every((chunk) => !chunk.usage), 'usage was shown unasked');
    assert.ok(chunks.every((chunk) => chunk.choices.length === 1), 'a chunk without a choice');
    assert.equal(chunks[0].choices[0].delta.role, 'assistant');
    assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
    assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
  });

  test('stream: usage once, last, without choices, when asked', async () => {
    const whole = await ask(POLYGLOT);
    const chunks = await get().booked(async () => all(await stream(POLYGLOT, { stream_options: { include_usage: true } })));
    const last = chunks.at(-1);
    assert.deepEqual(last.choices, []);
    assert.equal(last.usage.prompt_tokens, whole.usage.prompt_tokens);
    assert.equal(last.usage.completion_tokens, whole.usage.completion_tokens);
    assert.equal(last.usage.total_tokens, whole.usage.total_tokens);
    assert.ok(chunks.slice(0, -1).every((chunk) => chunk.usage === null));
  });

  test('stream: an event nobody knows does no harm', async () => {
    const chunks = await get().booked(async () => all(await stream('hello [[unknown-event]]')));
    assert.equal(textOf(chunks), 'You said: hello');
  });

  test('tools: a call with its arguments, whole', async () => {
    const answer = await get().booked(() => ask('What is the weather in Oslo?', { tools: [weather] }));
    const { message, finish_reason } = answer.choices[0];
    assert.equal(finish_reason, 'tool_calls');
    assert.equal(message.content, null);
    assert.equal(message.tool_calls.length, 1);
    assert.equal(message.tool_calls[0].type, 'function');
    assert.equal(message.tool_calls[0].function.name, 'get_weather');
    assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), { city: 'Oslo' });
  });

  test('tools: arguments stream in pieces', async () => {
    const chunks = await get().booked(async () => all(await stream('What is the weather in Oslo?', { tools: [weather] })));
    const pieces = chunks.flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? []);
    assert.ok(pieces.length > 2, `${pieces.length} pieces`);
    assert.ok(pieces[0].id);
    assert.equal(pieces[0].function.name, 'get_weather');
    assert.ok(pieces.every((piece) => piece.index === 0));
    assert.deepEqual(JSON.parse(pieces.map((piece) => piece.function.arguments ?? '').join('')), { city: 'Oslo' });
    assert.equal(chunks.at(-1).choices[0].finish_reason, 'tool_calls');
  });

  test('tools: text before a call keeps the calls counted from 0', async () => {
    const chunks = await all(await stream('What is the weather in Oslo? [[preamble]]', { tools: [weather] }));
    assert.equal(textOf(chunks), 'Let me look.');
    const pieces = chunks.flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? []);
    assert.ok(pieces.length > 0 && pieces.every((piece) => piece.index === 0));
  });

  for (const streamed of [false, true]) {
    test(`tools: two in parallel, and their results in order, ${streamed ? 'streamed' : 'whole'}`, async () => {
      const messages = say('What is the weather in Paris and London?');
      const turn = (more) => streamed
        ? client().chat.completions.stream({ model, messages, ...more }).finalChatCompletion()
        : client().chat.completions.create({ model, messages, ...more });
      const first = await get().booked(() => turn({ tools: [weather] }));
      const calls = first.choices[0].message.tool_calls;
      assert.deepEqual(calls.map((call) => JSON.parse(call.function.arguments).city), ['Paris', 'London']);
      assert.notEqual(calls[0].id, calls[1].id);

      const { role, content, tool_calls } = first.choices[0].message;
      messages.push({ role, content, tool_calls });
      for (const [i, call] of calls.entries()) messages.push({ role: 'tool', tool_call_id: call.id, content: `result ${i + 1}` });
      const second = await get().booked(() => turn({ tools: [weather] }));
      assert.equal(second.choices[0].message.content, 'The tools said: result 1 | result 2');
      assert.equal(second.choices[0].finish_reason, 'stop');
    });

    test(`tools: a call without arguments has {}, ${streamed ? 'streamed' : 'whole'}`, async () => {
      const answer = await get().booked(() => streamed
        ? client().chat.completions.stream({ model, messages: say('What time is it?'), tools: [clock] }).finalChatCompletion()
        : ask('What time is it?', { tools: [clock] }));
      const [call] = answer.choices[0].message.tool_calls;
      assert.equal(call.function.name, 'get_time');
      assert.deepEqual(JSON.parse(call.function.arguments), {});
    });
  }

  test('tools: tool_choice and parallel_tool_calls are obeyed', async () => {
    const cities = (answer) => (answer.choices[0].message.tool_calls ?? []).map((call) => `${call.function.name} ${call.function.arguments}`);
    const both = [weather, clock];
    assert.equal(cities(await ask('weather in Rome and Bern?', { tools: both, parallel_tool_calls: false })).length, 1);
    assert.deepEqual(cities(await ask('weather?', { tools: both, tool_choice: 'none' })), []);
    assert.match(cities(await ask('hello', { tools: both, tool_choice: 'required' }))[0], /^get_weather /);
    assert.match(cities(await ask('hello', { tools: both, tool_choice: { type: 'function', function: { name: 'get_time' } } }))[0], /^get_time /);
  });

  test('tools: the SDK runs the whole loop by itself', async () => {
    const asked = [];
    const runner = client().chat.completions.runTools({
      model,
      messages: say('What is the weather in Paris and London?'),
      tools: [{
        type: 'function',
        function: { name: 'get_weather', parameters: CITY, parse: JSON.parse, function: ({ city }) => (asked.push(city), `sunny in ${city}`) },
      }],
    });
    assert.equal(await runner.finalContent(), 'The tools said: sunny in Paris | sunny in London');
    assert.deepEqual(asked, ['Paris', 'London']);
  });

  test('JSON schema: the answer conforms and parses', async () => {
    const Event = z.object({ title: z.string(), size: z.number(), kind: z.enum(['talk', 'walk']), tags: z.array(z.string()), at: z.object({ city: z.string() }) });
    const answer = await get().booked(() => client().chat.completions.parse({ model, messages: say('Give me an event'), response_format: zodResponseFormat(Event, 'event') }));
    assert.deepEqual(answer.choices[0].message.parsed, { title: 'title', size: 1, kind: 'talk', tags: ['tags'], at: { city: 'city' } });
  });

  test('images: inline and by address', async () => {
    const answer = await get().booked(() => ask([
      { type: 'text', text: 'Look' },
      { type: 'image_url', image_url: { url: `data:image/png;base64,${PIXEL}` } },
      { type: 'image_url', image_url: { url: 'https://example.com/cat.png' } },
    ]));
    assert.equal(answer.choices[0].message.content, 'You said: Look (images: image/png 69 bytes, https://example.com/cat.png)');
  });

  test('error: an unknown key is an AuthenticationError', async () => {
    const stranger = client({ apiKey: direct ? 'sk-wrong' : `sk-pen-000000000000-${'0'.repeat(64)}` });
    await assert.rejects(stranger.chat.completions.create({ model, messages: say('hello') }), (e) => e instanceof AuthenticationError && e.status === 401 && e.message.length > 10);
  });

  test('error: a key without the scope is a PermissionDeniedError', serverOnly, async () => {
    const { apiKey } = await get().createKey({ scopes: ['ai:embed'] });
    await assert.rejects(client({ apiKey }).chat.completions.create({ model, messages: say('hello') }), (e) => e instanceof PermissionDeniedError && /ai:complete/.test(e.message));
  });

  test('error: a bad field is a BadRequestError that names it', async () => {
    await assert.rejects(ask('hello', { temperature: 'hot' }), (e) => e instanceof BadRequestError && e.param === 'temperature');
    await assert.rejects(ask('hello', { temperature: 2.5 }), (e) => e instanceof BadRequestError && /temperature/.test(e.message));
    await assert.rejects(client().chat.completions.create({ model }), (e) => e instanceof BadRequestError && /messages/.test(e.message));
    await assert.rejects(client().chat.completions.create({ model, messages: [{ role: 'wizard', content: 'x' }] }), (e) => e instanceof BadRequestError);
    await assert.rejects(ask('hello', { zzz_unknown: 1 }), (e) => e instanceof BadRequestError && /zzz_unknown/.test(e.message));
  });

  test('error: a tool call without its result is a BadRequestError', async () => {
    const call = { id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Oslo"}' } };
    const messages = [...say('weather in Oslo?'), { role: 'assistant', tool_calls: [call] }, ...say('well?')];
    await assert.rejects(client().chat.completions.create({ model, messages, tools: [weather] }), BadRequestError);
  });

  test('error: an unknown model is a NotFoundError', async () => {
    const name = (model) => client().chat.completions.create({ model, messages: say('hello') });
    await assert.rejects(name('nonesuch'), (e) => e instanceof NotFoundError && e.code === 'model_not_found' && e.message.includes('nonesuch'));
    // A name that only looks like a vendor's is refused for want of a price before the vendor is asked.
    await assert.rejects(name(`${model}-nonesuch`), (e) => e instanceof NotFoundError && ['model_not_found', 'model_unpriced'].includes(e.code));
  });

  test('error: the vendor\'s rate limit is a RateLimitError with retry-after', async () => {
    await assert.rejects(ask('hello [[status:429:retry-after=1]]'), (e) => e instanceof RateLimitError && Number(e.headers.get('retry-after')) >= 1);
    await assert.rejects(stream('hello [[status:429:retry-after=1]]'), (e) => e instanceof RateLimitError && Number(e.headers.get('retry-after')) >= 1);
  });

  test('error: the vendor\'s failures are InternalServerErrors without its page', async () => {
    for (const marker of ['[[status:500]]', '[[status:503]]', '[[status:529]]', '[[status:502:html]]']) {
      await assert.rejects(ask(`hello ${marker}`), (e) => e instanceof InternalServerError && (direct || !/<html>/.test(e.message)), marker);
    }
  });

  test('error: the vendor refusing our own key is not the client\'s 401', serverOnly, async () => {
    await assert.rejects(ask('hello [[status:401]]'), (e) => e instanceof InternalServerError);
  });

  test('error: inside a stream it is an APIError after the text before it', async () => {
    const got = [];
    await assert.rejects(
      (async () => {
        for await (const chunk of await stream('one two three [[error-in-stream:after=2]]')) got.push(chunk);
      })(),
      (e) => e instanceof APIError && e.message.length > 5);
    assert.equal(textOf(got), 'You said:');
  });

  test('error: a stream cut short or broken is never an answer', async () => {
    for (const marker of ['[[cut:after=2]]', '[[malformed-chunk:after=2]]', ...(direct ? [] : ['[[cut-eof:after=2]]', '[[cut-eof]]'])]) {
      await assert.rejects(async () => all(await stream(`one two three ${marker}`)), (e) => direct || e instanceof APIError, marker);
    }
  });

  test('error: a whole answer cut short or broken is never an answer', serverOnly, async () => {
    for (const marker of ['[[cut:after=2]]', '[[cut-eof]]', '[[malformed-chunk]]']) await assert.rejects(ask(`one two three ${marker}`), InternalServerError, marker);
  });

  test('abort: leaving a stream cancels the vendor within a second', async () => {
    await get().forget();
    let left;
    for await (const chunk of await stream('[[slow:tokens=500:ms=20]]')) {
      if (chunk.choices[0]?.delta.content !== ' w3') continue;
      left = Date.now();
      break;
    }
    const took = await get().leftAfter(left);
    assert.ok(took < 1_000, `${took} ms`);
  });

  test('abort: leaving a whole answer cancels the vendor within a second', async () => {
    await get().forget();
    const leaving = new AbortController();
    const answer = client().chat.completions.create({ model, messages: say('[[silent:30000]]') }, { signal: leaving.signal });
    const failed = assert.rejects(answer, /aborted/i);
    await until(async () => assert.equal((await get().seen()).length, 1), 2_000);
    const left = Date.now();
    leaving.abort();
    await failed;
    const took = await get().leftAfter(left);
    assert.ok(took < 1_000, `${took} ms`);
  });

  test('silence: a client that waits 2 s for headers gets a stream whose vendor is silent for 3', serverOnly, async () => {
    const chunks = await get().booked(async () => all(await client({ timeout: 2_000 }).chat.completions.create({ model, messages: say('hello [[silent:3000]]'), stream: true })));
    assert.equal(textOf(chunks), 'You said: hello');
  });
}

export async function all(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

export const textOf = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');
