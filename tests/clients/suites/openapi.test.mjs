// The server held against its own description, /openapi/v1.json: some 2,000 requests, every operation among them, each answer compared.
//
//   PENSTOCK_SEED      another seed for the generated requests
//   PENSTOCK_CHANGES   how many bodies with one thing changed each operation gets
//   PENSTOCK_REPORT    a file for every mismatch in full
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { serverOnly, start, until } from '../harness.mjs';
import { Contract, refusedByTarget } from '../cases/openapi-contract.mjs';
import { Generator, dice } from '../cases/openapi-generate.mjs';
import { CLAUDE, GPT, examples, failures, malformed, open, perhaps, portable, rules, seenToo, SOURCES, unseen } from '../cases/openapi.mjs';

const COMMITTED = new URL('../../../src/Penstock/Http/openapi.v1.json', import.meta.url);
const SEED = Number(process.env.PENSTOCK_SEED ?? 20261130);
const AT_ONCE = 8;
const VALID = 16;
const CHANGED = Number(process.env.PENSTOCK_CHANGES ?? 54);
const SUCCESS = { createKey: 201, deleteBudget: 404, addPrompt: undefined, rollBackLabel: undefined };
const PATH = { model: 'fast', name: 'summarise', label: 'staging', provider: 'spare' };
const pathOf = (id) => (id === 'callTool' ? { ...PATH, name: 'calculator' } : PATH);
const EVERY_SCOPE = ['ai:complete', 'ai:embed', 'agent:run', 'admin', 'operator'];

const text = fs.readFileSync(COMMITTED, 'utf8');
const description = JSON.parse(text);
const contract = new Contract(description, rules);
// What is done with runs and jobs lasts as long as they do, and needs one that waits: those answers are held against the description where a test owns them.
for (const [id, { path }] of contract.operations) if (path.startsWith('/v1/agents/') || /^\/v1\/(admin\/)?jobs/.test(path) || path === '/v1/ws') contract.operations.delete(id);
const roll = dice(SEED);
const generator = new Generator((node) => contract.resolve(node), roll);
const agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE });

let session;
let exchanges;
let keys;
before(async () => {
  if (serverOnly.skip) return;
  // A provider that nobody calls: a key that is stored for it is no other test's.
  session = await start({ config: { providers: { spare: { kind: 'openai', baseUrl: 'http://127.0.0.1:9/v1' } } } });
  keys = await makeKeys();
  exchanges = await exchangeAll(await cases());
  await note(exchanges);
});
after(async () => {
  agent.destroy();
  await session?.stop();
});

