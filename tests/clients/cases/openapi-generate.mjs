// Values made from a schema, and what comes of them when one thing at a time is changed. The same seed gives the same values.

/** mulberry32 */
export function dice(seed) {
  const next = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (count) => Math.floor(next() * count);
  return {
    next, below,
    pick: (items) => items[below(items.length)],
    shuffled: (items) => {
      const copy = [...items];
      for (let i = copy.length - 1; i > 0; i--) {
        const j = below(i + 1);
        [copy[i], copy[j]] = [copy[j], copy[i]];
      }
      return copy;
    },
  };
}

const TEXTS = ['a', 'Hello there', 'naïve 東京 🚰 "quoted" \\back', 'line\nbreak\ttab', '\u0000\u001f', '<b>&amp;</b>', 'x'.repeat(150), '🚰'.repeat(30)];
const DEEPEST = 7;

export class Generator {
  constructor(resolve, roll) {
    this.resolve = resolve;
    this.roll = roll;
  }

  /** @param {'minimal' | 'maximal' | 'random'} fill which optional members there are */
  value(schema, fill, depth = 0) {
    const at = this.resolve(schema);
    if (at.const !== undefined) return at.const;
    if (at.enum) return fill === 'minimal' ? at.enum[0] : this.roll.pick(at.enum);
    const choices = at.oneOf ?? (at.properties ? undefined : at.anyOf);
    if (choices && !at.properties) return this.value(fill === 'minimal' || depth > DEEPEST ? choices[0] : this.roll.pick(choices), fill, depth);
    if (at.examples && (at.pattern || at.not || this.roll.next() < 0.7)) return this.roll.pick(at.examples);
    const types = [at.type ?? 'string'].flat().filter((type) => type !== 'null' || fill === 'random');
    switch (fill === 'minimal' ? types[0] : this.roll.pick(types)) {
      case 'object': return this.#object(at, fill, depth);
      case 'array': return this.#array(at, fill, depth);
      case 'string': return this.#string(at, fill);
      case 'integer': return this.#number(at, fill, Math.round);
      case 'number': return this.#number(at, fill, (number) => Math.round(number * 1000) / 1000);
      case 'boolean': return fill === 'minimal' ? false : this.roll.next() < 0.5;
      default: return null;
    }
  }

