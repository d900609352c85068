// Penstock as an MCP server, as the official client meets it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { serverOnly, start, until } from '../harness.mjs';

const GPT = 'gpt-4o-mini';
const CITY = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };

describe('an MCP client', serverOnly, () => {
  let session;
  const open = [];
  before(async () => {
    session = await start();
  });
  after(async () => {
    for (const client of open) await client.close();
    await session?.stop();
  });

  const connect = async (key = session.key, requestInit = {}) => {
    const client = new Client({ name: 'suite', version: '1.0.0' });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${session.url}/mcp`), { requestInit: { headers: { authorization: `Bearer ${key}` }, ...requestInit } }));
    open.push(client);
    return client;
  };

  test('shakes hands, pings and lists the tools', async () => {
    const client = await connect();
    assert.deepEqual([client.getServerVersion().name, client.getServerCapabilities()], ['penstock', { tools: {} }]);
    await client.ping();
    const { tools } = await client.listTools();
    assert.deepEqual(tools.map(({ name }) => name), ['classify', 'extract', 'summarise']);
    for (const tool of tools) assert.ok(tool.outputSchema && tool.description && tool.annotations.readOnlyHint, tool.name);
  });

  test('calls every tool, whose answers fit the schemas they promise', async () => {
    const client = await connect();
    // The client checks structured answers against the tools it has listed.
    await client.listTools();
    for (const model of [GPT, 'local', 'simulated']) {
      const classified = await client.callTool({ name: 'classify', arguments: { text: 'water', labels: ['water', 'fire'], model } });
      assert.ok(['water', 'fire'].includes(classified.structuredContent.label));
      assert.deepEqual(JSON.parse(classified.content[0].text), classified.structuredContent);
      assert.ok(Array.isArray((await client.callTool({ name: 'classify', arguments: { text: 'water', labels: ['water', 'fire'], multiple: true, model } })).structuredContent.labels));
      const extracted = await client.callTool({ name: 'extract', arguments: { text: 'It is 2026-12-01.', fields: { date: 'The day.' }, model } });
      assert.deepEqual(Object.keys(extracted.structuredContent.data), ['date']);
      assert.ok((await client.callTool({ name: 'extract', arguments: { text: 'Paris', schema: CITY, model } })).structuredContent.data);
      const summary = await client.callTool({ name: 'summarise', arguments: { text: 'Water flows. It turns a wheel.', model } });
      assert.match(summary.structuredContent.template, /^summarise@[0-9a-f]{8}$/);
      assert.ok(summary.structuredContent.summary.length > 0);
    }
  });

  test('is booked and limited as any other', async () => {
    const usage = await session.withOwnKey(async () => {
      const client = await connect();
      await client.callTool({ name: 'summarise', arguments: { text: 'Water flows.', model: GPT } });
      return session.usage();
    });
    assert.equal(usage.requests, 1);
    assert.ok(usage.totalCost > 0);
  });

  test('is told in words what a tool cannot do', async () => {
    const poor = await session.createKey({ scopes: ['ai:complete'], monthlyBudget: 0.000000001 });
    const client = await connect(poor.apiKey);
    const spent = await client.callTool({ name: 'summarise', arguments: { text: 'Water flows.', model: GPT } });
    assert.equal(spent.isError, true);
    assert.match(spent.content[0].text, /budget/);
    assert.equal(spent._meta['penstock/error'].status, 402);
    const wrong = await client.callTool({ name: 'classify', arguments: { text: 'x', labels: ['one'] } });
    assert.match(wrong.content[0].text, /'labels' must hold 2 to 100 labels/);
    await assert.rejects(client.callTool({ name: 'paint', arguments: {} }), (error) => error.code === -32602);
  });

  test('is not let in without a key', async () => {
    await assert.rejects(connect('sk-pen-0000000000000000-00000000000000000000000000000000'), /401|unknown or revoked/i);
  });

  test('is not let in from a page of elsewhere', async () => {
    await assert.rejects(connect(session.key, { headers: { authorization: `Bearer ${session.key}`, origin: 'http://evil.example' } }), /403|origin/i);
  });

  test('takes a call back, and the vendor is left', async () => {
    const client = await connect();
    await session.forget();
    const stop = new AbortController();
    const call = client.callTool({ name: 'summarise', arguments: { text: '[[silent:20000]]hello', model: GPT } }, undefined, { signal: stop.signal });
    call.catch(() => {});
    await until(async () => assert.equal((await session.seen()).length, 1), 5_000);
    const at = Date.now();
    stop.abort();
    await assert.rejects(call);
    assert.ok(await session.leftAfter(at) < 2_000);
  });
});