describe('the description', serverOnly, () => {
  test('is served as it is committed', async () => {
    assert.equal(await (await fetch(`${session.url}/openapi/v1.json`)).text(), text);
  });

  test('and the server agree in every answer', (t) => {
    const found = exchanges.flatMap((exchange) => contract.mismatches(exchange));
    const objections = exchanges.filter((exchange) => contract.objection(exchange)).length;
    const byTarget = exchanges.filter((exchange) => exchange.status === undefined && !contract.objection(exchange) && refusedByTarget(exchange)).length;
    t.diagnostic(`seed ${SEED}: ${exchanges.length} requests to ${contract.operations.size} operations, ${objections} of them invalid, ${byTarget} valid but refused by their target; ${found.length} mismatches`);
    if (process.env.PENSTOCK_REPORT) fs.writeFileSync(process.env.PENSTOCK_REPORT, JSON.stringify(found, null, 1));
    assert.ok(exchanges.length >= 1_500, `only ${exchanges.length} requests`);
    assert.ok(byTarget < exchanges.length / 20, `${byTarget} valid requests were refused by their target, which leaves too little compared`);
    assert.equal(found.length, 0, summary(found));
  });

  test('is seen in every status that a request can bring about', () => {
    const missing = [];
    for (const { id, operation } of contract.operations.values()) {
      const seen = new Set(exchanges.filter((exchange) => exchange.operation === id).map((exchange) => String(exchange.answer.status)));
      for (const status of Object.keys(operation.responses).filter((one) => !perhaps[id]?.includes(one))) {
        const excused = !seenToo[id]?.includes(status) && (Array.isArray(unseen[status]) ? unseen[status].includes(id) : unseen[status]);
        if (!seen.has(status) && !excused) missing.push(`${id} ${status}`);
        if (seen.has(status) && excused) missing.push(`${id} ${status} is seen, and so needs no excuse`);
      }
    }
    assert.deepEqual(missing, []);
  });

  test('has sound schemas', () => {
    for (const [name, schema] of Object.entries(description.components.schemas)) assert.ok(contract.ajv.validateSchema(schema), `${name}: ${contract.ajv.errorsText()}`);
  });

  test('is closed but where bytes pass to a vendor', () => {
    for (const { id, bodySchema } of contract.operations.values()) {
      if (!bodySchema) continue;
      const body = { ...examples[id][0], unheard_of: 1 };
      const objection = contract.objection({ operation: id, body: JSON.stringify(body) });
      assert.equal(objection === undefined, id in open, `${id}: ${objection}`);
    }
  });

  // The comparison must be able to fail: a changed copy of the description is held against the same answers.
  for (const [what, kind, change] of [
    ['a field of an answer renamed', 'body', (copy) => rename(copy.components.schemas.CompleteAnswer, 'provider', 'vendor')],
    ['a status removed', 'status', (copy) => delete copy.paths['/v1/embed'].post.responses['429']],
    ['another content type', 'content type', (copy) => rename(copy.components.responses.Problem, 'application/problem+json', 'application/json', 'content')],
    ['a header that never comes', 'header', (copy) => { copy.components.responses.AnthropicError.headers['x-never'] = { required: true, schema: { type: 'string' } }; }],
    ['a header left out', 'header', (copy) => delete copy.paths['/v1/complete'].post.responses['200'].headers['x-penstock-model']],
    ['Retry-After promised where there is none', 'header', (copy) => { copy.components.headers.RetryAfter.required = true; }],
    ['a field of a stream event renamed', 'event', (copy) => rename(copy.components.schemas.StreamEvent.oneOf[1], 'text', 'delta')],
    ["a field of OpenAI's chunks renamed", 'event', (copy) => rename(copy.components.schemas.OpenAiChunk, 'choices', 'answers')],
    ["a field of Anthropic's events renamed", 'event', (copy) => rename(copy.components.schemas.AnthropicEvent.oneOf[0], 'message', 'start')],
    ['a required field of a request made optional', 'valid refused', (copy) => { copy.components.schemas.NewKey.required = ['name']; }],
    ['a wider range', 'valid refused', (copy) => { copy.components.schemas.SuggestRequest.properties.count.maximum = 100; }],
    ['a narrower range', 'invalid taken', (copy) => { copy.components.schemas.CompleteRequest.properties.temperature.maximum = 0.4; }],
    ['an open object closed', 'invalid taken', (copy) => { copy.components.schemas.OpenAiChatRequest.additionalProperties = false; delete copy.components.schemas.OpenAiChatRequest.properties.store; }],
    ['another scope', 'scope', (copy) => { copy.paths['/v1/embed'].post.security[0].bearer = ['agent:run']; }],
    ['no key needed', 'status', (copy) => { copy.paths['/v1/models'].get.security = []; delete copy.paths['/v1/models'].get.responses['401']; }],
  ]) {
    test(`is found wrong with ${what}`, () => {
      const copy = structuredClone(description);
      change(copy);
      const changed = new Contract(copy, rules);
      const found = exchanges.flatMap((exchange) => changed.mismatches(exchange));
      assert.ok(found.some((mismatch) => mismatch.kind === kind), `no mismatch of kind '${kind}' among ${found.length}`);
    });
  }
});

function rename(schema, from, to, inside = 'properties') {
  schema[inside] = Object.fromEntries(Object.entries(schema[inside]).map(([name, value]) => [name === from ? to : name, value]));
  if (schema.required) schema.required = schema.required.map((name) => (name === from ? to : name));
}

