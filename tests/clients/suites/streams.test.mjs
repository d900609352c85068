// The bytes of a stream as a plain HTTP client sees them: framing, headers, and signs of life while the vendor is silent.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { serverOnly, start } from '../harness.mjs';

const IDLE = 2_000;
let session;
before(async () => { session = await start(); });
after(() => session?.stop());

const DIALECTS = {
  openai: {
    route: '/v1/chat/completions',
    body: (content, model) => ({ model, stream: true, messages: [{ role: 'user', content }] }),
    headers: () => ({ authorization: `Bearer ${session.key}` }),
    ping: /^: ping$/,
    last: 'data: [DONE]\n\n',
    text: (line) => line.startsWith('data: {') ? JSON.parse(line.slice(6)).choices?.[0]?.delta?.content ?? '' : '',
  },
  anthropic: {
    route: '/v1/messages',
    body: (content, model) => ({ model, stream: true, max_tokens: 1_000, messages: [{ role: 'user', content }] }),
    headers: () => ({ 'x-api-key': session.anthropicKey, 'anthropic-version': '2023-06-01' }),
    ping: /^event: ping$/,
    last: 'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    text: (line) => line.startsWith('data: {') ? JSON.parse(line.slice(6)).delta?.text ?? '' : '',
  },
};

/** Sends a streaming request and notes each piece of bytes with its time since the request. */
async function watch(dialect, content, model) {
  const begun = performance.now();
  const answer = await fetch(session.url + dialect.route, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...dialect.headers() },
    body: JSON.stringify(dialect.body(content, model)),
  });
  const headersAt = performance.now() - begun;
  const decoder = new TextDecoder();
  const pieces = [];
  for await (const bytes of answer.body) pieces.push({ at: performance.now() - begun, text: decoder.decode(bytes, { stream: true }) });
  return { answer, headersAt, pieces, all: pieces.map((piece) => piece.text).join('') };
}

const textIn = (dialect, all) => all.split('\n').map(dialect.text).join('');

for (const [name, dialect] of Object.entries(DIALECTS)) {
  describe(`stream of the ${name} dialect`, () => {
    const own = name === 'openai' ? 'gpt-4o-mini' : 'claude-haiku-4-5';
    const other = name === 'openai' ? 'claude-haiku-4-5' : 'gpt-4o-mini';

    for (const model of serverOnly.skip ? [own] : [own, other]) {
      test(`framing and headers, ${model}`, async () => {
        const { answer, all } = await watch(dialect, 'hello', model);
        assert.equal(answer.status, 200);
        assert.match(answer.headers.get('content-type'), /^text\/event-stream/);
        assert.ok(answer.headers.get('x-request-id') ?? answer.headers.get('request-id'));
        assert.equal(textIn(dialect, all), 'You said: hello');
        assert.ok(all.endsWith(dialect.last), JSON.stringify(all.slice(-120)));
        assert.ok(!/^id:/m.test(all), 'an id: line breaks clients that see pings');
        assert.ok(!/\r/.test(all));
        for (const event of all.split('\n\n').filter(Boolean)) {
          if (event.startsWith(':')) continue;
          const lines = event.split('\n');
          assert.ok(lines.some((line) => line.startsWith('data: ')), `an event without data: ${event}`);
          if (name === 'openai') assert.ok(lines.every((line) => !line.startsWith('event:')));
          else assert.equal(JSON.parse(lines[1].slice(6)).type, lines[0].slice(7));
        }
      });
    }

    describe('while the vendor is silent', { ...serverOnly, concurrency: true }, () => {
      for (const [when, marker] of Object.entries({ 'before its headers': '[[silent:3000]]', 'before its first event': '[[silent:3000:after=0]]', 'in the middle': '[[silent:3000:after=2]]' })) {
        for (const model of [own, other]) {
          test(`pings for 3 s ${when}, ${model}`, async () => {
            const { answer, headersAt, pieces, all } = await watch(dialect, `one two three ${marker}`, model);
            assert.equal(answer.status, 200);
            assert.ok(headersAt < IDLE, `headers came after ${headersAt} ms`);
            let last = headersAt;
            for (const { at } of pieces) {
              assert.ok(at - last < IDLE, `silent from ${Math.round(last)} to ${Math.round(at)} ms`);
              last = at;
            }
            const pings = pieces.flatMap(({ at, text }) => text.split('\n').filter((line) => dialect.ping.test(line)).map(() => at));
            const during = pings.filter((at) => at > 500 && at < 3_000);
            assert.ok(during.length >= 2, `pings at ${pings.map(Math.round)}`);
            assert.ok(during[0] < 1_700, `the first ping came at ${during[0]} ms`);
            assert.equal(textIn(dialect, all), 'You said: one two three');
            assert.ok(all.endsWith(dialect.last));
          });
        }
      }
    });

    test('no pings where the vendor is not silent', serverOnly, async () => {
      const { all } = await watch(dialect, 'hello', other);
      if (name === 'openai') assert.ok(!all.includes(': ping'));
    });

    test('tokens arrive as the vendor sends them, not at the end', async () => {
      const { pieces } = await watch(dialect, '[[slow:tokens=10:ms=100]]', own);
      const first = pieces.find((piece) => piece.text.includes('w1'));
      assert.ok(pieces.at(-1).at - first.at > 600, `all within ${pieces.at(-1).at - first.at} ms`);
    });

    test('half a megabyte of answer arrives whole', async () => {
      const { all } = await watch(dialect, '[[huge:500000]]', own);
      assert.equal(textIn(dialect, all).length, 500_000);
    });

    test('an error before the stream is no stream', async () => {
      const answer = await fetch(session.url + dialect.route, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...dialect.headers() },
        body: JSON.stringify({ ...dialect.body('hello', own), temperature: 'hot' }),
      });
      assert.equal(answer.status, 400);
      assert.match(answer.headers.get('content-type'), /^application\/json/);
      assert.match(await answer.text(), /temperature/);
    });
  });
}
