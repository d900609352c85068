// What a user of the official Anthropic SDK must see, whichever vendor answers.
import assert from 'node:assert/strict';
import { test as run } from 'node:test';
import * as sdk1 from '@anthropic-ai/sdk';
import * as sdk0 from '@anthropic-ai/sdk-0';
import { zodOutputFormat as format1 } from '@anthropic-ai/sdk/helpers/zod';
import { zodOutputFormat as format0 } from '@anthropic-ai/sdk-0/helpers/zod';
import { z } from 'zod';
import { direct, serverOnly, until } from '../harness.mjs';
import { CITY, PIXEL, POLYGLOT } from './fixtures.mjs';
import { all } from './openai.mjs';

const say = (content) => [{ role: 'user', content }];
const weather = { name: 'get_weather', description: 'Weather of a city', input_schema: CITY };
const clock = { name: 'get_time', description: 'The time', input_schema: { type: 'object', properties: {} } };

/** Both majors in use: 0.x sends `x-api-key` and version 2023-06-01, 1.x a Bearer token and version 2026-10-21. */
export const SDKS = {
  '1.x': { ...sdk1, zodOutputFormat: format1, version: '2026-10-21' },
  '0.x': { ...sdk0, zodOutputFormat: format0, version: '2023-06-01' },
};