function summary(found) {
  const kinds = Object.entries(Object.groupBy ? Object.groupBy(found, ({ kind }) => kind) : found.reduce((all, one) => ({ ...all, [one.kind]: [...(all[one.kind] ?? []), one] }), {}));
  return kinds.map(([kind, ones]) => `${ones.length} × ${kind}\n${ones.slice(0, 12).map(({ what, exchange }) => `  ${what.slice(0, 700)}\n    sent ${String(exchange.body ?? JSON.stringify(exchange.query ?? exchange.path ?? {})).slice(0, 300)}`).join('\n')}`).join('\n');
}

// ---- the requests -----------------------------------------------------------------------------------------------------------

const TOOLS = { scopes: ['ai:complete', 'tool:call'] };

/** Who runs agents runs their tools. */
const held = (scopes) => (scopes.includes('agent:run') ? [...scopes, 'tool:call'] : scopes);

async function makeKeys() {
  const fast = { requestsPerSecond: 1_000_000, burst: 1_000_000 };
  const make = async (fields) => {
    const made = await session.createKey({ scopes: ['ai:complete', 'ai:embed'], ...fast, ...fields });
    return { text: made.apiKey, id: made.keyId, auth: fields.auth === undefined ? held(made.scopes) : fields.auth };
  };
  const of = {};
  for (const id of contract.operations.keys()) of[id] = await make(id === 'callTool' ? TOOLS : {});
  const dies = Date.now() + 2_000;
  const expired = { ...(await make({ expiresAt: new Date(dies).toISOString() })), auth: null };
  const admin = await make({ scopes: EVERY_SCOPE });
  const revoked = { ...(await make({})), auth: null };
  await fetch(`${session.url}/v1/auth/keys/${revoked.id}`, { method: 'DELETE', headers: { authorization: `Bearer ${session.adminKey}` } });
  const spare = [];
  for (let i = 0; i < 24; i++) spare.push(await make({ name: 'spare' }));
  const made = {
    of, admin, revoked, expired, spare,
    bare: await make({ scopes: ['agent:run'] }),
    embeds: await make({ scopes: ['ai:embed'] }),
    tenantAdmin: await make({ scopes: ['admin', 'ai:complete'], tenant: 'acme' }),
    lesser: await make({ scopes: ['admin'] }),
    picky: await make({ models: ['no-such-model'] }),
    slow: Object.fromEntries(await Promise.all([...contract.operations.keys()].map(async (id) => [id, await make({ requestsPerSecond: 0.001, burst: 1, ...(id === 'callTool' ? TOOLS : {}) })]))),
  };
  for (const source of SOURCES.slice(0, 2)) assert.equal((await session.post('/v1/prompts', { source, label: 'canary' }, admin.text)).status, 201);
  await until(() => assert.ok(Date.now() > dies), 5_000);
  return made;
}

async function cases() {
  const all = [...plain(), ...keyed(), ...queries(), ...failures().map((one) => ({ ...one, body: JSON.stringify(one.body) }))];
  // What a tool takes its own schema says, and its own tests hold.
  for (const operation of contract.operations.values()) if (operation.bodySchema && operation.id !== 'callTool') all.push(...bodies(operation));
  return all;
}

