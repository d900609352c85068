// Requests written by hand for every operation of the description, and what its schemas cannot say.
import { CITY, PIXEL } from './fixtures.mjs';

const dataOf = (n) => Array.from({ length: n }, (_, index) => `text ${index}`);
const repeated = (items) => new Set(items).size < items.length;
const list = (value) => (Array.isArray(value) ? value : []);

// What no schema can say, because one member is compared with another. `broken` sees only bodies that fit the schema, without nulls.

const nativeTools = [
  { why: 'two tools of one name', broken: (body) => repeated(list(body.tools).map((tool) => tool.name)) },
  { why: 'toolChoice names no tool', broken: (body) => body.toolChoice?.name !== undefined && !list(body.tools).some((tool) => tool.name === body.toolChoice.name) },
  { why: 'two tool calls of one id', broken: (body) => repeated(list(body.messages).flatMap((message) => list(message.toolCalls).map((call) => call.id))) },
  {
    why: 'a result of a call that was not made before',
    broken: (body) => {
      const made = new Set();
      return list(body.messages).some((message) => {
        for (const call of list(message.toolCalls)) made.add(call.id);
        return message.role === 'tool' && !made.has(message.toolCallId);
      });
    },
  },
];

const templates = [
  { why: 'the template has no user\'s part', broken: (body) => body.template !== undefined && !list(body.messages).some((message) => message.role !== 'system') },
  { why: 'a variable that the template lacks', broken: (body) => Object.keys(body.variables ?? {}).some((name) => !['tone', 'subject'].includes(name)) },
  { why: 'a value that is too long', broken: (body) => Object.values(body.variables ?? {}).some((value) => [...value].length > 200) },
];

/** Templates that fit, and are pushed here. */
export const SOURCES = ['Greet whoever writes.', 'Greet nobody.', 'Greet all.'].map((prompt) => `---\nname: greeting\nuse-case: chat\nowner: docs\nversion: "1"\ndescription: Greets.\nmodel: fast\n---\n${prompt}\n`);

const openaiAgreement = [
  { why: 'max_tokens and max_completion_tokens disagree', broken: (body) => body.max_tokens !== undefined && body.max_completion_tokens !== undefined && body.max_tokens !== body.max_completion_tokens },
  { why: 'tool_choice names no function of tools', broken: ({ tool_choice: choice, tools }) => choice?.type === 'function' && !list(tools).some((tool) => tool.type === 'function' && tool.function.name === choice.function.name) },
];

const anthropicTurns = [
  { why: 'two tools of one name', broken: (body) => repeated(list(body.tools).filter(isCustom).map((tool) => tool.name)) },
  { why: 'tool_choice names no tool', broken: ({ tool_choice: choice, tools }) => choice?.type === 'tool' && list(tools).every(isCustom) && !tools.some((tool) => tool.name === choice.name) },
  { why: 'output_format beside output_config.format', broken: (body) => body.output_format !== undefined && body.output_config?.format !== undefined },
  { why: 'an empty assistant message that is not the last', broken: (body) => body.messages.slice(0, -1).some((message) => message.role === 'assistant' && message.content.length === 0) },
  { why: 'two tool_use blocks of one id', broken: (body) => repeated(body.messages.filter((message) => message.role === 'assistant').flatMap((message) => blocks(message, 'tool_use').map((block) => block.id))) },
  { why: 'a tool_result that answers no open tool_use', broken: (body) => unasked(body.messages) },
];

const isCustom = (tool) => (tool.type ?? 'custom') === 'custom';
const blocks = (message, type) => list(message.content).filter((block) => block.type === type);

function unasked(messages) {
  let open = new Set();
  let previous;
  for (const message of messages) {
    if (message.role === 'assistant') {
      if (previous !== 'assistant') open = new Set();
      for (const block of blocks(message, 'tool_use')) open.add(block.id);
    } else if (message.role === 'user') {
      for (const block of blocks(message, 'tool_result')) if (!open.delete(block.tool_use_id)) return true;
    }
    if (message.role !== 'system') previous = message.role;
  }
  return false;
}

