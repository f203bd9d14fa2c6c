// The two encodings of Terraform's plugin protocol: protocol buffers, without a schema, and the part of
// MessagePack in which values travel.

/** A value that is known only after the apply. */
export const UNKNOWN = Symbol("unknown");

function varint(number) {
  const bytes = [];
  let rest = BigInt(number);
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest ? low | 0x80 : low);
  } while (rest);
  return Buffer.from(bytes);
}

/** A message from pairs of field number and value: numbers and booleans as varint, all else by length. */
export function message(...fields) {
  const parts = fields.filter(([, value]) => value !== undefined).flatMap(([field, value]) => {
    if (typeof value === "number" || typeof value === "boolean") {
      return [varint(field << 3), varint(Number(value))];
    }
    const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value, "utf8");
    return [varint((field << 3) | 2), varint(bytes.length), bytes];
  });
  return Buffer.concat(parts);
}

/** The fields that have a length, last one wins. */
export function fields(bytes) {
  const found = {};
  let at = 0;
  const read = () => {
    let number = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      number |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(number);
    }
  };
  while (at < bytes.length) {
    const key = read();
    switch (key & 7) {
      case 0: read(); break;
      case 1: at += 8; break;
      case 2: {
        const length = read();
        found[key >> 3] = bytes.subarray(at, (at += length));
        break;
      }
      case 5: at += 4; break;
      default: throw new Error(`wire type ${key & 7}`);
    }
  }
  return found;
}

export function pack(value) {
  if (value === UNKNOWN) return Buffer.from([0xd4, 0, 0]);
  if (value === null || value === undefined) return Buffer.from([0xc0]);
  if (typeof value === "string") {
    const bytes = Buffer.from(value, "utf8");
    return Buffer.concat([Buffer.from([0xda, bytes.length >> 8, bytes.length & 0xff]), bytes]);
  }
  const entries = Object.entries(value);
  return Buffer.concat([Buffer.from([0x80 | entries.length]), ...entries.flatMap(([k, v]) => [pack(k), pack(v)])]);
}

/** Null, texts, unknowns, and maps of them: all that this provider's schema has. */
export function unpack(bytes) {
  let at = 0;
  const text = (length) => bytes.toString("utf8", at, (at += length));
  const next = () => {
    const first = bytes[at++];
    if (first === 0xc0) return null;
    if (first >= 0xa0 && first <= 0xbf) return text(first & 0x1f);
    if (first === 0xd9) return text(bytes[at++]);
    if (first === 0xda) return text((bytes[at++] << 8) | bytes[at++]);
    if (first >= 0x80 && first <= 0x8f) {
      const map = {};
      for (let left = first & 0x0f; left > 0; left--) {
        const key = next();
        map[key] = next();
      }
      return map;
    }
    if (first === 0xd4) return (at += 2), UNKNOWN;
    // An unknown value with what is known of it: `ext 8` or a fixed one.
    if (first === 0xc7) return (at += bytes[at] + 2), UNKNOWN;
    if (first >= 0xd5 && first <= 0xd8) return (at += 1 + (2 << (first - 0xd5))), UNKNOWN;
    throw new Error(`MessagePack ${first.toString(16)}`);
  };
  return next();
}