/** What needs no body, written by hand. */
function plain() {
  const some = [];
  for (const operation of ['getHealth', 'getHealthV1', 'getReadiness', 'getMetrics', 'getOpenApi', 'listKeys', 'listModels', 'getUsage', 'getConversationCosts', 'getBudget', 'listAttempts', 'listPrompts', 'listTargets', 'listTools', 'listAgents']) some.push({ operation, label: 'plain', status: 200 }, { operation, label: 'again', headers: { accept: 'image/png' }, status: 200 });
  for (const [name, status] of [['summarise', 200], ['summarise:production', 200], ['greeting', 200], ['nobody', 404], ['summarise@00000000', 404], ['No such', 400]]) some.push({ operation: 'getPrompt', label: name, path: { name }, status });
  const greeting = { name: 'greeting', label: 'canary' };
  const named = { operation: 'rollBackLabel', path: greeting, headers: { 'idempotency-key': 'one step back' } };
  some.push({ ...named, label: 'one step', body: '{}', status: 200, then: { ...named, label: 'the name of another request', body: '{ }', status: 422 } });
  some.push({ operation: 'rollBackLabel', label: 'of a label that never moved', path: { name: 'greeting', label: 'never' }, status: 404 });
  some.push({ operation: 'addPrompt', label: 'a new version', body: JSON.stringify({ source: SOURCES[2] }), status: 201 });
  const modern = { jsonrpc: '2.0', id: 1, method: 'no/such', params: { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } } };
  some.push({ operation: 'mcp', label: 'no such method', body: JSON.stringify(modern), headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'no/such' }, status: 404 });
  some.push({ operation: 'moveLabel', label: 'from another place', path: PATH, body: JSON.stringify({ version: 'summarise:production', expected: '00000000' }), status: 409 });
  some.push({ operation: 'moveLabel', label: 'to nowhere', path: PATH, body: JSON.stringify({ version: '00000000' }), status: 404 });
  some.push({ operation: 'callTool', label: 'no such tool', path: { name: 'nothing' }, body: '{}', status: 404 }, { operation: 'callTool', label: 'what a tool will not do', path: { name: 'search' }, body: JSON.stringify({ query: 'water' }), status: 422 });
  for (const [kind, path] of [['ProviderKey', { id: keys.spare[7].id, provider: 'spare' }], ['TenantProviderKey', { provider: 'spare' }]]) {
    const removed = { operation: `delete${kind}`, label: 'that is stored', path, status: 204 };
    for (const verb of ['get', 'delete']) some.push({ operation: `${verb}${kind}`, label: 'that is not there', path: { ...path, provider: 'openai' }, status: 404 });
    some.push({ operation: `put${kind}`, label: 'one to look at', path, body: JSON.stringify(examples[`put${kind}`][0]), then: { operation: `get${kind}`, label: 'that is stored', path, status: 200, then: removed } });
    for (const verb of ['get', 'delete', 'put']) some.push({ operation: `${verb}${kind}`, label: 'no provider', path: { ...path, provider: 'no such' }, body: verb === 'put' ? JSON.stringify(examples[`put${kind}`][0]) : undefined, status: 400 });
  }
  some.push({ operation: 'putProviderKey', label: 'of no key', path: { id: '0123456789abcdef', provider: 'spare' }, body: JSON.stringify(examples.putProviderKey[0]), status: 404 });
  const anthropic = { 'anthropic-version': '2023-06-01' };
  some.push({ operation: 'listModels', label: "in Anthropic's shape", headers: anthropic, status: 200 });
  for (const model of [GPT, CLAUDE, 'fast', 'local']) some.push({ operation: 'getModel', label: model, path: { model }, status: 200 }, { operation: 'getModel', label: `${model} in Anthropic's shape`, path: { model }, headers: anthropic, status: 200 });
  for (const id of ['0123456789abcdef', 'x', '%', '\u{1f6b0}', "' OR 1=1 --", 'a'.repeat(3000), 'a b', '..%2f', 'sk-pen']) {
    some.push({ operation: 'getModel', label: 'unknown', path: { model: id }, status: 404 });
    for (const operation of ['getKey', 'revokeKey', 'rotateKey']) some.push({ operation, label: `unknown id ${id.slice(0, 20)}`, path: { id }, status: 404 });
  }
  some.push({ operation: 'getModel', label: 'of a key that may use another', path: { model: 'fast' }, key: keys.picky, status: 404 });
  for (const key of keys.spare.slice(0, 4)) {
    const path = { id: key.id };
    some.push({ operation: 'getKey', label: 'one', path, status: 200 }, { operation: 'getKey', label: "another tenant's", path, query: { tenant: 'acme' }, status: 404 }, { operation: 'getKey', label: 'beyond its tenant', path, query: { tenant: 'default' }, key: keys.tenantAdmin, status: 403 });
    some.push({ operation: 'revokeKey', label: "another tenant's", path, key: keys.tenantAdmin, status: 404 });
    some.push({ operation: 'rotateKey', label: 'without a body', path, status: 200 });
  }
  for (const key of keys.spare.slice(20)) some.push({ operation: 'revokeKey', label: 'one', path: { id: key.id }, status: 204 });
  for (const operation of ['createKey', 'listKeys', 'getKey', 'revokeKey', 'rotateKey']) {
    const one = { operation, path: { id: 'ffff' }, body: operation === 'createKey' ? JSON.stringify(examples.createKey[0]) : undefined };
    for (const tenant of ['acme', 'nobody', 'no such ✗', 'x'.repeat(65), '../', 'acme\n', ['acme', 'acme'], '']) some.push({ ...one, label: `tenant ${tenant}`, query: { tenant } });
    some.push({ ...one, label: 'beyond its tenant', query: { tenant: 'nobody' }, key: keys.tenantAdmin, status: 403 });
  }
  const someone = { scope: 'user', name: 'someone', period: 'day' };
  some.push({ operation: 'putBudget', label: 'one to remove', body: JSON.stringify({ ...someone, limit: 5000 }), status: 200, then: { operation: 'deleteBudget', label: 'the one', body: JSON.stringify(someone), status: 204 } });
  for (const operation of ['revokeKey', 'rotateKey']) some.push({ operation, label: "an operator's", path: { id: keys.admin.id }, key: keys.lesser, status: 403 });
  some.push({ operation: 'createKey', label: 'beyond its tenant', body: '{"name":"x","scopes":["admin"],"tenant":"nobody"}', key: keys.tenantAdmin, status: 403 });
  for (const expiresAt of ['2020-01-01', '2026-02-30', '12:00', 'tomorrow', '2099-01-01 00:00:00Z']) some.push({ operation: 'createKey', label: `expires ${expiresAt}`, body: JSON.stringify({ name: 'x', scopes: ['ai:embed'], expiresAt }), status: 400 });
  some.push({ operation: 'createKey', label: 'beyond its scope', body: '{"name":"x","scopes":["operator"]}', key: keys.tenantAdmin, status: 403 });
  return some;
}