export const rules = {
  createKey: [{ why: 'expiresAt in the past', broken: ({ expiresAt }) => expiresAt !== undefined && Date.parse(expiresAt) <= Date.now() }],
  putBudget: [{ why: 'no such time zone', broken: ({ timeZone }) => timeZone !== undefined && timeZone !== null && !isZone(timeZone) }],
  complete: [...nativeTools, ...templates],
  stream: [...nativeTools, ...templates],
  extract: [{ why: 'the shipped template has no schema', broken: (body) => body.fields === undefined && body.schema === undefined }],
  addPrompt: [{ why: 'no template', broken: (body) => !SOURCES.includes(body.source) }],
  createChatCompletion: openaiAgreement,
  createMessage: anthropicTurns,
  countMessageTokens: anthropicTurns,
};

/**
 * Where the description stays open on purpose: the members it does not list are part of a valid request, because the client's bytes
 * pass to a vendor of its own dialect. Everywhere else an unknown member must be called invalid and refused.
 */
export const open = {
  createChatCompletion: 'OpenAI-compatible servers have fields, parts, tools and forms of their own',
  createMessage: "Anthropic's beta fields, blocks and tools pass as they came",
  countMessageTokens: 'the same body as createMessage',
  mcp: 'what a message may hold is the protocol\'s to say',
  callTool: 'what a tool takes is its own schema\'s to say',
};

/** Members that every target has a word for, but for `n`, logprobs and the like. */
export const portable = {
  complete: ['messages', 'model', 'systemPrompt', 'temperature', 'topP', 'topK', 'maxTokens', 'stop', 'seed', 'stream', 'tools', 'toolChoice', 'parallelToolCalls', 'user', 'conversation', 'frequencyPenalty', 'presencePenalty'],
  createChatCompletion: ['model', 'messages', 'stream', 'max_tokens', 'max_completion_tokens', 'temperature', 'top_p', 'frequency_penalty', 'presence_penalty', 'stop', 'seed', 'tools', 'tool_choice', 'parallel_tool_calls', 'user'],
  createMessage: ['model', 'max_tokens', 'messages', 'stream', 'temperature', 'top_p', 'top_k', 'stop_sequences', 'tools', 'tool_choice'],
};
portable.stream = portable.complete;
portable.countMessageTokens = portable.createMessage;

/** Documented statuses that no request of this suite can bring about. */
export const unseen = {
  402: 'budgets have a suite of their own, budgets.test.mjs',
  409: 'needs another server that runs the same request, or a key that was turned; held by the tests of the idempotency slice',
  500: 'a bug; none may be found',
  503: ['getReadiness', 'getMetrics', 'getOpenApi', 'createKey', 'listKeys', 'getKey', 'revokeKey', 'rotateKey', 'listModels', 'getModel', 'getUsage', 'getConversationCosts', 'listAttempts', 'getBudget', 'putBudget', 'deleteBudget', 'listPrompts', 'addPrompt', 'getPrompt', 'moveLabel', 'rollBackLabel', 'mcp', 'listTargets', 'listTools', 'listAgents', 'callTool', 'putProviderKey', 'getProviderKey', 'deleteProviderKey', 'putTenantProviderKey', 'getTenantProviderKey', 'deleteTenantProviderKey'],
  502: ['callTool'],
  504: ['callTool'],
};

/** What is excused above and can be brought about all the same. */
export const seenToo = { moveLabel: ['409'] };

/** What a race may bring about: two that move one label. */
export const perhaps = { addPrompt: ['409'], rollBackLabel: ['409'] };

// ---- bodies -----------------------------------------------------------------------------------------------------------------

const GPT = 'gpt-4o-mini';
const CLAUDE = 'claude-haiku-4-5';
const SMALL = 'text-embedding-3-small';

const image = `data:image/png;base64,${PIXEL}`;
const weather = { name: 'get_weather', description: 'Weather of a city.', parameters: CITY, strict: true };

