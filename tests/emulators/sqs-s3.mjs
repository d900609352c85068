// SQS and S3 on an ephemeral port of 127.0.0.1, which is the first line printed. It is fauxqs, held to what AWS does where fauxqs is laxer:
//   - S3 puts under If-None-Match, also when they race (409 while another is under way, 412 once it is there)
//   - S3 bodies are held against the checksum they came with
//   - S3 requests with a subresource that fauxqs would read as another request are refused
//   - SQS receipts die at the moment at which their message may be given again
//   - a message group on a standard queue is taken only in the form SQS takes
// POST /_clock?ms=N puts the clock on, so that no test waits for a message's hiding to end.
import { createHash } from 'node:crypto';
import { buildApp } from './node_modules/fauxqs/dist/app.js';
import { S3Store } from './node_modules/fauxqs/dist/s3/s3Store.js';
import { SqsStore } from './node_modules/fauxqs/dist/sqs/sqsStore.js';

const now = Date.now.bind(Date);
let ahead = 0;
Date.now = () => now() + ahead;

const s3Store = new S3Store();
const sqsStore = new SqsStore();
const app = buildApp({ logger: false, stores: { s3Store, sqsStore } });
const settle = () => { for (const queue of sqsStore.allQueues()) queue.processTimers(); };

app.post('/_clock', async (request, reply) => {
  ahead += Number(request.query.ms);
  settle();
  return reply.code(204).send();
});

const underWay = new Set();
const knownOfBucket = new Set(['list-type', 'prefix', 'continuation-token', 'max-keys', 'delete']);

const refuseS3 = (reply, status, code) =>
  reply.code(status).header('content-type', 'application/xml').send(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`);

const refuseSqs = (reply, code) =>
  reply.code(400).header('content-type', 'application/x-amz-json-1.0').send(JSON.stringify({ __type: `com.amazonaws.sqs#${code}`, message: code }));

function there(bucket, key) {
  try {
    return s3Store.headObject(bucket, key) !== undefined;
  } catch {
    return false;
  }
}

function checkQueue(request, reply) {
  settle();
  const groups = [request.body?.MessageGroupId, ...(request.body?.Entries ?? []).map(entry => entry.MessageGroupId)];
  const valid = group => group === undefined || /^[A-Za-z0-9!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]{1,128}$/.test(group);
  return groups.every(valid) ? undefined : refuseSqs(reply, 'InvalidParameterValue');
}

function checkObject(request, reply) {
  const path = decodeURIComponent(request.url.split('?')[0]).slice(1);
  const [bucket, key] = path.includes('/') ? [path.slice(0, path.indexOf('/')), path.slice(path.indexOf('/') + 1)] : [path, ''];
  for (const name of Object.keys(request.query ?? {})) {
    if (key !== '' || !knownOfBucket.has(name)) return refuseS3(reply, 501, 'NotImplemented');
  }

  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const checksum = request.headers['x-amz-checksum-sha256'];
  if (checksum && createHash('sha256').update(body).digest('base64') !== checksum) return refuseS3(reply, 400, 'BadDigest');
  if ('delete' in (request.query ?? {}) && !checksum && !request.headers['content-md5']) return refuseS3(reply, 400, 'InvalidRequest');
  if (request.method !== 'PUT' || key === '' || request.headers['if-none-match'] !== '*') return undefined;
  if (underWay.has(path)) return refuseS3(reply, 409, 'ConditionalRequestConflict');
  if (there(bucket, key)) return refuseS3(reply, 412, 'PreconditionFailed');
  underWay.add(path);
  reply.raw.on('close', () => underWay.delete(path));
  return undefined;
}

app.addHook('preHandler', async (request, reply) => {
  if (request.url.startsWith('/_clock')) return undefined;
  return request.headers['x-amz-target'] ? checkQueue(request, reply) : checkObject(request, reply);
});

await app.listen({ host: '127.0.0.1', port: 0 });
console.log(app.server.address().port);