/** Every operation with every kind of key, in both headers; and every limited one beyond its limit. */
function keyed() {
  const some = [];
  for (const { id, bodySchema, operation, scopes } of contract.operations.values()) {
    const body = bodySchema ? JSON.stringify(examples[id][0]) : undefined;
    const one = { operation: id, body, path: { ...pathOf(id), id: keys.spare[5].id } };
    const good = keyOf(id);
    for (const [label, headers] of [
      ['no key', {}], ['an empty key', { authorization: 'Bearer ' }], ['a malformed key', { authorization: 'Bearer sk-proj-abc' }], ['another scheme', { authorization: 'Basic dXNlcjpwYXNz' }],
      ['an unknown key', { 'x-api-key': `sk-pen-0000000000000000-${'0'.repeat(64)}` }], ['a wrong secret', { authorization: `Bearer ${good.text.slice(0, -4)}0000` }],
    ]) some.push({ ...one, label, headers, key: { text: null, auth: null } });
    for (const key of [keys.revoked, keys.expired]) some.push({ ...one, label: 'a dead key', key });
    if (id !== 'revokeKey') some.push({ ...one, label: 'the other header', headers: { 'x-api-key': good.text }, key: { text: null, auth: good.auth } });
    const bare = id === 'callTool' ? keys.embeds : keys.bare;
    if (scopes?.length) some.push({ ...one, label: 'a key without the scope', key: bare }, { ...one, label: 'another key without the scope', key: { ...keys.of[id], auth: keys.of[id].auth.filter((scope) => !scopes.includes(scope)), text: scopes[0] === 'admin' ? keys.of[id].text : bare.text } });
    if (operation.responses['429']) {
      some.push({ ...one, label: 'the last within the limit', key: keys.slow[id], then: { ...one, label: 'beyond the limit', key: keys.slow[id], status: 429 } });
      const chosen = bodySchema && 'model' in (contract.resolve(bodySchema).properties ?? {});
      if (chosen && id !== 'ask') {
        const other = JSON.stringify({ ...examples[id][0], model: 'simulated' });
        some.push({ ...one, label: 'a model the key may not use', body: other, key: keys.picky, status: 403 });
        for (const model of ['no-such-model', 'openai/', 'openai/no-such', 'nobody/x', '\u{1f6b0}', 'a'.repeat(250)]) some.push({ ...one, label: `model ${model}`, body: JSON.stringify({ ...examples[id][0], model }), status: 404 });
      }
    }
    const conversation = operation.parameters?.some((parameter) => parameter.$ref?.endsWith('/Conversation'));
    if (operation.responses['422'] && id !== 'rollBackLabel') {
      const named = (name) => ({ 'idempotency-key': name });
      for (const name of ['a', ' ~', 'x'.repeat(255), 'x'.repeat(256)]) some.push({ ...one, label: `a name of ${name.length}`, path: { ...pathOf(id), id: keys.spare[4].id }, headers: named(`${id}${name}`.slice(-name.length)) });
      some.push({ ...one, label: 'a name', headers: named(id), then: { ...one, label: 'the name of another request', body: `${body} `, headers: named(id), status: 422 } });
    }
    if (operation.parameters?.some((parameter) => parameter.$ref?.endsWith('/Cache'))) {
      for (const headers of [{ 'x-penstock-cache': 'on' }, { 'x-penstock-cache': 'on', 'cache-control': 'no-cache' }, { 'x-penstock-cache': 'off' }, { 'x-penstock-cache': 'sometimes' }, { 'x-penstock-cache': 'on', 'x-penstock-cache-namespace': 'n'.repeat(65) }]) some.push({ ...one, label: `the cache ${Object.values(headers)}`, headers });
    }
    if (conversation) for (const length of [1, 200, 201, 5000]) some.push({ ...one, label: `a conversation of ${length}`, headers: { 'x-penstock-conversation': 'c'.repeat(length) } });
    if (bodySchema) {
      some.push({ ...one, label: 'compressed', headers: { 'content-encoding': 'gzip' }, status: 415 });
      some.push({ ...one, label: 'too large', body: undefined, announced: 33 * 1024 * 1024, status: 413 });
      for (const { label, raw, why } of malformed) some.push({ ...one, label, body: raw, malformed: operation.requestBody.required || raw.length > 0 ? why : undefined });
    }
  }
  return some;
}

