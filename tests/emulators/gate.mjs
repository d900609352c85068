// What AWS does before a service sees a request, which emulators leave out: it checks the signature (Signature Version 4), made here with AWS's own
// signer for JavaScript and compared. Usage: gate.mjs UPSTREAM_PORT ACCESS_KEY SECRET. Listens on an ephemeral port of 127.0.0.1, which is the first
// line printed.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import http from 'node:http';
import { SignatureV4 } from '@smithy/signature-v4';

const [, , upstream, accessKey, secret] = process.argv;
const mostSkew = 5 * 60 * 1000;

class Sha256 {
  constructor(key) { this.hash = key ? createHmac('sha256', key) : createHash('sha256'); }
  update(data) { this.hash.update(data); }
  async digest() { return new Uint8Array(this.hash.digest()); }
}

const hex = data => createHash('sha256').update(data).digest('hex');

class Refused extends Error {
  constructor(code, message) { super(message); this.code = code; }
}

function readAuthorization(headers) {
  if (!headers.authorization) throw new Refused('MissingAuthenticationTokenException', 'Missing Authentication Token');
  const found = /^AWS4-HMAC-SHA256 Credential=([^,/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(headers.authorization);
  if (!found) throw new Refused('IncompleteSignatureException', 'The Authorization header is not one of Signature Version 4');
  const [, key, day, region, service, signed, signature] = found;
  if (key !== accessKey) throw new Refused('UnrecognizedClientException', 'The security token included in the request is invalid.');
  return { day, region, service, signed: signed.split(';'), signature };
}

function readDate(headers, day) {
  const found = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(headers['x-amz-date'] ?? '');
  if (!found || found.slice(1, 4).join('') !== day) throw new Refused('IncompleteSignatureException', 'x-amz-date is missing or of another day');
  const [, year, month, date, hour, minute, second] = found;
  const skew = Math.abs(Date.now() - Date.UTC(year, month - 1, date, hour, minute, second));
  if (skew > mostSkew) throw new Refused('RequestTimeTooSkewed', 'Signature expired');
}

/** Everything that could change what a request does must be signed. */
function checkSigned(headers, signed) {
  const must = ['host', ...Object.keys(headers).filter(name => name.startsWith('x-amz-'))];
  for (const name of must) {
    if (!signed.includes(name)) throw new Refused('SignatureDoesNotMatch', `The header ${name} is not signed`);
  }
}

function checkPayload(headers, service, body) {
  const told = headers['x-amz-content-sha256'];
  if (service === 's3' && !told) throw new Refused('MissingSecurityHeader', 'x-amz-content-sha256 is missing');
  const is = hex(body);
  if (told && told !== is) throw new Refused('XAmzContentSHA256Mismatch', 'The body is not what x-amz-content-sha256 says');
  return is;
}

async function check(request, body) {
  const { day, region, service, signed, signature } = readAuthorization(request.headers);
  readDate(request.headers, day);
  checkSigned(request.headers, signed);
  const payload = checkPayload(request.headers, service, body);
  const url = new URL(request.url, 'http://gate');
  const query = {};
  for (const [name, value] of url.searchParams) query[name] = value;
  const signer = new SignatureV4({ service, region, sha256: Sha256, applyChecksum: false, uriEscapePath: service !== 's3', credentials: { accessKeyId: accessKey, secretAccessKey: secret } });
  const headers = Object.fromEntries(signed.map(name => [name, request.headers[name] ?? '']));
  const canonical = signer.createCanonicalRequest({ method: request.method, path: request.url.split('?')[0], query, headers }, headers, payload);
  const text = `AWS4-HMAC-SHA256\n${request.headers['x-amz-date']}\n${day}/${region}/${service}/aws4_request\n${hex(canonical)}`;
  const key = [day, region, service, 'aws4_request'].reduce((last, part) => createHmac('sha256', last).update(part).digest(), `AWS4${secret}`);
  const wanted = createHmac('sha256', key).update(text).digest();
  if (!timingSafeEqual(wanted, Buffer.from(signature, 'hex'))) throw new Refused('SignatureDoesNotMatch', 'The request signature we calculated does not match the signature you provided.');
}

function refuse(request, response, refused) {
  if (request.headers['x-amz-target']) {
    response.writeHead(403, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(JSON.stringify({ __type: refused.code, message: refused.message }));
  } else {
    response.writeHead(403, { 'content-type': 'application/xml' });
    response.end(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>${refused.code}</Code><Message>${refused.message}</Message></Error>`);
  }
}

function pass(request, response, body) {
  const onward = http.request({ host: '127.0.0.1', port: Number(upstream), method: request.method, path: request.url, headers: request.headers }, answer => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', error => {
    if (!response.headersSent) response.writeHead(502);
    response.end(error.message);
  });
  // A caller that leaves a long poll ends it.
  response.on('close', () => onward.destroy());
  onward.end(body);
}

const server = http.createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  try {
    await check(request, body);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    refuse(request, response, error);
    return;
  }

  pass(request, response, body);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