const native = (model, text, more = {}) => ({ model, messages: [{ role: 'user', content: text }], ...more });
const nativeTurns = (model) => ({
  model,
  systemPrompt: 'Be brief.',
  messages: [
    { role: 'system', content: [{ type: 'text', text: 'Be exact.' }] },
    { role: 'user', content: [{ type: 'text', text: 'What is the weather in Paris?' }, { type: 'image', mediaType: 'image/png', data: PIXEL }] },
    { role: 'assistant', content: 'Let me see.', toolCalls: [{ id: 'call_1', name: 'get_weather', arguments: { city: 'Paris' } }, { id: 'call_2', name: 'get_weather', arguments: { city: 'London' } }] },
    { role: 'tool', toolCallId: 'call_1', content: 'sunny' },
    { role: 'tool', toolCallId: 'call_2', content: [{ type: 'text', text: 'no such city' }], isError: true },
  ],
  tools: [weather, { name: 'now' }],
  toolChoice: 'auto', parallelToolCalls: true, temperature: 0.5, topP: 0.9, maxTokens: 200, stop: ['END'], user: 'u-1', conversation: 'c-1',
});

const chat = (model, text, more = {}) => ({ model, messages: [{ role: 'user', content: text }], ...more });
const fn = { type: 'function', function: weather };
const chatTurns = (model) => ({
  model,
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: [{ type: 'text', text: 'What is the weather in Paris?' }, { type: 'image_url', image_url: { url: image } }] },
    { role: 'assistant', content: null, tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Paris"}' } }] },
    { role: 'tool', tool_call_id: 'call_1', content: 'sunny' },
  ],
  tools: [fn], tool_choice: 'auto', temperature: 0.5, max_tokens: 200, stop: ['END'], user: 'u-1',
});

const message = (model, text, more = {}) => ({ model, max_tokens: 200, messages: [{ role: 'user', content: text }], ...more });
const messageTurns = (model) => ({
  model,
  max_tokens: 200,
  system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
  messages: [
    { role: 'user', content: [{ type: 'text', text: 'What is the weather in Paris?' }, { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PIXEL } }] },
    { role: 'assistant', content: [{ type: 'text', text: 'Let me see.' }, { type: 'tool_use', id: 'toolu_1', name: 'get_weather', input: { city: 'Paris' } }] },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: [{ type: 'text', text: 'sunny' }] }, { type: 'text', text: 'And now?' }] },
  ],
  tools: [{ name: 'get_weather', description: 'Weather of a city.', input_schema: CITY }],
  tool_choice: { type: 'auto', disable_parallel_tool_use: true }, temperature: 0.5, stop_sequences: ['END'], metadata: { user_id: 'u-1' },
});

