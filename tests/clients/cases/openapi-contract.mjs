// Holds recorded exchanges against an OpenAPI description. Pure: the same exchanges can be held against a changed copy.
import addFormats from 'ajv-formats';
import Ajv2020 from 'ajv/dist/2020.js';

const METHODS = ['get', 'put', 'post', 'delete', 'patch'];
const step = (name) => name.replaceAll('~', '~0').replaceAll('/', '~1');

export class Contract {
  /** @param rules what no schema can say: operationId → [{ why, broken: (body) => boolean }] */
  constructor(description, rules) {
    this.description = description;
    this.rules = rules;
    this.ajv = new Ajv2020({ strict: false, validateFormats: true });
    addFormats(this.ajv);
    this.ajv.addSchema(description, 'api');
    this.compiled = new Map();
    this.operations = new Map();
    for (const [path, item] of Object.entries(description.paths)) {
      for (const method of METHODS.filter((name) => item[name])) this.operations.set(item[method].operationId, this.#operation(path, method, item));
    }
  }

  #operation(path, method, item) {
    const operation = item[method];
    const pointer = `api#/paths/${step(path)}/${method}`;
    const given = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((one) => this.resolve(one));
    return {
      id: operation.operationId, path, method: method.toUpperCase(), operation, pointer,
      scopes: operation.security.length === 0 ? null : operation.security[0].bearer,
      parameters: given,
      bodySchema: operation.requestBody ? operation.requestBody.content['application/json'].schema : null,
    };
  }

  resolve(node) {
    while (node.$ref) node = node.$ref.split('/').slice(1).reduce((at, name) => at[name.replaceAll('~1', '/').replaceAll('~0', '~')], this.description);
    return node;
  }

  /** Undefined where the value fits, else what is wrong. */
  fault(pointerOrSchema, value) {
    const key = typeof pointerOrSchema === 'string' ? pointerOrSchema : JSON.stringify(pointerOrSchema);
    if (!this.compiled.has(key)) this.compiled.set(key, this.ajv.compile(typeof pointerOrSchema === 'string' ? { $ref: pointerOrSchema } : absolute(pointerOrSchema)));
    const validate = this.compiled.get(key);
    return validate(value) ? undefined : this.ajv.errorsText(validate.errors.slice(0, 4), { dataVar: '' });
  }

  /** Why the description calls the request invalid; undefined where it calls it valid. */
  objection(exchange) {
    const { bodySchema, operation, pointer, parameters, id } = this.operations.get(exchange.operation);
    for (const parameter of parameters) {
      const value = this.#parameterOf(parameter, exchange);
      if (value === undefined) continue;
      if (typeof value === 'object') return `${parameter.name} is given twice`;
      const fault = this.fault(parameter.schema, parameter.schema.type === 'integer' && /^-?\d+$/.test(value) ? Number(value) : value);
      if (fault) return `${parameter.name}: ${fault}`;
    }
    if (!bodySchema) return undefined;
    if (exchange.malformed) return exchange.malformed;
    if (exchange.body === undefined || exchange.body === '') return operation.requestBody.required ? 'no body' : undefined;
    const body = withoutNulls(JSON.parse(exchange.body));
    return this.fault(`${pointer}/requestBody/content/application~1json/schema`, body) ?? this.rules[id]?.find((rule) => rule.broken(body))?.why;
  }

