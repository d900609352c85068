// LangChain's OpenAI classes.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { AIMessage, HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { z } from 'zod';
import { direct, start } from '../harness.mjs';
import { CITY, PIXEL, POLYGLOT } from '../cases/fixtures.mjs';

let session;
before(async () => { session = await start(); });
after(() => session?.stop());

/** One turn, whole or put together from a stream; `streaming: true` would fetch a tokenizer from the network. */
async function turn(runnable, input, streamed) {
  if (!streamed) return runnable.invoke(input);
  let joined;
  for await (const piece of await runnable.stream(input)) joined = joined ? joined.concat(piece) : piece;
  return joined;
}

const configuration = () => ({ configuration: { baseURL: session.openaiBase }, apiKey: session.key, maxRetries: 0 });
const weather = { type: 'function', function: { name: 'get_weather', description: 'Weather of a city', parameters: CITY } };

for (const model of direct ? ['gpt-4o-mini'] : ['gpt-4o-mini', 'claude-haiku-4-5']) {
  describe(`@langchain/openai, ${model}`, () => {
    const chat = (more = {}) => new ChatOpenAI({ ...configuration(), model, ...more });

    test('invoke: text, system prompt and usage', async () => {
      const answer = await session.booked(() => chat().invoke([new SystemMessage('Be brief.'), new HumanMessage(POLYGLOT)]));
      assert.equal(answer.content, `You said: ${POLYGLOT} (system: Be brief.)`);
      assert.equal(answer.response_metadata.finish_reason, 'stop');
      assert.ok(answer.usage_metadata.input_tokens > 0 && answer.usage_metadata.output_tokens > 0);
    });

    test('stream: joined it is the whole answer, with its usage', async () => {
      const whole = await chat().invoke(POLYGLOT);
      await session.booked(async () => {
        let joined;
        let pieces = 0;
        for await (const piece of await chat().stream(POLYGLOT)) {
          joined = joined ? joined.concat(piece) : piece;
          pieces++;
        }
        assert.ok(pieces > 3);
        assert.equal(joined.content, whole.content);
        assert.equal(joined.usage_metadata.output_tokens, whole.usage_metadata.output_tokens);
      });
    });

    test('parameters', async () => {
      const answer = await chat({ temperature: 0.5, maxTokens: 3 }).invoke('one two three');
      assert.equal(answer.content, 'You said: one');
      assert.equal(answer.response_metadata.finish_reason, 'length');
      const stopped = await chat().invoke('one two three', { stop: ['two'] });
      assert.equal(stopped.content, 'You said: one ');
    });

    for (const streamed of [false, true]) {
      test(`tools: parallel calls and the turn after, ${streamed ? 'streamed' : 'whole'}`, async () => {
        const bound = () => chat().bindTools([weather]);
        const asked = new HumanMessage('What is the weather in Paris and London?');
        const first = await session.booked(() => turn(bound(), [asked], streamed));
        assert.deepEqual(first.tool_calls.map(({ name, args }) => ({ name, args })), [{ name: 'get_weather', args: { city: 'Paris' } }, { name: 'get_weather', args: { city: 'London' } }]);
        const results = first.tool_calls.map((call, i) => new ToolMessage({ tool_call_id: call.id, content: `result ${i + 1}` }));
        const history = new AIMessage({ content: first.content, tool_calls: first.tool_calls });
        const second = await session.booked(() => turn(bound(), [asked, history, ...results], streamed));
        assert.equal(second.content, 'The tools said: result 1 | result 2');
      });

      test(`tools: a call without arguments, ${streamed ? 'streamed' : 'whole'}`, async () => {
        const clock = { type: 'function', function: { name: 'get_time', parameters: { type: 'object', properties: {} } } };
        const answer = await turn(chat().bindTools([clock]), 'What time is it?', streamed);
        assert.deepEqual(answer.tool_calls.map(({ name, args }) => ({ name, args })), [{ name: 'get_time', args: {} }]);
        assert.deepEqual(answer.invalid_tool_calls ?? [], []);
      });
    }

    test('structured output by JSON schema and by a forced tool', async () => {
      const Event = z.object({ title: z.string(), size: z.number() });
      for (const method of ['jsonSchema', 'functionCalling']) {
        const answer = await chat().withStructuredOutput(Event, { name: 'event', method }).invoke('Give me an event');
        assert.deepEqual(answer, { title: 'title', size: 1 }, method);
      }
    });

    test('images', async () => {
      const answer = await chat().invoke([new HumanMessage({ content: [{ type: 'text', text: 'Look' }, { type: 'image_url', image_url: { url: `data:image/png;base64,${PIXEL}` } }] })]);
      assert.equal(answer.content, 'You said: Look (images: image/png 69 bytes)');
    });

    test('errors keep the status', async () => {
      const is = (status) => (e) => e.status === status;
      await assert.rejects(new ChatOpenAI({ ...configuration(), apiKey: 'sk-wrong', model }).invoke('hello'), is(401));
      await assert.rejects(new ChatOpenAI({ ...configuration(), model: 'nonesuch' }).invoke('hello'), is(404));
      await assert.rejects(chat({ temperature: 3 }).invoke('hello'), is(400));
      await assert.rejects(chat().invoke('hello [[status:429:retry-after=1]]'), is(429));
      await assert.rejects(chat().invoke('hello [[status:500]]'), (e) => e.status >= 500);
      await assert.rejects(async () => {
        for await (const _ of await chat().stream('one two [[error-in-stream:after=2]]'));
      });
    });

    test('abort mid-stream cancels the vendor within a second', async () => {
      await session.forget();
      let left;
      for await (const piece of await chat().stream('[[slow:tokens=500:ms=20]]')) {
        if (!piece.content) continue;
        left = Date.now();
        break;
      }
      const took = await session.leftAfter(left);
      assert.ok(took < 1_000, `${took} ms`);
    });
  });
}

describe('@langchain/openai, embeddings', () => {
  test('vectors of documents and of a query agree', async () => {
    const embeddings = () => new OpenAIEmbeddings({ ...configuration(), model: 'text-embedding-3-small', dimensions: 256 });
    const many = await session.booked(() => embeddings().embedDocuments(['first', 'second', 'third']));
    assert.deepEqual(many.map((vector) => vector.length), [256, 256, 256]);
    assert.deepEqual(await embeddings().embedQuery('second'), many[1]);
  });
});