/** Each of these must be answered 200, and is what the changes start from. */
export const examples = {
  createKey: [
    { name: 'plain', scopes: ['ai:complete'] },
    { name: 'everything', scopes: ['ai:complete', 'ai:embed', 'agent:run', 'admin', 'operator'], tenant: 'acme', project: 'website', monthlyBudget: 12.5, requestsPerSecond: 0.5, burst: 3, tokensPerMinute: 1000, concurrency: 4, models: ['fast', GPT], expiresAt: '2099-01-31T00:00:00Z' },
  ],
  rotateKey: [{ graceSeconds: 60 }, { graceSeconds: 0 }, {}],
  putBudget: [{ scope: 'user', name: 'nobody', limit: 5000 }, { scope: 'user', name: 'nobody', limit: 5000.5, period: 'day', hard: false, timeZone: 'Europe/Zurich' }],
  deleteBudget: [{ scope: 'user', name: 'nobody else', period: 'week' }],
  complete: [
    native('simulated', 'Hello'), nativeTurns('simulated'), nativeTurns(GPT), { ...nativeTurns(CLAUDE), topP: null }, native('fast', 'Hello'), native('local', 'Water flows. It turns a wheel.'), native(`openai/${GPT}`, 'Hello', { seed: 7, frequencyPenalty: 1, presencePenalty: -1 }),
    native(CLAUDE, 'Hello', { topK: 5 }), native('simulated', 'weather', { tools: [weather], toolChoice: { name: 'get_weather' } }), native(GPT, 'the weather in Paris and London', { tools: [weather], toolChoice: 'required' }),
    native(GPT, 'a city', { responseFormat: { type: 'json', name: 'city', schema: CITY, strict: true } }), native(CLAUDE, 'a city', { responseFormat: { type: 'json', schema: CITY } }), native(GPT, 'json', { responseFormat: { type: 'json' } }),
    native(GPT, 'stop END here', { stop: 'END' }), native(GPT, 'one two three four', { maxTokens: 2 }), native(GPT, '[[refuse]]'), native(CLAUDE, '[[think]]hello', { stream: false }), native(GPT, '[[filter]]hello'),
    native(GPT, '[[empty-args]]weather', { tools: [{ name: 'get_weather' }], stream: true }), native(GPT, '[[no-usage]]hello'), native(GPT, '[[cached:100]] [[reasoning:50]]hello'), native(CLAUDE, 'Hello', { stream: true }),
    native(GPT, 'nulls', { temperature: null, tools: null, stop: null, user: null }), native('simulated', 'whole', { maxTokens: 20, seed: 9007199254740991 }),
  ],
  stream: [native('simulated', 'Hello'), nativeTurns('simulated'), nativeTurns(GPT), { ...nativeTurns(CLAUDE), topP: null }, native('local', 'Water flows.'), native(CLAUDE, '[[think]]hello'), native(GPT, '[[refuse]]'), native(GPT, 'weather in Paris and London', { tools: [weather] }), native(GPT, '[[silent:1500]]hello'), native(GPT, 'stop END', { stop: ['END'] })],
  embed: [{ input: 'text' }, { input: ['a', 'b'], model: 'simulated', dimensions: 8, user: 'u-1' }, { input: ['a'], model: 'local' }, { input: 'a', model: SMALL, dimensions: 256 }, { input: dataOf(2048), model: 'simulated', dimensions: 4 }],
  classify: [{ text: 'water', labels: ['water', 'fire'] }, { text: 'water', labels: ['water', 'fire'], multiple: true, model: GPT }, { text: 'fire', labels: ['water', 'fire'], model: 'simulated', multiple: false }, { text: 'water', labels: ['water', 'fire'], model: 'local' }],
  suggest: [{ text: 'Once upon' }, { text: 'Once upon', count: 2, model: GPT }, { text: 'Once upon a time there was.', count: 10, model: 'local' }, { text: 'Once', model: 'simulated' }],
  summarise: [{ text: 'Water flows. It turns a wheel.' }, { text: 'Water flows.', sentences: 1, model: GPT, template: 'summarise' }, { text: 'Water flows.', model: 'local', template: 'summarise:production' }, { text: 'Water flows.', model: 'simulated', sentences: 20 }],
  summarize: [{ text: 'Water flows. It turns a wheel.' }, { text: 'Water flows.', sentences: 1, model: CLAUDE }, { text: 'Water flows.', model: 'local' }],
  extract: [{ text: 'My name is Ann Lee.', fields: ['name'] }, { text: 'Paris', fields: { city: 'Which city.' }, model: GPT, template: 'extract' }, { text: 'Paris', schema: CITY, model: CLAUDE }, { text: 'On 2026-12-01.', fields: ['date', 'name'], model: 'local' }, { text: 'Paris', schema: CITY, model: 'simulated' }],
  putProviderKey: [{ apiKey: 'sk-a-key-at-a-provider' }],
  putTenantProviderKey: [{ apiKey: 'sk-a-key-at-a-provider' }],
  callTool: [{ expression: '1 + 1' }],
  addPrompt: [{ source: SOURCES[0] }, { source: SOURCES[1], label: 'staging', reason: 'to see' }],
  moveLabel: [{ version: 'summarise:production' }, { version: 'summarise:production', reason: 'to see' }],
  rollBackLabel: [{ reason: 'to see' }, {}],
  mcp: [
    { jsonrpc: '2.0', id: 1, method: 'tools/list' }, { jsonrpc: '2.0', id: 'a', method: 'ping', params: {} }, { jsonrpc: '2.0', id: 2, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'suite', version: '1' } } },
    { jsonrpc: '2.0', id: 3, method: 'tools/call', params: { name: 'classify', arguments: { text: 'water', labels: ['water', 'fire'] } } }, { jsonrpc: '2.0', id: 4, method: 'tools/call', params: { name: 'summarise', arguments: {} } }, { jsonrpc: '2.0', id: 5, method: 'no/such' },
  ],
  ask: [{ prompt: 'Hello' }, { prompt: 'Hello', model: 'fast', system: 'Be brief.' }, { prompt: 'Hello', model: 'no such tier' }, { prompt: '[[refuse]]', model: GPT }, { prompt: 'Hello', model: 'simulated', system: 'Be brief.' }, { prompt: 'Hello', model: '' }],
  createChatCompletion: [
    chat('simulated', 'Hello'), chatTurns('simulated'), chatTurns(GPT), chatTurns(CLAUDE), chat('fast', 'Hello', { stream: true }), chat(GPT, 'Hello', { stream: true, stream_options: { include_usage: true } }), chat(CLAUDE, 'Hello', { stream: true, stream_options: { include_usage: true } }),
    chat(GPT, 'two', { n: 2, seed: 7, logprobs: null, max_completion_tokens: 9 }), chat(GPT, 'json', { response_format: { type: 'json_object' } }), chat(GPT, 'a city', { response_format: { type: 'json_schema', json_schema: { name: 'city', schema: CITY, strict: true } } }),
    chat(GPT, 'weather in Paris and London', { tools: [fn], tool_choice: { type: 'function', function: { name: 'get_weather' } } }), chat(CLAUDE, 'weather in Paris and London', { tools: [fn], stream: true }), chat(GPT, '[[refuse]]'), chat(CLAUDE, '[[refuse]]'), chat('local', 'Water flows.'),
    chat('simulated', 'nothing is asked', { store: false, service_tier: 'auto', metadata: {}, logit_bias: {}, modalities: ['text'], temperature: null, stop: null, n: 1, frequency_penalty: 0, response_format: { type: 'text' } }),
    { model: 'simulated', messages: [{ role: 'developer', content: [{ type: 'text', text: 'x' }], name: 'dev' }, { role: 'user', content: 'x', name: 'ann' }, { role: 'assistant', content: [{ type: 'refusal', refusal: 'no' }, { type: 'text', text: 'y' }], refusal: 'no' }, { role: 'user', content: 'z' }] },
    chat(GPT, '[[silent:1500]]hello', { stream: true }), chat(CLAUDE, '[[think]]hello', { stream: true }),
  ],
  createEmbedding: [{ model: SMALL, input: 'text' }, { model: SMALL, input: ['a', 'b'], encoding_format: 'base64', dimensions: 64, user: 'u-1' }, { model: 'simulated', input: ['a', 'b'], encoding_format: 'float', dimensions: 8, user: 'u-1' }, { model: 'local', input: dataOf(2048), dimensions: 2, encoding_format: 'base64' }],
  createMessage: [
    message('simulated', 'Hello'), messageTurns('simulated'), messageTurns(CLAUDE), messageTurns(GPT), message(CLAUDE, 'Hello', { stream: true }), message(GPT, 'Hello', { stream: true }), message(CLAUDE, '[[think]]hello', { stream: true }), message(CLAUDE, 'weather in Paris', { tools: messageTurns('').tools, tool_choice: { type: 'tool', name: 'get_weather' }, stream: true }),
    message(GPT, 'weather in Paris and London', { tools: messageTurns('').tools, tool_choice: { type: 'any' } }), message(GPT, 'a city', { output_config: { format: { type: 'json_schema', schema: CITY } } }), message('simulated', 'a city', { output_format: { type: 'json_schema', schema: CITY } }),
    message('simulated', 'nothing is asked', { thinking: { type: 'disabled' }, service_tier: 'auto', speed: 'standard', betas: [], mcp_servers: [], cache_control: { type: 'ephemeral' }, top_p: 0.5, system: 'x', metadata: {} }),
    { model: 'simulated', max_tokens: 9, messages: [{ role: 'user', content: 'x' }, { role: 'assistant', content: [{ type: 'thinking', thinking: 'hm', signature: 'c2ln' }, { type: 'redacted_thinking', data: 'xyz' }, { type: 'text', text: 'y', citations: [] }] }, { role: 'system', content: 'z' }, { role: 'user', content: [{ type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } }, { type: 'text', text: 'z' }] }, { role: 'assistant', content: '' }] },
    message('local', 'Water flows.'), message(CLAUDE, '[[refuse]]'), message(CLAUDE, '[[silent:1500]]hello', { stream: true }),
  ],
  countMessageTokens: [message(CLAUDE, 'Hello'), { model: CLAUDE, messages: [{ role: 'user', content: 'Hello' }] }, { ...messageTurns('simulated'), max_tokens: undefined }, { model: GPT, messages: [{ role: 'user', content: 'Hello' }], system: 'Be brief.' }, { model: 'local', messages: [{ role: 'user', content: 'Hello' }] }],
};