/** Every query parameter with what it may and may not be. */
function queries() {
  const some = [];
  for (const { id, parameters } of contract.operations.values()) {
    if (!['getUsage', 'getConversationCosts', 'listAttempts'].includes(id)) continue;
    for (const { name, schema } of parameters.filter((parameter) => parameter.in === 'query')) {
      const good = schema.enum ?? schema.examples ?? (schema.type === 'integer' ? ['1', '1000', '37'] : ['gpt-4o-mini', 'naïve 東京 🚰', "' OR 1=1 --", 'x'.repeat(2000)]);
      const bad = ['no such ✗', '-1', '0', '1001', '1.5', '99999999999999999999', 'DAY', 'day,model', '12:00', '2026-13-01', '11/30/2026', '\u0000', ' '];
      for (const value of [...good, ...bad, '']) some.push({ operation: id, label: `${name} = ${value}`, query: { [name]: value } });
      some.push({ operation: id, label: `${name} twice`, query: { [name]: [good[0], good.at(-1)] } });
      some.push({ operation: id, label: `${name} of a plain key`, query: { [name]: good[0] }, key: keys.of.complete });
    }
    for (const name of ['unheard_of', 'From', '__proto__', id === 'getUsage' ? 'limit' : 'groupBy']) some.push({ operation: id, label: `${name} is no parameter`, query: { [name]: '5' }, status: 400 });
    const all = { from: '2020-01-01', to: '2099-01-01T00:00:00Z', project: 'default', model: 'simulated', provider: 'simulated', user: 'u-1', conversation: 'c-1' };
    some.push({ operation: id, label: 'all at once', query: Object.fromEntries(Object.entries(all).filter(([name]) => parameters.some((parameter) => parameter.name === name))), status: 200 });
    some.push({ operation: id, label: 'the end before the beginning', query: { from: '2026-01-01', to: '2025-01-01' }, status: 200 });
    some.push({ operation: id, label: 'from the first day', query: { from: '0001-01-01', to: '9999-12-31T23:59:59Z' }, status: 200 });
  }
  return some;
}

