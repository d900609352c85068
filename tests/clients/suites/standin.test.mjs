// The stand-in is as strict as the vendors: what they refuse it refuses, in their words. It is asked itself, in every mode.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startUpstream } from '../harness.mjs';
import { CITY, PIXEL } from '../cases/fixtures.mjs';

let upstream;
before(async () => { upstream = await startUpstream(); });
after(() => upstream?.stop());

async function send(route, body, headers) {
  const answer = await fetch(upstream.url + route, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
  const text = await answer.text();
  return { status: answer.status, body: text ? JSON.parse(text) : undefined };
}

const user = (content) => ({ role: 'user', content });

describe('stand-in for OpenAI', () => {
  const chat = (more, headers = { authorization: 'Bearer sk-upstream-openai' }) => send('/v1/chat/completions', { model: 'gpt-4o-mini', messages: [user('hello')], ...more }, headers);
  const tool = (name = 'get_weather', parameters = CITY, more = {}) => ({ type: 'function', function: { name, parameters, ...more } });
  const call = (id = 'call_1') => ({ id, type: 'function', function: { name: 'get_weather', arguments: '{}' } });
  const calls = (...ids) => ({ role: 'assistant', content: null, tool_calls: ids.map(call) });
  const result = (id) => ({ role: 'tool', tool_call_id: id, content: 'r' });
  const format = (schema, strict) => ({ response_format: { type: 'json_schema', json_schema: { name: 'x', schema, strict } } });
  const image = (url) => ({ messages: [user([{ type: 'image_url', image_url: { url } }])] });

  test('accepts what is right', async () => {
    for (const more of [
      {}, { temperature: 0 }, { temperature: 2 }, { stop: 'x' }, { stop: ['a', 'b', 'c', 'd'] }, { stop: null }, { n: 2 }, { logprobs: true, top_logprobs: 20 },
      { tools: [tool()], tool_choice: 'auto', parallel_tool_calls: true }, { messages: [user('x'), calls('a', 'b'), result('b'), result('a')] },
      { messages: [{ role: 'system', content: 's' }, user([{ type: 'text', text: '' }])] }, { max_completion_tokens: 5 }, { model: 'o3', max_completion_tokens: 5, reasoning_effort: 'low' },
      format({ type: 'object', properties: {} }), format({ ...CITY, additionalProperties: false }, true), image(`data:image/png;base64,${PIXEL}`), image('https://example.com/a.png'),
      { metadata: { a: 'b' }, store: true, seed: 7, user: 'u', service_tier: 'auto' },
    ]) {
      const answer = await chat(more);
      assert.equal(answer.status, 200, `${JSON.stringify(more)}: ${JSON.stringify(answer.body)}`);
    }
  });

  const REFUSED = {
    'an unknown field': [{ tempature: 1 }, /^Unrecognized request argument supplied: tempature$/, null],
    'an unknown field of a message': [{ messages: [{ ...user('x'), extra: 1 }] }, /^Unknown parameter: 'messages\[0\]\.extra'\.$/, 'messages[0].extra'],
    'no messages': [{ messages: undefined }, /Missing required parameter: 'messages'/, 'messages'],
    'empty messages': [{ messages: [] }, /Invalid 'messages': empty array/, 'messages'],
    'no model': [{ model: undefined }, /you must provide a model parameter/],
    'an unknown role': [{ messages: [{ role: 'wizard', content: 'x' }] }, /^Invalid value: 'wizard'\. Supported values are: 'system', /, 'messages[0].role'],
    'a temperature of text': [{ temperature: 'hot' }, /^Invalid type for 'temperature': expected a decimal, but got a string instead\.$/, 'temperature'],
    'a temperature above 2': [{ temperature: 2.1 }, /^Invalid 'temperature': decimal above maximum value\. Expected a value <= 2, but got 2\.1 instead\.$/, 'temperature'],
    'a top_p above 1': [{ top_p: 1.5 }, /top_p/, 'top_p'],
    'a penalty below -2': [{ presence_penalty: -3 }, /below minimum/, 'presence_penalty'],
    'five stops': [{ stop: ['a', 'b', 'c', 'd', 'e'] }, /array too long\. Expected an array with maximum length 4/, 'stop'],
    'n of 0': [{ n: 0 }, /Invalid 'n': integer below minimum value/, 'n'],
    'n of 129': [{ n: 129 }, /Expected a value <= 128/, 'n'],
    'max_tokens of 0': [{ max_tokens: 0 }, /max_tokens/, 'max_tokens'],
    'max_tokens of 1.5': [{ max_tokens: 1.5 }, /expected an integer/, 'max_tokens'],
    'max_tokens past the model': [{ max_tokens: 20_000 }, /supports at most 16384 completion tokens/, 'max_tokens'],
    'both caps': [{ max_tokens: 5, max_completion_tokens: 5 }, /at the same time is not supported/, 'max_tokens'],
    'max_tokens to a reasoning model': [{ model: 'o3', max_tokens: 5 }, /Use 'max_completion_tokens' instead/, 'max_tokens'],
    'a temperature to a reasoning model': [{ model: 'gpt-5', temperature: 0.2 }, /does not support 0\.2 with this model/, 'temperature'],
    'reasoning_effort to another model': [{ reasoning_effort: 'low' }, /Unrecognized request argument supplied: reasoning_effort/],
    'top_logprobs without logprobs': [{ top_logprobs: 2 }, /top_logprobs/, 'top_logprobs'],
    'top_logprobs of 21': [{ logprobs: true, top_logprobs: 21 }, /<= 20/, 'top_logprobs'],
    'stream_options without stream': [{ stream_options: { include_usage: true } }, /only allowed when 'stream' is enabled/, 'stream_options'],
    'an unknown stream option': [{ stream: true, stream_options: { usage: true } }, /Unknown parameter: 'stream_options\.usage'/, 'stream_options.usage'],
    'tool_choice without tools': [{ tool_choice: 'auto' }, /only allowed when 'tools' are specified/, 'tool_choice'],
    'parallel_tool_calls without tools': [{ parallel_tool_calls: false }, /only allowed when 'tools' are specified/, 'parallel_tool_calls'],
    'empty tools': [{ tools: [] }, /Invalid 'tools': empty array/, 'tools'],
    'a tool of another type': [{ tools: [{ ...tool(), type: 'thing' }] }, /'thing'/, 'tools[0].type'],
    'a tool whose schema is no object': [{ tools: [tool('f', { type: 'string' })] }, /^Invalid schema for function 'f': schema must be a JSON Schema of 'type: "object"', got 'type: "string"'\.$/, 'tools[0].function.parameters'],
    'a tool with a bad name': [{ tools: [tool('get weather')] }, /does not match pattern/, 'tools[0].function.name'],
    'a strict tool that is not closed': [{ tools: [tool('f', { type: 'object', properties: {} }, { strict: true })] }, /'additionalProperties' is required to be supplied and to be false/],
    'a tool_choice that is not there': [{ tools: [tool()], tool_choice: { type: 'function', function: { name: 'other' } } }, /not found in 'tools'/, 'tool_choice'],
    'calls without results': [{ messages: [user('x'), calls('a', 'b'), result('a'), user('y')] }, /did not have response messages: b$/],
    'calls without results at the end': [{ messages: [user('x'), calls('a')] }, /must be followed by tool messages/],
    'a result without a call': [{ messages: [user('x'), result('a')] }, /must be a response to a preceeding message with 'tool_calls'/],
    'a result of another call': [{ messages: [user('x'), calls('a'), result('z')] }, /'z' not found in 'tool_calls'/],
    'the same call twice': [{ messages: [user('x'), calls('a', 'a'), result('a')] }, /Duplicate/],
    'a call id of 41 characters': [{ messages: [user('x'), calls('c'.repeat(41)), result('c'.repeat(41))] }, /maximum length 40/],
    'an assistant without content': [{ messages: [user('x'), { role: 'assistant', content: null }] }, /expected a string, got null/],
    'a strict schema that is not closed': [format({ type: 'object', properties: {} }, true), /In context=\(\), 'additionalProperties' is required/, 'response_format'],
    'a strict schema with an optional field': [format({ ...CITY, required: [] }, true), /Missing 'city'/, 'response_format'],
    'json_object unsaid': [{ response_format: { type: 'json_object' } }, /must contain the word 'json'/],
    'an unknown format': [{ response_format: { type: 'xml' } }, /'xml'/, 'response_format.type'],
    'an image that is none': [image('data:image/png;base64,aGVsbG8='), /unsupported image/],
    'an image in no encoding': [image('data:image/png;base64,!!!'), /base64/],
    'an image at a file': [image('file:///etc/passwd'), /data URL/],
    'an unknown part': [{ messages: [user([{ type: 'video', video: 'x' }])] }, /'video'/, 'messages[0].content[0].type'],
    'a bias out of range': [{ logit_bias: { 5: 101 } }, /<= 100/],
  };
  for (const [what, [more, message, param]] of Object.entries(REFUSED)) {
    test(`refuses ${what}`, async () => {
      const answer = await chat(more);
      assert.equal(answer.status, 400, JSON.stringify(answer.body));
      assert.match(answer.body.error.message, message);
      assert.equal(answer.body.error.type, 'invalid_request_error');
      if (param !== undefined) assert.equal(answer.body.error.param, param);
    });
  }

  test('refuses other keys and unknown models', async () => {
    assert.equal((await chat({}, {})).status, 401);
    const wrong = await chat({}, { authorization: 'Bearer sk-other' });
    assert.deepEqual([wrong.status, wrong.body.error.code], [401, 'invalid_api_key']);
    const unknown = await chat({ model: 'gpt-9' });
    assert.deepEqual([unknown.status, unknown.body.error.code], [404, 'model_not_found']);
  });

  test('refuses bad embeddings', async () => {
    const embed = (more) => send('/v1/embeddings', { model: 'text-embedding-3-small', input: 'x', ...more }, { authorization: 'Bearer sk-upstream-openai' });
    assert.equal((await embed({})).status, 200);
    assert.equal((await embed({ input: [[1, 2], [3]] })).status, 200);
    for (const more of [{ input: '' }, { input: [] }, { input: ['x', ''] }, { input: Array(2_049).fill('x') }, { dimensions: 0 }, { dimensions: 1_537 }, { encoding_format: 'hex' }, { extra: 1 }]) {
      assert.equal((await embed(more)).status, 400, JSON.stringify(more).slice(0, 80));
    }
    assert.equal((await embed({ model: 'nonesuch' })).status, 404);
  });
});

describe('stand-in for Anthropic', () => {
  const HEADERS = { 'x-api-key': 'sk-ant-upstream', 'anthropic-version': '2023-06-01' };
  const ask = (more, headers = {}) => send('/v1/messages', { model: 'claude-haiku-4-5', max_tokens: 100, messages: [user('hello')], ...more }, { ...HEADERS, ...headers });
  const tool = (more = {}) => ({ name: 'get_weather', input_schema: CITY, ...more });
  const use = (...ids) => ({ role: 'assistant', content: ids.map((id) => ({ type: 'tool_use', id, name: 'get_weather', input: {} })) });
  const results = (...ids) => user(ids.map((id) => ({ type: 'tool_result', tool_use_id: id, content: 'r' })));
  const format = (schema) => ({ output_config: { format: { type: 'json_schema', schema } } });
  const image = (source) => ({ messages: [user([{ type: 'image', source }])] });

  test('accepts what is right', async () => {
    for (const more of [
      {}, { temperature: 1 }, { top_k: 5 }, { stop_sequences: ['a', 'b', 'c', 'd', 'e'] }, { system: 's' }, { system: [{ type: 'text', text: 's', cache_control: { type: 'ephemeral', ttl: '1h' } }] },
      { messages: [user('a'), user('b')] }, { messages: [user('a'), { role: 'assistant', content: 'start of' }] }, { tools: [tool()], tool_choice: { type: 'any' } },
      { messages: [user('x'), use('a', 'b'), results('b', 'a')], tools: [tool()] }, { metadata: { user_id: 'u' } }, { thinking: { type: 'enabled', budget_tokens: 1_024 }, max_tokens: 2_000 },
      format(CITY), image({ type: 'base64', media_type: 'image/png', data: PIXEL }), image({ type: 'url', url: 'https://example.com/a.png' }),
    ]) {
      const answer = await ask(more);
      assert.equal(answer.status, 200, `${JSON.stringify(more)}: ${JSON.stringify(answer.body)}`);
    }
  });

  const REFUSED = {
    'an unknown field': [{ tempature: 1 }, /^tempature: Extra inputs are not permitted$/],
    'an unknown field of a message': [{ messages: [{ ...user('x'), extra: 1 }] }, /^messages\.0\.extra: Extra inputs are not permitted$/],
    'an unknown field of a block': [{ messages: [user([{ type: 'text', text: 'x', extra: 1 }])] }, /^messages\.0\.content\.0\.extra: Extra inputs/],
    'no max_tokens': [{ max_tokens: undefined }, /^max_tokens: Field required$/],
    'max_tokens of 0': [{ max_tokens: 0 }, /^max_tokens: Input should be greater than or equal to 1$/],
    'max_tokens past the model': [{ max_tokens: 64_001 }, /^max_tokens: 64001 > 64000, which is the maximum allowed number of output tokens for claude-haiku-4-5$/],
    'no messages': [{ messages: [] }, /^messages: at least one message is required$/],
    'an assistant first': [{ messages: [{ role: 'assistant', content: 'x' }] }, /first message must use the "user" role/],
    'a system role': [{ messages: [{ role: 'system', content: 'x' }, user('y')] }, /role 'system' is not supported on this model/],
    'a tool role': [{ messages: [user('x'), { role: 'tool', content: 'x' }] }, /^messages\.1\.role: Input should be 'user' or 'assistant'$/],
    'a temperature above 1': [{ temperature: 1.1 }, /^temperature: Input should be less than or equal to 1$/],
    'a temperature of text': [{ temperature: 'hot' }, /^temperature: Input should be a valid number$/],
    'temperature and top_p': [{ temperature: 0.5, top_p: 0.5 }, /cannot both be specified/],
    'a temperature to a newer model': [{ model: 'claude-opus-4-7', temperature: 0.5 }, /`temperature` is deprecated for this model/],
    'empty text': [{ messages: [user([{ type: 'text', text: '' }])] }, /^messages: text content blocks must be non-empty$/],
    'blank text': [{ messages: [user([{ type: 'text', text: ' \n' }])] }, /must contain non-whitespace text/],
    'empty content': [{ messages: [user('')] }, /user messages must have non-empty content/],
    'no content blocks': [{ messages: [user([])] }, /user messages must have non-empty content/],
    'empty system text': [{ system: [{ type: 'text', text: '' }] }, /^system: text content blocks must be non-empty$/],
    'a blank stop': [{ stop_sequences: [' '] }, /must contain non-whitespace/],
    'a stop that is no list': [{ stop_sequences: 'x' }, /^stop_sequences: Input should be a valid list$/],
    'a prefill that ends in space': [{ messages: [user('x'), { role: 'assistant', content: 'so ' }] }, /cannot end with trailing whitespace/],
    'a call without a result': [{ messages: [user('x'), use('a', 'b'), results('a')] }, /^messages\.1: `tool_use` ids were found without `tool_result` blocks immediately after: b\./],
    'a call without anything after': [{ messages: [user('x'), use('a')] }, /`tool_use` ids were found without `tool_result` blocks immediately after: a\./],
    'results a message late': [{ messages: [user('x'), use('a'), user('wait'), results('a')] }, /^messages\.1: `tool_use` ids were found/],
    'a result without a call': [{ messages: [user('x'), { role: 'assistant', content: 'y' }, results('a')] }, /^messages\.2\.content\.0: unexpected `tool_use_id` found in `tool_result` blocks: a\./],
    'text before the results': [{ messages: [user('x'), use('a'), user([{ type: 'text', text: 'so' }, { type: 'tool_result', tool_use_id: 'a', content: 'r' }])] }, /tool_result/],
    'a call id with a dot': [{ messages: [user('x'), use('a.b'), results('a.b')] }, /String should match pattern '\^\[a-zA-Z0-9_-\]\+\$'/],
    'a call whose input is text': [{ messages: [user('x'), { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'f', input: '{}' }] }, results('a')] }, /input: Input should be a valid dictionary/],
    'a tool without a schema': [{ tools: [{ name: 'f' }] }, /^tools\.0\.custom\.input_schema: Field required$/],
    'a tool whose schema is no object': [{ tools: [tool({ input_schema: { type: 'string' } })] }, /^tools\.0\.custom\.input_schema\.type: Input should be 'object'$/],
    'a tool in another dialect': [{ tools: [{ type: 'function', function: { name: 'f' } }] }, /tools\.0/],
    'the same tool twice': [{ tools: [tool(), tool()] }, /Tool names must be unique/],
    'tool_choice without tools': [{ tool_choice: { type: 'auto' } }, /tool_choice may only be specified while providing tools/],
    'a tool_choice of text': [{ tools: [tool()], tool_choice: 'auto' }, /tool_choice: Input should be a valid dictionary/],
    'a schema that is not closed': [format({ type: 'object', properties: {} }), /'additionalProperties' must be explicitly set to false/],
    'a schema with bounds': [format({ ...CITY, properties: { city: { type: 'string', minLength: 2 } } }), /'minLength' is not supported/],
    'an image of another type': [image({ type: 'base64', media_type: 'image/jpeg', data: PIXEL }), /does not match the provided media type image\/jpeg/],
    'an image of an unknown type': [image({ type: 'base64', media_type: 'image/bmp', data: PIXEL }), /Input should be 'image\/jpeg'/],
    'an image in a data URL': [image({ type: 'base64', media_type: 'image/png', data: `data:image/png;base64,${PIXEL}` }), /invalid base64 data/],
    'an image over plain http': [image({ type: 'url', url: 'http://example.com/a.png' }), /Only HTTPS URLs are supported/],
    'an unsigned thought': [{ messages: [user('x'), { role: 'assistant', content: [{ type: 'thinking', thinking: 'hm', signature: 'no' }, { type: 'text', text: 'y' }] }, user('z')] }, /Invalid `signature`/],
    'thinking past the cap': [{ thinking: { type: 'enabled', budget_tokens: 1_024 } }, /`max_tokens` must be greater than `thinking\.budget_tokens`/],
  };
  for (const [what, [more, message]] of Object.entries(REFUSED)) {
    test(`refuses ${what}`, async () => {
      const answer = await ask(more);
      assert.equal(answer.status, 400, JSON.stringify(answer.body));
      assert.equal(answer.body.type, 'error');
      assert.equal(answer.body.error.type, 'invalid_request_error');
      assert.match(answer.body.error.message, message);
      assert.match(answer.body.request_id, /^req_/);
    });
  }

  test('version 2026-10-21 knows no sampling parameters', async () => {
    const newer = { 'anthropic-version': '2026-10-21' };
    assert.equal((await ask({}, newer)).status, 200);
    for (const name of ['temperature', 'top_p', 'top_k']) {
      const answer = await ask({ [name]: 1 }, newer);
      assert.equal(answer.body.error.message, `${name}: Extra inputs are not permitted`);
    }
  });

  test('refuses other keys, other versions and unknown models', async () => {
    const wrong = await ask({}, { 'x-api-key': 'other' });
    assert.deepEqual([wrong.status, wrong.body.error.type], [401, 'authentication_error']);
    assert.equal((await ask({}, { 'x-api-key': '', authorization: 'Bearer sk-ant-upstream' })).status, 200);
    assert.match((await ask({}, { 'anthropic-version': '' })).body.error.message, /anthropic-version: header is required/);
    assert.match((await ask({}, { 'anthropic-version': '2030-01-01' })).body.error.message, /is not a valid version/);
    const unknown = await ask({ model: 'claude-9' });
    assert.deepEqual([unknown.status, unknown.body.error], [404, { type: 'not_found_error', message: 'model: claude-9' }]);
  });

  test('counts tokens without a cap, and takes none', async () => {
    const count = (more) => send('/v1/messages/count_tokens', { model: 'claude-haiku-4-5', messages: [user('one two')], ...more }, HEADERS);
    assert.deepEqual((await count({})).body, { input_tokens: 5 });
    assert.match((await count({ max_tokens: 5 })).body.error.message, /^max_tokens: Extra inputs are not permitted$/);
  });
});