/** What a provider does wrong, by the status that each family of operations turns it into; null where the stream has begun and stays 200. */
const faults = [
  ['[[status:400]]', 400], ['[[status:401]]', 502], ['[[status:402]]', 502], ['[[status:403]]', 502], ['[[status:404]]', 404], ['[[status:413]]', 413], ['[[status:429:retry-after=2]]', 429], ['[[status:429]]', 429],
  ['[[status:500]]', 502], ['[[status:502:html]]', 502], ['[[status:503]]', 503], ['[[status:504]]', 504], ['[[insufficient_quota]]', 502],
];
const breaks = ['[[malformed-chunk:after=1]]', '[[cut:after=1]]', '[[cut-eof:after=1]]', '[[error-in-stream:after=1]]'];

const asked = {
  complete: (text, model) => native(model, text),
  stream: (text, model) => native(model, text),
  classify: (text, model) => ({ text, labels: ['a', 'b'], model }),
  suggest: (text, model) => ({ text, model }),
  summarise: (text, model) => ({ text, model }),
  summarize: (text, model) => ({ text, model }),
  extract: (text, model) => ({ text, fields: ['name'], model }),
  ask: (text, model) => ({ prompt: text, model }),
  createChatCompletion: (text, model) => chat(model, text),
  createMessage: (text, model) => message(model, text),
  countMessageTokens: (text, model) => ({ model, messages: [{ role: 'user', content: text }] }),
  embed: (text) => ({ input: text, model: SMALL }),
  createEmbedding: (text) => ({ input: text, model: SMALL }),
};

