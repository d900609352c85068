// Runs over a WebSocket, as the commonest client of Node meets it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import WebSocket from 'ws';
import { serverOnly, start } from '../harness.mjs';

const GPT = 'gpt-4o-mini';
const LARGEST = 128 * 1024;

describe('a WebSocket client', serverOnly, () => {
  let session;
  let key;
  const open = [];
  before(async () => {
    session = await start();
    key = (await session.createKey({ scopes: ['ai:complete', 'agent:run'] })).apiKey;
  });
  after(async () => {
    for (const socket of open) socket.terminate();
    await session?.stop();
  });

  const connect = async (options = { headers: { authorization: `Bearer ${key}` } }, protocols = []) => {
    const client = new Client(new WebSocket(`${session.url.replace('http', 'ws')}/v1/ws`, protocols, options));
    open.push(client.socket);
    await client.opened();
    return client;
  };

  const startRun = async (client, input, id = 's1') => {
    client.send({ id, type: 'start', request: { type: 'custom', model: GPT, input: { instructions: 'Answer in short.', text: input } }, subscribe: true });
    const started = await client.next((message) => message.id === id && message.type !== 'event');
    assert.equal(started.type, 'started', JSON.stringify(started));
    return started.run;
  };

  const ofRun = async (client, run) => {
    await client.next((message) => message.type === 'end' && message.run === run);
    return client.messages.filter((message) => message.type === 'event' && message.run === run);
  };

  test('starts a run and hears of it until its end', { timeout: 60_000 }, async () => {
    const client = await connect();
    const run = await startRun(client, 'What is water?');
    const events = await ofRun(client, run);
    assert.deepEqual([events[0].event, events.at(-1).event, events.at(-1).data.status], ['run.started', 'run.ended', 'completed']);
    assert.ok(events.some(({ event }) => event === 'model.delta'));
    assert.ok(String(events.at(-1).data.output).length > 0);
  });

  test('goes on from any event, and what it has then is what one that was never cut has', { timeout: 60_000 }, async () => {
    const first = await connect();
    const run = await startRun(first, 'What is wind?');
    const whole = await ofRun(first, run);
    for (const cut of [0, Math.floor(whole.length / 2), whole.length - 2]) {
      const again = await connect();
      again.send({ id: 'r1', type: 'subscribe', run, after: whole[cut].id });
      assert.deepEqual([...whole.slice(0, cut + 1), ...(await ofRun(again, run))], whole);
      again.socket.close();
    }
  });

  test('gets a large message in parts, none of which is larger than a gateway takes', { timeout: 60_000 }, async () => {
    const client = await connect();
    const text = 'Wäter 🐟 flows. '.repeat(10_000);
    const events = await ofRun(client, await startRun(client, text));
    assert.equal(events[0].data.input.text, text);
    assert.ok(client.parts > 1, 'nothing came in parts');
    assert.ok(client.largest <= LARGEST, `${client.largest} bytes came at once`);
  });

  test('is let in by the subprotocol of a browser, or by its first message, and by nothing else', { timeout: 60_000 }, async () => {
    const browser = await connect({}, ['penstock.v1', `key.${Buffer.from(key).toString('base64url')}`]);
    assert.equal(browser.socket.protocol, 'penstock.v1');
    browser.send({ type: 'ping' });
    assert.equal((await browser.next(({ type }) => type === 'pong')).type, 'pong');
    const late = await connect({});
    late.send({ type: 'auth', key });
    late.send({ type: 'ping' });
    await late.next(({ type }) => type === 'pong');
    const wrong = await connect({});
    wrong.send({ type: 'auth', key: 'sk-pen-0000000000000000-00000000000000000000000000000000' });
    assert.equal(await wrong.closed(), 4401);
  });

  test('is asked whether it lives, and stays for as long as it answers', { timeout: 90_000 }, async () => {
    const client = await connect();
    for (let beats = 0; beats < 2; beats++) await new Promise((resolve) => client.socket.once('ping', resolve));
    client.send({ type: 'ping' });
    await client.next(({ type }) => type === 'pong');
  });

  test('is told what it may not, and stays', { timeout: 60_000 }, async () => {
    const client = await connect();
    client.send({ id: 'x1', type: 'start', request: { type: 'nobody', input: 'x' } });
    const told = await client.next(({ id }) => id === 'x1');
    assert.deepEqual([told.type, told.status, told.code], ['error', 404, 'agent_not_found']);
    client.send({ type: 'ping' });
    await client.next(({ type }) => type === 'pong');
  });
});

/** Joins parts, and keeps what came in its order. */
class Client {
  constructor(socket) {
    this.socket = socket;
    this.messages = [];
    this.parts = this.largest = 0;
    this.waiting = [];
    let joined = '';
    socket.on('message', (data) => {
      this.largest = Math.max(this.largest, data.length);
      let message = JSON.parse(data);
      if (message.type === 'part') {
        this.parts++;
        joined += message.data;
        if (message.index < message.count - 1) return;
        message = JSON.parse(joined);
        joined = '';
      }
      this.messages.push(message);
      for (const look of this.waiting.splice(0)) look();
    });
    this.end = new Promise((resolve) => socket.on('close', resolve));
    socket.on('error', () => {});
  }

  opened() {
    return new Promise((resolve, reject) => {
      this.socket.once('open', resolve);
      this.socket.once('error', reject);
    });
  }

  closed() {
    return this.end;
  }

  send(message) {
    this.socket.send(JSON.stringify(message));
  }

  async next(fits) {
    for (;;) {
      const found = this.messages.find(fits);
      if (found) return found;
      await new Promise((resolve) => { this.waiting.push(resolve); });
    }
  }
}