  #object(at, fill, depth) {
    const made = {};
    const wanted = new Set(at.required);
    // Where the schema offers several sets of members, one is chosen and the others' are left out.
    if (at.oneOf || at.anyOf) {
      const sets = at.oneOf ?? at.anyOf;
      const chosen = fill === 'minimal' ? sets[0] : this.roll.pick(sets);
      for (const name of chosen.required ?? []) wanted.add(name);
    }
    const share = { minimal: 0, random: 0.3, maximal: depth > 3 ? 0.4 : 1 }[fill];
    for (const [name, member] of Object.entries(at.properties ?? {})) {
      if (wanted.has(name) || (depth <= DEEPEST && this.roll.next() < share)) made[name] = this.value(member, fill, depth + 1);
    }
    if (at.oneOf) for (const other of at.oneOf.flatMap((set) => set.required ?? [])) if (!wanted.has(other)) delete made[other];
    return made;
  }

  #array(at, fill, depth) {
    const least = at.minItems ?? 0;
    const count = fill === 'minimal' || depth > DEEPEST ? least : Math.min(at.maxItems ?? 3, Math.max(least, 1 + this.roll.below(2)));
    const made = Array.from({ length: count }, () => (at.items ? this.value(at.items, fill, depth + 1) : 'item'));
    return at.uniqueItems ? made.map((item, index) => (typeof item === 'string' ? `${item.slice(0, 20)}${index}` : item)) : made;
  }

  #string(at, fill) {
    if (at.pattern) throw new Error(`A pattern needs examples in the description: ${at.pattern}`);
    const least = at.minLength ?? 0;
    if (fill === 'minimal') return 'x'.repeat(Math.max(1, least));
    const most = at.maxLength ?? Infinity;
    if (most < 1000 && this.roll.next() < 0.15) return (this.roll.next() < 0.5 ? '🚰' : 'm').repeat(most);
    const fitting = TEXTS.filter((text) => [...text].length >= least && [...text].length <= most);
    return this.roll.pick(fitting);
  }

  #number(at, fill, round) {
    const least = at.minimum ?? 0;
    const most = at.maximum ?? 1e9;
    if (fill === 'minimal') return least > -1e15 ? least : 0;
    // A few small ones, so that answers stay short, and now and then an end of the range.
    const chance = this.roll.next();
    if (Math.abs(most) > 1e15) return this.roll.below(1e9) - 5e8;
    if (chance < 0.1) return most;
    if (chance < 0.2) return least;
    return round(least + this.roll.next() * (Math.min(most, 64) - least));
  }

  /** Copies of the value, each with one thing changed: `{ label, value }`. Whether they are valid is not said. */
  *changes(schema, value, path = '') {
    const at = this.resolve(schema);
    if (value === null || value === undefined) return;
    if (path) for (const other of [7, 'text', true, [], {}, [7], '', null]) if (!same(other, value)) yield { label: `${path} = ${JSON.stringify(other)}`, value: other };
    yield* this.#edges(at, value, path);
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) yield* this.#inside(at.items ?? this.#itemsOf(at), item, `${path}[${index}]`, (changed) => value.with?.(index, changed) ?? value.map((old, i) => (i === index ? changed : old)));
    } else if (typeof value === 'object') {
      for (const name of Object.keys(value)) {
        const { [name]: _, ...without } = value;
        yield { label: `${path}.${name} left out`, value: without, first: this.#branch(at, value).required?.includes(name) };
        yield* this.#inside(this.#branch(at, value).properties?.[name], value[name], `${path}.${name}`, (changed) => ({ ...value, [name]: changed }));
      }
      yield { label: `${path}.unheard_of added`, value: { ...value, unheard_of: 1 } };
    }
  }

  *#edges(at, value, path) {
    for (const one of [at, ...(at.oneOf ?? []).map((choice) => this.resolve(choice))]) {
      if (typeof value === 'number' && one.minimum > -1e15) yield { label: `${path} below`, value: one.minimum - 1 };
      if (typeof value === 'number' && one.maximum < 1e15) yield { label: `${path} above`, value: one.maximum + 1 };
      if (typeof value === 'number' && one.minimum !== undefined && one.minimum > -1e15) yield { label: `${path} at its least`, value: one.minimum };
      if (typeof value === 'number' && one.type?.includes('integer')) yield { label: `${path} = 1.5`, value: 1.5 };
      if (typeof value === 'string' && (one.enum || one.pattern)) yield { label: `${path} = 'no such'`, value: 'no such ✗' };
      if (typeof value === 'string' && one.maxLength) {
        yield { label: `${path} too long`, value: 'y'.repeat(one.maxLength + 1) };
        yield { label: `${path} as long as may be, of astral characters`, value: '🚰'.repeat(one.maxLength) };
      }
      if (Array.isArray(value) && one.maxItems < 5000) yield { label: `${path} with too many items`, value: Array.from({ length: one.maxItems + 1 }, (_, index) => (typeof value[0] === 'string' ? `item ${index}` : value[0])) };
      if (Array.isArray(value) && one.uniqueItems) yield { label: `${path} with an item twice`, value: [...value, ...value] };
    }
  }

  *#inside(schema, value, path, put) {
    if (schema) for (const { label, value: changed, first } of this.changes(schema, value, path)) yield { label, value: put(changed), first };
  }

  /** Of several schemas the one whose fixed members the value has. */
  #branch(at, value) {
    if (at.properties) return at;
    const choices = (at.oneOf ?? at.anyOf ?? []).map((choice) => this.resolve(choice)).flatMap((choice) => (choice.oneOf && !choice.properties ? choice.oneOf.map((one) => this.resolve(one)) : [choice]));
    return choices.find((choice) => choice.properties && Object.entries(choice.properties).every(([name, member]) => {
      const fixed = this.resolve(member);
      if (fixed.const !== undefined) return value[name] === fixed.const;
      return !(fixed.enum && choice.required?.includes(name)) || fixed.enum.includes(value[name]);
    })) ?? {};
  }

  #itemsOf(at) {
    return (at.oneOf ?? []).map((choice) => this.resolve(choice)).find((choice) => choice.items)?.items;
  }
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
