// A client's own agent, by the openai SDK: the model asks for one tool after the other, and each takes its time.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import OpenAI from 'openai';
import { direct, start } from '../harness.mjs';
import { CITY } from '../cases/fixtures.mjs';

const AGENTS = 20;
const TOOL_MS = 3_000;
const MODEL_MS = 300;
const TOOLS = ['get_weather', 'get_traffic', 'get_events'];

let session;
before(async () => { session = await start(); });
after(() => session?.stop());

describe('an agent with three tools', () => {
  for (const model of direct ? ['gpt-4o-mini'] : ['gpt-4o-mini', 'claude-haiku-4-5']) {
    test(`${model}: three tools of 3 s and four answers of 0.3 s take 12 s or less in 95 of 100 runs`, { timeout: 60_000 }, async () => {
      const client = new OpenAI({ baseURL: session.openaiBase, apiKey: session.key, maxRetries: 0 });
      const took = await Promise.all(Array.from({ length: AGENTS }, () => run(client, model)));
      const p95 = took.toSorted((a, b) => a - b)[Math.ceil(0.95 * AGENTS) - 1];
      assert.ok(p95 >= TOOLS.length * TOOL_MS + (TOOLS.length + 1) * MODEL_MS, `the fakes were not waited for: ${p95} ms`);
      assert.ok(p95 <= 12_000, `P95 ${p95} ms`);
    });
  }
});

/** How many ms one run takes. */
async function run(client, model) {
  const began = performance.now();
  const messages = [];
  for (const name of TOOLS) {
    messages.push({ role: 'user', content: `Now the ${name.split('_')[1]} in Paris [[silent:${MODEL_MS}]]` });
    const { message } = (await client.chat.completions.create({ model, messages, tools: TOOLS.map(declared) })).choices[0];
    assert.deepEqual(message.tool_calls?.map((call) => call.function.name), [name]);
    await delay(TOOL_MS);
    messages.push(message, { role: 'tool', tool_call_id: message.tool_calls[0].id, content: `${name} is fine` });
    if (name !== TOOLS.at(-1)) messages.push({ role: 'assistant', content: 'Thank you.' });
  }

  const answer = await client.chat.completions.create({ model, messages, tools: TOOLS.map(declared) });
  assert.match(answer.choices[0].message.content, /get_events is fine/);
  return performance.now() - began;
}

const declared = (name) => ({ type: 'function', function: { name, description: `${name} of a city`, parameters: CITY } });
