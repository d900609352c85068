// The official SDKs on a model of Bedrock; and AWS's own client on the stand-in, which shows that the stand-in speaks as Bedrock does.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand, InvokeModelCommand, ThrottlingException, ValidationException } from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import OpenAI, { BadRequestError } from 'openai';
import { serverOnly, start, startUpstream, until } from '../harness.mjs';
import { all, openaiCases } from '../cases/openai.mjs';
import { SDKS, anthropicCases } from '../cases/anthropic.mjs';

const MODEL = 'us.anthropic.claude-haiku-4-5-20251001-v1:0';
const LLAMA = 'meta.llama3-1-70b-instruct-v1:0';
const KEYS = { accessKeyId: 'AKIAUPSTREAM00000000', secretAccessKey: 'upstream/secret+of+forty+characters/0000' };
const env = (upstream) => ({ AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: KEYS.accessKeyId, AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey, AWS_ENDPOINT_URL_BEDROCK_RUNTIME: upstream });

let session;
before(async () => { if (!serverOnly.skip) session = await start({ env }); });
after(() => session?.stop());

// No image by address, no word about how many tools are called, reasoning is not counted apart, a call that is left goes on, and parameters stand in another place.
const WITHOUT = [/^abort/, /^images/, /tool_choice/, /reasoning tokens/, /end user/, /temperature and the rest/];

describe(`openai SDK, ${MODEL}`, serverOnly, () => {
  openaiCases(() => session, MODEL, WITHOUT);

  test('what Bedrock has no counterpart for is refused by name before it is called', async () => {
    const client = new OpenAI({ baseURL: session.openaiBase, apiKey: session.key, maxRetries: 0 });
    await session.forget();
    for (const [field, more] of Object.entries({ n: { n: 2 }, seed: { seed: 7 }, logprobs: { logprobs: true }, parallel_tool_calls: { parallel_tool_calls: false, tools: [{ type: 'function', function: { name: 'f' } }] } })) {
      await assert.rejects(client.chat.completions.create({ model: MODEL, messages: [{ role: 'user', content: 'hello' }], ...more }), (e) => e instanceof BadRequestError && e.message.includes(field), field);
    }
    assert.deepEqual(await session.seen(), []);
  });

  test('a client that leaves a stream is booked what the whole answer costs', async () => {
    await session.forget();
    await session.withOwnKey(async () => {
      const client = new OpenAI({ baseURL: session.openaiBase, apiKey: session.key, maxRetries: 0 });
      for await (const chunk of await client.chat.completions.create({ model: MODEL, stream: true, messages: [{ role: 'user', content: '[[slow:tokens=100:ms=10]]' }] })) {
        if (chunk.choices[0]?.delta.content === ' w3') break;
      }
      await until(async () => assert.equal((await session.seen())[0].outcome, 'answered'), 10_000);
      await until(() => session.assertBooked(), 5_000);
    });
  });
});

for (const [major, sdk] of Object.entries(SDKS)) describe(`Anthropic SDK ${major}, ${MODEL}`, serverOnly, () => anthropicCases(() => session, MODEL, sdk, WITHOUT));

describe('AWS\'s own client, on the stand-in', () => {
  let upstream;
  before(async () => { upstream = await startUpstream(); });
  after(() => upstream?.stop());

  const client = (credentials = KEYS) => new BedrockRuntimeClient({ region: 'us-east-1', endpoint: upstream.url, credentials, maxAttempts: 1, requestHandler: new NodeHttpHandler() });
  const said = (text) => [{ role: 'user', content: [{ text }] }];
  const tools = { tools: [{ toolSpec: { name: 'get_weather', inputSchema: { json: { type: 'object', properties: { city: { type: 'string' } } } } } }] };

  test('a whole answer, with its counts', async () => {
    const answer = await client().send(new ConverseCommand({ modelId: MODEL, messages: said('hello [[cached:100]][[cache-write-1h:7]][[think]]'), system: [{ text: 'Be brief.' }] }));
    assert.equal(answer.output.message.content.at(-1).text, 'You said: hello (system: Be brief.)');
    assert.ok(answer.output.message.content[0].reasoningContent.reasoningText.signature);
    assert.equal(answer.stopReason, 'end_turn');
    assert.equal(answer.usage.cacheReadInputTokens, 100);
    assert.deepEqual(answer.usage.cacheDetails, [{ ttl: '1h', inputTokens: 7 }]);
  });

  test('a stream, its tools, and its counts behind its end', async () => {
    const answer = await client().send(new ConverseStreamCommand({ modelId: MODEL, messages: said('weather in Paris'), toolConfig: tools }));
    const events = await all(answer.stream);
    assert.deepEqual(Object.keys(events[0]), ['messageStart']);
    assert.equal(events.map((event) => event.contentBlockDelta?.delta.toolUse?.input ?? '').join(''), '{"city":"Paris"}');
    assert.equal(events.at(-2).messageStop.stopReason, 'tool_use');
    assert.ok(events.at(-1).metadata.usage.totalTokens > 0);
  });

  test('exceptions, as answers and within a stream', async () => {
    await assert.rejects(client().send(new ConverseCommand({ modelId: MODEL, messages: said('[[status:429]]') })), ThrottlingException);
    await assert.rejects(client().send(new ConverseCommand({ modelId: 'anthropic.nonesuch', messages: said('hello') })), ValidationException);
    await assert.rejects(client().send(new ConverseCommand({ modelId: LLAMA, messages: said(' ') })), ValidationException);
    const answer = await client().send(new ConverseStreamCommand({ modelId: MODEL, messages: said('hello [[error-in-stream:throttlingException:after=1]]') }));
    await assert.rejects(all(answer.stream), ThrottlingException);
    const broken = await client().send(new ConverseStreamCommand({ modelId: MODEL, messages: said('hello [[malformed-chunk:after=1]]') }));
    await assert.rejects(all(broken.stream), /checksum/i);
  });

  test('an ARN is signed as it is sent, and a wrong secret is found', async () => {
    await client().send(new ConverseCommand({ modelId: `arn:aws:bedrock:us-east-1:000000000000:inference-profile/us.${LLAMA}`, messages: said('hello') }));
    await assert.rejects(client({ ...KEYS, secretAccessKey: 'another' }).send(new ConverseCommand({ modelId: LLAMA, messages: said('hello') })), (e) => e.name === 'InvalidSignatureException');
  });

  test('Titan embeds; a Llama model refuses a body of Anthropic\'s', async () => {
    const embedded = await client().send(new InvokeModelCommand({ modelId: 'amazon.titan-embed-text-v2:0', contentType: 'application/json', body: JSON.stringify({ inputText: 'a b c', dimensions: 256 }) }));
    const { embedding, inputTextTokenCount } = JSON.parse(new TextDecoder().decode(embedded.body));
    assert.deepEqual([embedding.length, inputTextTokenCount], [256, 3]);
    const body = JSON.stringify({ anthropic_version: 'bedrock-2023-05-31', max_tokens: 9, messages: said('hello') });
    await assert.rejects(client().send(new InvokeModelCommand({ modelId: LLAMA, contentType: 'application/json', body })), (e) => e instanceof ValidationException && /required key \[prompt\] not found/.test(e.message));
  });
});
