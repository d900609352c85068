// Each SDK on the other vendor's models: everything both sides have crosses, and what cannot is refused by name.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI, { BadRequestError } from 'openai';
import { serverOnly, start } from '../harness.mjs';
import { openaiCases } from '../cases/openai.mjs';
import { SDKS, anthropicCases } from '../cases/anthropic.mjs';

let session;
before(async () => { if (!serverOnly.skip) session = await start(); });
after(() => session?.stop());

describe('openai SDK, claude-haiku-4-5', serverOnly, () => {
  const model = 'claude-haiku-4-5';
  openaiCases(() => session, model);

  const ask = (more) => new OpenAI({ baseURL: session.openaiBase, apiKey: session.key, maxRetries: 0 }).chat.completions.create({ model, messages: [{ role: 'user', content: 'hello' }], ...more });

  test('what Anthropic has no counterpart for is refused by name before it is called', async () => {
    await session.forget();
    for (const [field, more] of Object.entries({
      n: { n: 2 },
      logprobs: { logprobs: true },
      seed: { seed: 7 },
      frequency_penalty: { frequency_penalty: 0.5 },
      presence_penalty: { presence_penalty: 0.5 },
      logit_bias: { logit_bias: { 42: 1 } },
    })) {
      await assert.rejects(ask(more), (e) => e instanceof BadRequestError && e.message.includes(field), field);
    }
    await assert.rejects(ask({ temperature: 1.5 }), (e) => e instanceof BadRequestError && /temperature/.test(e.message));
    assert.deepEqual(await session.seen(), []);
  });

  test('what asks for nothing is no reason to refuse', async () => {
    const answer = await ask({ n: 1, logprobs: false, frequency_penalty: 0, presence_penalty: 0, store: false, service_tier: 'auto', response_format: { type: 'text' }, parallel_tool_calls: undefined });
    assert.equal(answer.choices[0].message.content, 'You said: hello');
  });

  test('a schema of the user\'s own, not closed, is told of or made to work', async () => {
    const schema = { type: 'object', properties: { title: { type: 'string' } }, required: ['title'] };
    const answer = await ask({ response_format: { type: 'json_schema', json_schema: { name: 'event', schema } } }).catch((error) => error);
    if (answer instanceof Error) assert.ok(answer instanceof BadRequestError && /additionalProperties/.test(answer.message), answer.message);
    else assert.deepEqual(JSON.parse(answer.choices[0].message.content), { title: 'title' });
  });

  test('a failed tool of a history keeps its place', async () => {
    const call = (id, city) => ({ id, type: 'function', function: { name: 'get_weather', arguments: JSON.stringify({ city }) } });
    const tools = [{ type: 'function', function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } } }];
    const answer = await ask({
      tools,
      messages: [
        { role: 'user', content: 'weather in Rome and Bern?' },
        { role: 'assistant', content: '', tool_calls: [call('call_1', 'Rome'), call('call_2', 'Bern')] },
        { role: 'tool', tool_call_id: 'call_2', content: 'second' },
        { role: 'tool', tool_call_id: 'call_1', content: 'first' },
      ],
    });
    const sent = JSON.parse((await session.seen()).at(-1).body);
    assert.equal(sent.messages.at(-1).role, 'user', 'all results belong in one user message');
    assert.deepEqual(sent.messages.at(-1).content.map((block) => block.tool_use_id), ['call_1', 'call_2'], 'results stand in the order of their calls');
    assert.equal(answer.choices[0].message.content, 'The tools said: first | second');
  });
});

for (const [major, sdk] of Object.entries(SDKS)) {
  describe(`Anthropic SDK ${major}, gpt-4o-mini`, serverOnly, () => {
    const model = 'gpt-4o-mini';
    anthropicCases(() => session, model, sdk);

    const ask = (more) => new sdk.Anthropic({ baseURL: session.anthropicBase, apiKey: session.key, maxRetries: 0 }).messages.create({ model, max_tokens: 2_000, messages: [{ role: 'user', content: 'hello' }], ...more });

    test('what OpenAI has no counterpart for is refused by name before it is called', async () => {
      await session.forget();
      for (const [field, more] of Object.entries({ top_k: { top_k: 5 }, thinking: { thinking: { type: 'enabled', budget_tokens: 1_024 } } })) {
        await assert.rejects(ask(more), (e) => e instanceof sdk.BadRequestError && e.message.includes(field), field);
      }
      const document = { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'A page.' } };
      await assert.rejects(ask({ messages: [{ role: 'user', content: [document, { type: 'text', text: 'Sum it up' }] }] }), (e) => e instanceof sdk.BadRequestError && /content/.test(e.message));
      assert.deepEqual(await session.seen(), []);
    });

    test('a system message between the turns is carried over or refused, never dropped', async () => {
      await session.forget();
      const answer = await ask({ messages: [{ role: 'user', content: 'hello' }, { role: 'system', content: 'Be brief.' }] }).catch((error) => error);
      if (answer instanceof Error) assert.ok(answer instanceof sdk.BadRequestError && /system/.test(answer.message), answer.message);
      else assert.equal(answer.content[0].text, 'You said: hello (system: Be brief.)');
    });

    test('a failed tool result is told apart from a good one', async () => {
      const answer = await ask({
        tools: [{ name: 'get_weather', input_schema: { type: 'object', properties: { city: { type: 'string' } } } }],
        messages: [
          { role: 'user', content: 'weather in Rome?' },
          { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_a', name: 'get_weather', input: { city: 'Rome' } }] },
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_a', is_error: true, content: 'no such city' }] },
        ],
      }).catch((error) => error);
      if (answer instanceof Error) assert.ok(answer instanceof sdk.BadRequestError && /is_error/.test(answer.message), answer.message);
      else assert.match(answer.content[0].text, /^The tools said: .*no such city/);
    });
  });
}