/** Examples, bodies made from the schema, and both with one thing changed. */
function bodies({ id, bodySchema, pointer }) {
  const some = examples[id].map((body, index) => ({ operation: id, label: `example ${index}`, body: JSON.stringify(body), status: id in SUCCESS ? SUCCESS[id] : 200, path: { ...PATH, id: keys.spare[6].id } }));
  const made = [];
  for (let tries = 0; made.length < VALID && tries < VALID * 60; tries++) {
    const fill = made.length < 2 ? 'minimal' : made.length < VALID / 2 ? 'maximal' : 'random';
    const body = pinned(id, generator.value(bodySchema, fill), fill, made.length % 2 === 1);
    if (!contract.objection({ operation: id, body: JSON.stringify(body) })) made.push({ label: `${fill} ${made.length}`, body });
  }
  assert.ok(made.length >= VALID / 2, `${id}: only ${made.length} valid bodies could be made from ${pointer}`);
  some.push(...made.map(({ label, body }) => ({ operation: id, label, body: JSON.stringify(body), path: { ...PATH, id: keys.spare[6].id } })));
  if ('maxTokens' in (made[4]?.body ?? {}) || 'graceSeconds' in examples[id][0]) some.push({ operation: id, label: 'a whole number with a fraction of nothing', body: JSON.stringify({ ...examples[id][0], [id === 'rotateKey' ? 'graceSeconds' : 'maxTokens']: 20 }).replace(/(Seconds|Tokens)":20/, '$1":20.0') });

  const changed = new Map();
  const bases = [...examples[id].filter((body) => JSON.stringify(body).length < 4000), ...made.slice(2, 6).map(({ body }) => body)].map((body) => JSON.parse(JSON.stringify(body)));
  for (const base of bases) for (const change of generator.changes(bodySchema, base)) changed.set(JSON.stringify(change.value), { ...change, base });
  const [first, others] = [[...changed.values()].filter((change) => change.first), [...changed.values()].filter((change) => !change.first)];
  for (const { label, value } of [...roll.shuffled(first).slice(0, CHANGED / 2), ...roll.shuffled(others)].slice(0, CHANGED)) some.push({ operation: id, label, body: JSON.stringify(value), path: { ...PATH, id: keys.spare[6].id } });
  return some;
}

/** A model that answers at once and takes most of what may be asked; every other body asks for nothing that some target cannot do. */
function pinned(id, body, fill, crossing) {
  if (crossing && portable[id]) {
    for (const name of Object.keys(body)) if (!portable[id].includes(name)) delete body[name];
    body.messages = roll.pick(examples[id].filter((example) => example.model === 'simulated')).messages;
    if (body.tools) body.tools = structuredClone(examples[id].find((example) => example.tools).tools);
  }
  if (fill === 'minimal' && body.model === undefined) return body;
  if (id === 'putBudget' || id === 'deleteBudget') Object.assign(body, { scope: 'user', name: 'nobody' }, 'limit' in body ? { limit: 5000 } : {}, 'timeZone' in body ? { timeZone: 'Europe/Zurich' } : {});
  else if (!['createKey', 'rotateKey', 'addPrompt', 'moveLabel', 'rollBackLabel', 'mcp', 'putProviderKey', 'putTenantProviderKey'].includes(id)) body.model = ['createEmbedding', 'embed'].includes(id) ? 'simulated' : crossing ? 'simulated' : roll.pick(['simulated', 'simulated/3x0', 'local']);
  if (body.dimensions > 64) body.dimensions = roll.pick([64, 65_536]);
  return agreed(body);
}

/** Members that must agree with each other are made to, where chance would hardly do it. */
function agreed(body) {
  if (body.template && body.systemPrompt) delete body[roll.pick(['template', 'systemPrompt'])];
  if (body.variables && !body.template) delete body.variables;
  if (body.fields && body.schema) delete body[roll.pick(['fields', 'schema'])];
  if (body.max_tokens && body.max_completion_tokens) body.max_completion_tokens = body.max_tokens;
  if (body.stream_options && Object.keys(body.stream_options).length > 0) body.stream = true;
  if (body.top_logprobs) body.logprobs = true;
  if (body.output_format) delete body.output_config;
  for (const choice of ['toolChoice', 'tool_choice']) {
    const tool = (body.tools ?? []).find((one) => one.name ?? one.function?.name);
    if (body[choice]?.function) body[choice].function.name = tool?.function?.name ?? 'none';
    else if (body[choice]?.name) body[choice].name = tool?.name ?? 'none';
    if (!(body.tools?.length > 0)) delete body[choice];
  }
  return body;
}

// ---- sending ----------------------------------------------------------------------------------------------------------------

/** Keys are an admin's to manage, and an admin's usage holds all rows. */
function keyOf(id) {
  const { scopes, path } = contract.operations.get(id);
  return scopes?.includes('admin') || path.startsWith('/v1/usage') ? keys.admin : keys.of[id];
}

async function exchangeAll(all) {
  const done = [];
  const waiting = all.flatMap((one) => [one]).reverse();
  const work = async () => {
    for (let one = waiting.pop(); one; one = waiting.pop()) {
      done.push(await exchange(one));
      if (one.then) done.push(await exchange(one.then));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return done;
}

async function exchange(one) {
  const { method, path: template } = contract.operations.get(one.operation);
  const key = one.key ?? keyOf(one.operation);
  const rotated = one.operation === 'rotateKey' && !one.path?.id;
  const given = { ...one, path: rotated ? { id: keys.spare[6 + roll.below(10)].id } : one.path };
  const filled = template.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(given.path[name]));
  const query = Object.entries(given.query ?? {}).flatMap(([name, value]) => [value].flat().map((each) => `${encodeURIComponent(name)}=${encodeURIComponent(each)}`)).join('&');
  const headers = { ...(key.text ? { authorization: `Bearer ${key.text}` } : {}), ...(given.body !== undefined ? { 'content-type': 'application/json' } : {}), ...given.headers };
  const answer = await send(method, filled + (query ? `?${query}` : ''), headers, given.body, given.announced);
  return { ...given, auth: key.auth, answer };
}

function send(method, path, headers, body, announced) {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(session.url);
    const bytes = body === undefined ? null : Buffer.from(body);
    const request = http.request({ hostname, port, method, path, agent: announced ? false : agent, headers: { ...headers, ...(announced ? { 'content-length': announced } : bytes ? { 'content-length': bytes.length } : {}) }, timeout: 30_000 }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk)).on('error', reject).on('end', () => {
        const [type] = (response.headers['content-type'] ?? '').split(';');
        resolve({ status: response.statusCode, headers: response.headers, type, text: Buffer.concat(chunks).toString('utf8') });
        if (announced) request.destroy();
      });
    });
    request.on('timeout', () => request.destroy(new Error(`${method} ${path.slice(0, 200)} took longer than 30 s`)));
    request.on('error', (error) => reject(new Error(`${method} ${path.slice(0, 200)}: ${error.message}`, { cause: error })));
    // Of a body that is announced as too large nothing is sent: the announcement is enough.
    if (announced) request.flushHeaders();
    else request.end(bytes);
  });
}

/** Says of each exchange whether the ledger knows an attempt of it: then the refusal was the provider's. */
async function note(all) {
  const ids = [...new Set([...Object.values(keys.of), keys.admin].map((key) => key.id))];
  const attempted = new Set();
  for (const id of ids) {
    const answer = await fetch(`${session.url}/v1/usage/attempts?limit=1000&key=${id}`, { headers: { authorization: `Bearer ${session.adminKey}` } });
    for (const row of (await answer.json()).attempts) attempted.add(row.requestId);
  }
  for (const one of all) one.attempted = attempted.has(one.answer.headers['x-request-id']);
}