/** Failures behind Penstock: `{ operation, label, body, status }`. */
export function failures() {
  const cases = [];
  for (const [operation, ask] of Object.entries(asked)) {
    const embeds = operation === 'embed' || operation === 'createEmbedding';
    const models = embeds ? [SMALL] : operation === 'countMessageTokens' ? [CLAUDE] : [GPT, CLAUDE];
    const overloaded = ['createMessage', 'countMessageTokens'].includes(operation);
    for (const model of models) {
      for (const [marker, status] of faults) {
        if (operation === 'countMessageTokens' && !marker.includes('status')) continue;
        cases.push({ operation, label: `${model} ${marker}`, body: ask(`${marker} hello`, model), status: status === 503 && overloaded ? 529 : status });
      }
      if (embeds || operation === 'countMessageTokens') continue;
      for (const marker of breaks) {
        const body = ask(`${marker} hello you there`, model);
        const streams = ['complete', 'createChatCompletion', 'createMessage'].includes(operation);
        cases.push({ operation, label: `${model} ${marker}`, body });
        if (streams) cases.push({ operation, label: `${model} ${marker} streamed`, body: { ...body, stream: true } });
      }
    }
  }
  return cases;
}

/** What is wrong before any schema is looked at: `{ label, raw, why }`. */
export const malformed = [
  { label: 'an empty body', raw: '', why: 'empty' },
  { label: 'half a body', raw: '{"model":', why: 'no JSON' },
  { label: 'an array', raw: '[]', why: 'no object' },
  { label: 'a name given twice', raw: '{"model":"simulated","model":"local"}', why: 'a name given twice' },
  { label: 'broken UTF-8', raw: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), why: 'no UTF-8' },
  { label: 'too deep', raw: `{"model":${'['.repeat(70)}${']'.repeat(70)}}`, why: 'nested more than 64 deep' },
  { label: 'half of a surrogate pair', raw: '{"model":"\\ud800"}', why: 'no text' },
];
export { CLAUDE, GPT, SMALL };function isZone(name) {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) && true;
  } catch {
    return false;
  }
}


