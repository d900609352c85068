// Budget alerts, as those who are told meet them. Signatures are checked by the reference implementation.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { start, serverOnly, until } from '../harness.mjs';

const SECRET = 'whsec_QU5PVEhFUiBTRUNSRVQgT0YgMzIgQllURVMgSEVSRSE=';
const SLACK_PATH = '/services/T00/B00/slack-secret';

/** Notes what is posted to it; answers 500 to the first of each path, so that every delivery here is a second try. */
async function receiver() {
  const seen = [];
  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const first = !seen.some((other) => other.path === request.url);
    seen.push({ path: request.url, headers: request.headers, body, at: Date.now(), taken: !first });
    response.writeHead(first ? 500 : 204).end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  const stop = () => new Promise((resolve) => { server.closeAllConnections(); server.close(resolve); });
  return { url, seen, stop, taken: (path) => seen.filter((delivery) => delivery.path === path && delivery.taken) };
}

describe('alerts', serverOnly, () => {
  let session, told;
  before(async () => {
    told = await receiver();
    session = await start({
      env: { SLACK_WEBHOOK_URL: told.url + SLACK_PATH },
      config: { alerts: { webhooks: { ops: { url: `${told.url}/hooks/ops`, secret: SECRET } } } },
    });
  });
  after(async () => {
    await session?.stop();
    await told?.stop();
  });

  test('50, 80 and 100 percent are told once each within 10 s, signed, to the webhook and to Slack', async () => {
    const call = () => session.post('/v1/complete', { model: 'gpt-4o-mini', maxTokens: 20, messages: [{ role: 'user', content: 'Hello' }] });
    assert.equal((await call()).status, 200);
    const { totalCost } = await session.usage();
    // Each call costs the same: a budget of four of them and a bit is half spent after two more.
    const put = await fetch(`${session.url}/v1/usage/budget`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${session.adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ scope: 'tenant', limit: totalCost * 4, hard: false }),
    });
    assert.equal(put.status, 200, await put.text());

    const started = Date.now();
    for (let i = 0; i < 6; i++) assert.equal((await call()).status, 200);
    await until(() => {
      assert.equal(told.taken('/hooks/ops').length, 3);
      assert.equal(told.taken(SLACK_PATH).length, 3);
    }, 15_000);

    const webhooks = told.taken('/hooks/ops');
    const events = webhooks.map(({ body, headers }) => new Webhook(SECRET).verify(body, headers));
    assert.deepEqual(events.map((event) => event.data.threshold).sort((a, b) => a - b), [50, 80, 100]);
    for (const [index, event] of events.entries()) {
      assert.equal(event.type, 'budget.threshold_reached');
      assert.equal(event.data.id, webhooks[index].headers['webhook-id']);
      assert.deepEqual([event.data.scope, event.data.period, event.data.hard, event.data.limit], ['tenant', 'month', false, totalCost * 4]);
      assert.ok(event.data.spent >= (event.data.limit * event.data.threshold) / 100, `${event.data.spent} of ${event.data.limit}`);
      assert.throws(() => new Webhook(SECRET).verify(webhooks[index].body.replace('"threshold":', '"threshold": '), webhooks[index].headers), /signature/i);
    }

    // Those that were taken at the first try: the one that was refused first is told 5 s later.
    const prompt = webhooks.filter((delivery) => delivery.at - started <= 10_000);
    assert.ok(prompt.length >= 2, 'later than 10 s');
    const refused = told.seen.find((delivery) => delivery.path === '/hooks/ops' && !delivery.taken);
    assert.ok(refused.at - started <= 10_000);
    assert.ok(webhooks.some((delivery) => delivery.headers['webhook-id'] === refused.headers['webhook-id']), 'what was refused did not come again under its id');

    for (const { body } of told.taken(SLACK_PATH)) {
      const message = JSON.parse(body);
      assert.match(message.text, /monthly budget of tenant 'default' is (spent|passed): .* USD \(\d+\.\d %\)/);
      assert.equal(message.blocks.length, 2);
    }
  });

  test('no secret is in the log', () => {
    assert.ok(session.penstock.log().includes('did not reach slack'), 'the control: the failed try is in the log');
    for (const secret of ['slack-secret', SECRET, SECRET.slice(6)]) assert.ok(!session.penstock.log().includes(secret), secret);
  });
});