  #parameterOf(parameter, { path, query, headers }) {
    const value = parameter.in === 'path' ? path?.[parameter.name] : parameter.in === 'query' ? query?.[parameter.name] : headers?.[parameter.name];
    // An empty one counts as not given.
    return value === '' ? undefined : value;
  }

  /** Everything in which the exchange and the description differ. */
  mismatches(exchange) {
    const found = [];
    const { operation, scopes, pointer } = this.operations.get(exchange.operation);
    const { status } = exchange.answer;
    const say = (kind, what) => found.push({ kind, what: `${exchange.operation} (${exchange.label}) answered ${status}: ${what}`, exchange });

    if (status === 500) say('bug', exchange.answer.text.slice(0, 300));
    for (const { kind, what, fits } of this.#wanted(exchange, scopes)) if (!fits(status)) say(kind, what);

    const response = operation.responses[status];
    if (!response) {
      say('status', `not documented; ${exchange.answer.text.slice(0, 300)}`);
      return found;
    }
    const described = this.resolve(response);
    this.#headers(described, exchange, say);
    this.#content(described, response.$ref ? `api${response.$ref}` : `${pointer}/responses/${status}`, exchange, say);
    return found;
  }

  *#wanted(exchange, scopes) {
    if (scopes) {
      if (exchange.auth === null) return yield { kind: 'key', what: 'no valid key was sent', fits: (status) => status === 401 };
      if (!scopes.every((scope) => exchange.auth.includes(scope))) return yield { kind: 'scope', what: `the key lacks ${scopes}`, fits: (status) => status === 403 };
    }
    if (exchange.status) yield { kind: 'expected', what: `expected ${exchange.status}; ${exchange.answer.text.slice(0, 300)}`, fits: (status) => status === exchange.status };
    // What is wrong with the call and not with its form is no schema's to say.
    if (exchange.status >= 400) return undefined;
    const objection = this.objection(exchange);
    if (objection) return yield { kind: 'invalid taken', what: `the description calls it invalid: ${objection}`, fits: (status) => status >= 400 && status < 500 };
    yield { kind: 'valid refused', what: `the description calls it valid; ${exchange.answer.text.slice(0, 300)}`, fits: (status) => status !== 400 || refusedByTarget(exchange) };
  }

  #headers(described, { answer }, say) {
    const documented = Object.fromEntries(Object.entries(described.headers ?? {}).map(([name, header]) => [name.toLowerCase(), this.resolve(header)]));
    for (const [name, { required, schema }] of Object.entries(documented)) {
      const value = answer.headers[name];
      // The cost is known before the answer goes out, but for streams.
      const due = required || (required !== false && name === 'x-penstock-cost-usd' && answer.status === 200 && answer.type === 'application/json');
      if (value === undefined) {
        if (due) say('header', `${name} is missing`);
        continue;
      }
      const fault = this.fault(schema, schema.type === 'integer' ? Number(value) : value);
      if (fault) say('header', `${name}: ${value}${fault}`);
    }
    const ours = /^(x-penstock-.*|x-ratelimit-.*|anthropic-ratelimit-.*|x-request-id|request-id|retry-after.*|x-should-retry|location)$/;
    for (const name of Object.keys(answer.headers)) if (ours.test(name) && !documented[name]) say('header', `${name} is not documented`);
  }

  #content(described, pointer, { answer }, say) {
    if (!described.content) {
      if (answer.type || answer.text) say('content type', `'${answer.type}' where no body is documented`);
      return;
    }
    const media = described.content[answer.type];
    if (!media) {
      say('content type', `'${answer.type}' is not documented`);
      return;
    }
    if (answer.type === 'text/event-stream') {
      this.#events(media, `${pointer}/content/${step(answer.type)}/x-event-schema`, answer, say);
      return;
    }
    let body = answer.text;
    try {
      if (answer.type.endsWith('json')) body = JSON.parse(answer.text);
    } catch {
      say('body', 'no JSON');
      return;
    }
    const fault = this.fault(`${pointer}/content/${step(answer.type)}/schema`, body);
    if (fault) say('body', `${fault} in ${answer.text.slice(0, 600)}`);
  }

  #events(media, pointer, answer, say) {
    if (!media['x-event-schema']) {
      say('event', 'a stream whose events have no schema');
      return;
    }
    const events = eventsOf(answer.text);
    for (const { name, data } of events) {
      if (data === '[DONE]') continue;
      let value;
      try {
        value = JSON.parse(data);
      } catch {
        say('event', `no JSON: ${data.slice(0, 200)}`);
        continue;
      }
      const fault = this.fault(pointer, value);
      if (fault) say('event', `${fault} in ${data.slice(0, 300)}`);
      if (name && name !== value.type) say('event', `event '${name}' holds data of type '${value.type}'`);
    }
    const order = orderFault(media['x-event-schema'].$ref.split('/').at(-1), events.map(({ data }) => data));
    if (order) say('event', order);
  }
}

/** Who is to answer may refuse what the description allows: by the code for it, or as the vendor itself, of which the ledger then has an attempt. */
export function refusedByTarget({ operation, attempted, answer: { status, text } }) {
  if (status !== 400) return false;
  // Counting leaves no trace in the ledger; the message says who speaks.
  const counted = operation === 'countMessageTokens' && text.includes('Provider \'');
  return attempted || counted || text.includes('unsupported_by_target') || text.includes(' cannot be sent to ');
}

/** What the descriptions of the streams say about their order. */
function orderFault(schema, datas) {
  const last = datas.at(-1);
  const kind = (data) => (data === undefined || data === '[DONE]' ? data : JSON.parse(data).type);
  if (schema === 'AnthropicEvent') return ['message_stop', 'error'].includes(kind(last)) ? undefined : `ends with ${last}`;
  if (schema === 'OpenAiEvent') return last === '[DONE]' || 'error' in JSON.parse(last ?? '{}') ? undefined : `ends with ${last}`;
  if (kind(datas[0]) !== 'start' && kind(datas[0]) !== 'error') return `begins with ${datas[0]}`;
  if (last === '[DONE]') return kind(datas.at(-2)) === 'done' ? undefined : `[DONE] follows ${datas.at(-2)}`;
  return kind(last) === 'error' ? undefined : `ends with ${last}`;
}

export function eventsOf(text) {
  return text.split('\n\n').map((frame) => frame.split('\n').filter((line) => line && !line.startsWith(':'))).filter((lines) => lines.length > 0).map((lines) => ({
    name: lines.find((line) => line.startsWith('event: '))?.slice(7),
    data: lines.filter((line) => line.startsWith('data: ')).map((line) => line.slice(6)).join('\n'),
  }));
}

/** In requests a member that is null counts as not given. */
export function withoutNulls(value) {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null).map(([name, member]) => [name, withoutNulls(member)]));
}

/** A copy whose references lead to the description from anywhere. */
function absolute(schema) {
  return JSON.parse(JSON.stringify(schema), (name, value) => (name === '$ref' && value.startsWith('#') ? `api${value}` : value));
}