/** @param {() => import('../harness.mjs').Session} get the session, once it runs */
export function anthropicCases(get, model, sdk, without = []) {
  const test = (name, ...rest) => without.some((pattern) => pattern.test(name)) || run(name, ...rest);
  const { Anthropic, APIError, AuthenticationError, BadRequestError, InternalServerError, NotFoundError, PermissionDeniedError, RateLimitError, zodOutputFormat } = sdk;
  const client = (options = {}) => new Anthropic({ baseURL: get().anthropicBase, apiKey: get().anthropicKey, maxRetries: 0, ...options });
  const ask = (content, more = {}) => client().messages.create({ model, max_tokens: 1_000, messages: say(content), ...more });
  const stream = (content, more = {}) => ask(content, { stream: true, ...more });

  test('message: the answer, its ending and its usage', async () => {
    const answer = await get().booked(() => ask(POLYGLOT));
    assert.equal(answer.type, 'message');
    assert.equal(answer.role, 'assistant');
    assert.equal(answer.model, model);
    assert.deepEqual(answer.content.map(({ type, text }) => ({ type, text })), [{ type: 'text', text: `You said: ${POLYGLOT}` }]);
    assert.equal(answer.stop_reason, 'end_turn');
    assert.equal(answer.stop_sequence, null);
    assert.ok(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0);
  });

  test('message: system prompt, as text and as blocks, and earlier turns reach the model', async () => {
    const plain = await get().booked(() => ask('hello', { system: 'Be brief.' }));
    assert.equal(textOf(plain), 'You said: hello (system: Be brief.)');
    const blocks = await ask('hello', { system: [{ type: 'text', text: 'Be' }, { type: 'text', text: 'brief.' }] });
    assert.match(textOf(blocks), /\(system: Be\s+brief\.\)/);
    const turns = await client().messages.create({ model, max_tokens: 100, messages: [...say('first'), { role: 'assistant', content: 'one' }, ...say('second')] });
    assert.equal(textOf(turns), 'You said: second');
    assert.ok((await get().seen()).at(-1).body.includes('"one"'), 'the assistant turn was lost');
  });

  test('message: the output cap ends the answer', async () => {
    const capped = await get().booked(() => ask('one two three', { max_tokens: 3 }));
    assert.equal(textOf(capped), 'You said: one');
    assert.equal(capped.stop_reason, 'max_tokens');
    assert.equal(capped.usage.output_tokens, 3);
  });

  test('message: a stop sequence ends the answer', async () => {
    const stopped = await get().booked(() => ask('one two three', { stop_sequences: ['two'] }));
    assert.equal(textOf(stopped), 'You said: one ');
    assert.ok(['stop_sequence', 'end_turn'].includes(stopped.stop_reason));
  });

  test('message: the end user is taken, and temperature by the version that has it', async () => {
    const old = sdk.version === '2023-06-01';
    const answer = await ask('hello', { ...(old ? { temperature: 0.8 } : {}), metadata: { user_id: 'someone' } });
    assert.equal(textOf(answer), 'You said: hello');
    const sent = JSON.parse((await get().seen()).at(-1).body);
    if (old) assert.equal(sent.temperature, 0.8);
    assert.equal(sent.metadata?.user_id ?? sent.user ?? sent.safety_identifier, 'someone');
  });

  test('message: cached tokens are shown beside the input, not inside', async () => {
    const without = await ask('hello');
    const { usage } = await get().booked(() => ask('hello [[cached:100]]'));
    assert.equal(usage.cache_read_input_tokens, 100);
    assert.ok(usage.input_tokens <= without.usage.input_tokens + 1);
  });

  test('stream: joined it is the whole answer, with the same usage', async () => {
    const whole = await ask(POLYGLOT);
    const events = await get().booked(async () => all(await stream(POLYGLOT)));
    const deltas = events.filter((event) => event.type === 'content_block_delta');
    assert.ok(deltas.length > 3, 'it did not stream');
    assert.equal(deltas.map((event) => event.delta.text).join(''), textOf(whole));
    const kinds = events.map((event) => event.type).filter((type) => type !== 'content_block_delta');
    assert.deepEqual(kinds, ['message_start', 'content_block_start', 'content_block_stop', 'message_delta', 'message_stop']);
    assert.equal(events.at(-2).delta.stop_reason, 'end_turn');
    assert.equal(events.at(-2).usage.output_tokens, whole.usage.output_tokens);
  });

  test('stream: the SDK puts the message together', async () => {
    const whole = await ask(POLYGLOT);
    const message = await get().booked(() => client().messages.stream({ model, max_tokens: 1_000, messages: say(POLYGLOT) }).finalMessage());
    assert.equal(textOf(message), textOf(whole));
    assert.equal(message.usage.input_tokens, whole.usage.input_tokens);
    assert.equal(message.usage.output_tokens, whole.usage.output_tokens);
  });

  test('stream: an event nobody knows does no harm', async () => {
    const events = await get().booked(async () => all(await stream('hello [[unknown-event]]')));
    assert.equal(events.filter((event) => event.type === 'content_block_delta').map((event) => event.delta.text).join(''), 'You said: hello');
  });

  for (const streamed of [false, true]) {
    const how = streamed ? 'streamed' : 'whole';
    const turn = (messages, more) => {
      const body = { model, max_tokens: 1_000, messages, ...more };
      return streamed ? client().messages.stream(body).finalMessage() : client().messages.create(body);
    };

    test(`tools: a call with its input, ${how}`, async () => {
      const answer = await get().booked(() => turn(say('What is the weather in Oslo?'), { tools: [weather] }));
      assert.equal(answer.stop_reason, 'tool_use');
      assert.deepEqual(answer.content.map(({ type, name, input }) => ({ type, name, input })), [{ type: 'tool_use', name: 'get_weather', input: { city: 'Oslo' } }]);
    });

    test(`tools: two in parallel, and their results in order, ${how}`, async () => {
      const messages = say('What is the weather in Paris and London?');
      const first = await get().booked(() => turn(messages, { tools: [weather] }));
      const calls = first.content.filter((block) => block.type === 'tool_use');
      assert.deepEqual(calls.map((call) => call.input.city), ['Paris', 'London']);
      assert.notEqual(calls[0].id, calls[1].id);
      messages.push({ role: 'assistant', content: calls.map(({ type, id, name, input }) => ({ type, id, name, input })) });
      messages.push({ role: 'user', content: calls.map((call, i) => ({ type: 'tool_result', tool_use_id: call.id, content: `result ${i + 1}` })) });
      const second = await get().booked(() => turn(messages, { tools: [weather] }));
      assert.equal(textOf(second), 'The tools said: result 1 | result 2');
      assert.equal(second.stop_reason, 'end_turn');
    });

    test(`tools: a call without arguments has an empty input, ${how}`, async () => {
      const answer = await get().booked(() => turn(say('What time is it?'), { tools: [clock] }));
      assert.equal(answer.content[0].name, 'get_time');
      assert.deepEqual(answer.content[0].input, {});
    });

    test(`tools: text before the calls is a block of its own, ${how}`, async () => {
      const answer = await turn(say('weather in Rome and Bern? [[preamble]]'), { tools: [weather] });
      assert.deepEqual(answer.content.map((block) => block.type), ['text', 'tool_use', 'tool_use']);
      assert.equal(answer.content[0].text, 'Let me look.');
      assert.deepEqual(answer.content.slice(1).map((block) => block.input.city), ['Rome', 'Bern']);
    });
  }

  test('tools: input streams in pieces', async () => {
    const events = await all(await stream('What is the weather in Oslo?', { tools: [weather] }));
    const pieces = events.filter((event) => event.delta?.type === 'input_json_delta').map((event) => event.delta.partial_json);
    assert.ok(pieces.length > 2, `${pieces.length} pieces`);
    assert.deepEqual(JSON.parse(pieces.join('')), { city: 'Oslo' });
  });

  test('tools: tool_choice is obeyed', async () => {
    const calls = (answer) => answer.content.filter((block) => block.type === 'tool_use').map((block) => block.name);
    const both = [weather, clock];
    assert.deepEqual(calls(await ask('weather in Rome and Bern?', { tools: both, tool_choice: { type: 'auto', disable_parallel_tool_use: true } })), ['get_weather']);
    assert.deepEqual(calls(await ask('weather?', { tools: both, tool_choice: { type: 'none' } })), []);
    assert.deepEqual(calls(await ask('hello', { tools: both, tool_choice: { type: 'any' } })), ['get_weather']);
    assert.deepEqual(calls(await ask('hello', { tools: both, tool_choice: { type: 'tool', name: 'get_time' } })), ['get_time']);
  });

  test('tools: results as blocks, followed by more of the user', async () => {
    const answer = await client().messages.create({
      model,
      max_tokens: 1_000,
      tools: [weather],
      messages: [
        ...say('weather in Oslo?'),
        { role: 'assistant', content: [{ type: 'text', text: 'Let me look.' }, { type: 'tool_use', id: 'toolu_a', name: 'get_weather', input: { city: 'Oslo' } }] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_a', content: [{ type: 'text', text: '5 degrees' }] }, { type: 'text', text: 'In one word, please.' }] },
      ],
    });
    assert.equal(answer.stop_reason, 'end_turn');
    const sent = (await get().seen()).at(-1).body;
    for (const part of ['Let me look.', '5 degrees', 'In one word, please.']) assert.ok(sent.includes(part), `${part} was lost`);
  });

  test('JSON schema: the answer conforms and parses', async () => {
    const Event = z.object({ title: z.string(), size: z.number(), tags: z.array(z.string()), at: z.object({ city: z.string() }) });
    const answer = await get().booked(() => client().messages.parse({ model, max_tokens: 1_000, messages: say('Give me an event'), output_config: { format: zodOutputFormat(Event) } }));
    assert.deepEqual(answer.parsed_output, { title: 'title', size: 1, tags: ['tags'], at: { city: 'city' } });
  });

  test('images: inline and by address', async () => {
    const answer = await get().booked(() => ask([
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PIXEL } },
      { type: 'image', source: { type: 'url', url: 'https://example.com/cat.png' } },
      { type: 'text', text: 'Look' },
    ]));
    assert.equal(textOf(answer), 'You said: Look (images: image/png 69 bytes, https://example.com/cat.png)');
  });

  test('count_tokens: near what the message is billed', async () => {
    const messages = say('one two three four five');
    const counted = await client().messages.countTokens({ model, messages, system: 'Be brief.' });
    const answer = await client().messages.create({ model, max_tokens: 100, messages, system: 'Be brief.' });
    assert.ok(Number.isInteger(counted.input_tokens) && counted.input_tokens > 0);
    if (model.startsWith('claude')) assert.equal(counted.input_tokens, answer.usage.input_tokens);
  });

  test('error: an unknown key is an AuthenticationError', async () => {
    const stranger = client({ apiKey: direct ? 'sk-wrong' : `sk-pen-000000000000-${'0'.repeat(64)}` });
    await assert.rejects(stranger.messages.create({ model, max_tokens: 9, messages: say('hello') }), (e) => e instanceof AuthenticationError && e.error.error.type === 'authentication_error');
  });

  test('error: a key without the scope is a PermissionDeniedError', serverOnly, async () => {
    const { apiKey } = await get().createKey({ scopes: ['ai:embed'] });
    const poor = client({ apiKey });
    await assert.rejects(poor.messages.create({ model, max_tokens: 9, messages: say('hello') }), (e) => e instanceof PermissionDeniedError && e.error.error.type === 'permission_error' && /ai:complete/.test(e.message));
  });

  test('error: a bad field is a BadRequestError that names it', async () => {
    const names = (field) => (e) => e instanceof BadRequestError && e.error.type === 'error' && e.error.error.type === 'invalid_request_error' && e.error.error.message.includes(field);
    await assert.rejects(ask('hello', { temperature: 'hot' }), names('temperature'));
    await assert.rejects(ask('hello', { temperature: 1.5 }), names('temperature'));
    await assert.rejects(client().messages.create({ model, messages: say('hello') }), names('max_tokens'));
    await assert.rejects(client().messages.create({ model, max_tokens: 9 }), names('messages'));
    await assert.rejects(ask('hello', { zzz_unknown: 1 }), names('zzz_unknown'));
    await assert.rejects(ask([{ type: 'text', text: '' }]), BadRequestError);
  });

  test('error: a tool call without its result is a BadRequestError', async () => {
    const messages = [...say('weather in Oslo?'), { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_a', name: 'get_weather', input: {} }] }, ...say('well?')];
    await assert.rejects(client().messages.create({ model, max_tokens: 9, messages, tools: [weather] }), BadRequestError);
  });

  test('error: an unknown model is a NotFoundError', async () => {
    const fail = client().messages.create({ model: `${model}-nonesuch`, max_tokens: 9, messages: say('hello') });
    await assert.rejects(fail, (e) => e instanceof NotFoundError && e.error.error.type === 'not_found_error');
  });

  test('error: the vendor\'s rate limit is a RateLimitError with retry-after', async () => {
    for (const call of [ask, stream]) {
      await assert.rejects(call('hello [[status:429:retry-after=1]]'), (e) => e instanceof RateLimitError && e.error.error.type === 'rate_limit_error' && Number(e.headers.get('retry-after')) >= 1);
    }
  });

  test('error: the vendor\'s failures are InternalServerErrors', async () => {
    for (const marker of ['[[status:500]]', '[[status:503]]', '[[status:529]]', '[[status:502:html]]']) {
      await assert.rejects(ask(`hello ${marker}`), (e) => e instanceof InternalServerError && (direct || !/<html>/.test(e.message)), marker);
    }
  });

  test('error: the vendor refusing our own key is not the client\'s 401', serverOnly, async () => {
    await assert.rejects(ask('hello [[status:401]]'), InternalServerError);
  });

  test('error: inside a stream it is an APIError after the text before it', async () => {
    const got = [];
    await assert.rejects(
      (async () => {
        for await (const event of await stream('one two three [[error-in-stream:after=2]]')) got.push(event);
      })(),
      (e) => e instanceof APIError && e.error?.type === 'error');
    assert.equal(got.filter((event) => event.type === 'content_block_delta').map((event) => event.delta.text).join(''), 'You said:');
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
    for await (const event of await stream('[[slow:tokens=500:ms=20]]')) {
      if (event.delta?.text !== ' w3') continue;
      left = Date.now();
      break;
    }
    const took = await get().leftAfter(left);
    assert.ok(took < 1_000, `${took} ms`);
  });

  test('abort: leaving a whole answer cancels the vendor within a second', async () => {
    await get().forget();
    const leaving = new AbortController();
    const failed = assert.rejects(client().messages.create({ model, max_tokens: 9, messages: say('[[silent:30000]]') }, { signal: leaving.signal }), /aborted/i);
    await until(async () => assert.equal((await get().seen()).length, 1), 2_000);
    const left = Date.now();
    leaving.abort();
    await failed;
    const took = await get().leftAfter(left);
    assert.ok(took < 1_000, `${took} ms`);
  });

  test('silence: a client that waits 2 s for headers gets a stream whose vendor is silent for 3', serverOnly, async () => {
    const events = await get().booked(async () => all(await client({ timeout: 2_000 }).messages.create({ model, max_tokens: 99, messages: say('hello [[silent:3000]]'), stream: true })));
    assert.equal(events.filter((event) => event.type === 'content_block_delta').map((event) => event.delta.text).join(''), 'You said: hello');
  });
}

const textOf = (message) => message.content.filter((block) => block.type === 'text').map((block) => block.text).join('');
