// The Anthropic SDKs and Anthropic's own models: bytes pass through, and what only this dialect knows works.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { direct, start } from '../harness.mjs';
import { SDKS, anthropicCases } from '../cases/anthropic.mjs';
import { all } from '../cases/openai.mjs';

const MODEL = 'claude-haiku-4-5';
let session;
before(async () => { session = await start(); });
after(() => session?.stop());

for (const [major, sdk] of Object.entries(SDKS)) {
  const client = (options = {}) => new sdk.Anthropic({ baseURL: session.anthropicBase, apiKey: session.anthropicKey, maxRetries: 0, ...options });
  const ask = (content, more = {}) => client().messages.create({ model: MODEL, max_tokens: 2_000, messages: [{ role: 'user', content }], ...more });

  describe(`Anthropic SDK ${major}, ${MODEL}`, () => {
    anthropicCases(() => session, MODEL, sdk);

    test('the stop sequence that was met is named', async () => {
      const stopped = await ask('one two three', { stop_sequences: ['zwei', 'two'] });
      assert.equal(stopped.stop_reason, 'stop_sequence');
      assert.equal(stopped.stop_sequence, 'two');
    });

    for (const streamed of [false, true]) {
      test(`thinking keeps its signature and goes back unchanged, ${streamed ? 'streamed' : 'whole'}`, async () => {
        const thinking = { type: 'enabled', budget_tokens: 1_024 };
        const body = { model: MODEL, max_tokens: 2_000, thinking, messages: [{ role: 'user', content: 'hello [[think]][[reasoning:40]]' }] };
        const first = await (streamed ? client().messages.stream(body).finalMessage() : client().messages.create(body));
        assert.deepEqual(first.content.map((block) => block.type), ['thinking', 'text']);
        assert.equal(first.content[0].thinking, 'Let me think about it.');
        const second = await client().messages.create({ ...body, messages: [...body.messages, { role: 'assistant', content: first.content }, { role: 'user', content: 'and now?' }] });
        assert.equal(second.content[0].text, 'You said: and now?');
        const forged = [{ ...first.content[0], signature: 'Zm9yZ2Vk' }, first.content[1]];
        await assert.rejects(client().messages.create({ ...body, messages: [...body.messages, { role: 'assistant', content: forged }, { role: 'user', content: 'and now?' }] }), /signature/);
      });
    }

    test('cache writes are shown by their life', async () => {
      const { usage } = await ask('hello [[cache-write:20]][[cache-write-1h:30]]');
      assert.equal(usage.cache_creation_input_tokens, 50);
      assert.equal(usage.cache_creation.ephemeral_5m_input_tokens, 20);
      assert.equal(usage.cache_creation.ephemeral_1h_input_tokens, 30);
    });

    test('cache_control reaches the vendor', async () => {
      await ask([{ type: 'text', text: 'hello', cache_control: { type: 'ephemeral' } }]);
      assert.match((await session.seen()).at(-1).body, /"cache_control":\{"type":"ephemeral"\}/);
    });

    test('the input counts of message_start stand where message_delta has none', async () => {
      const events = await session.booked(async () => all(await ask('hello [[bare-delta]]', { stream: true })));
      assert.ok(events[0].message.usage.input_tokens > 0);
    });

    test('events and fields nobody knows yet are kept', async () => {
      const events = await all(await ask('hello [[unknown-event]]', { stream: true }));
      const later = events.find((event) => event.type === 'added_later');
      assert.equal(later?.note, 'clients must tolerate this');
      assert.equal((await ask('hello [[unknown-event]]')).added_later, 'kept');
    });

    test('a Bearer token works as well as x-api-key', async () => {
      const bearer = client({ apiKey: null, authToken: session.anthropicKey });
      const answer = await bearer.messages.create({ model: MODEL, max_tokens: 99, messages: [{ role: 'user', content: 'hello' }] });
      assert.equal(answer.content[0].text, 'You said: hello');
    });

    test('models are listed in this dialect too', async () => {
      const models = await all(await client().models.list());
      const own = models.find((model) => model.id === MODEL);
      assert.equal(own.type, 'model');
      assert.ok(own.display_name && own.created_at);
    });

    test('a system message between the turns reaches a model that takes it', async () => {
      const messages = [{ role: 'user', content: 'hello' }, { role: 'system', content: 'Be brief.' }];
      const answer = await client().messages.create({ model: 'claude-opus-4-8', max_tokens: 99, messages });
      assert.equal(answer.content[0].text, 'You said: hello (system: Be brief.)');
    });

    test('every answer names its request', async () => {
      const { response } = await client().messages.create({ model: MODEL, max_tokens: 99, messages: [{ role: 'user', content: 'hello' }] }).withResponse();
      assert.ok(response.headers.get('request-id'));
      if (direct) return;
      assert.ok(response.headers.get('x-request-id'));
      const [call] = (await session.seen()).slice(-1);
      assert.match(call.clientRequestId, /^att_/);
      assert.equal(call.headers['x-api-key'], 'sk-ant-upstream');
      assert.equal(call.headers.authorization, undefined);
      assert.ok(!JSON.stringify(call).includes(session.key), 'the virtual key reached the vendor');
    });
  });
}
