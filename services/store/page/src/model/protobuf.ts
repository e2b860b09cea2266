// A reader of protobuf's wire format, for the one binary message the page takes: a pprof.

export interface Field {
  number: number;
  // The value of a varint field, else 0. Above 2^53 it loses its lowest bits.
  value: number;
  // The content of a length-delimited field, else empty.
  bytes: Uint8Array;
}

const EMPTY = new Uint8Array(0);
const WIRE_VARINT = 0;
const WIRE_FIXED64 = 1;
const WIRE_BYTES = 2;
const WIRE_FIXED32 = 5;

class Cursor {
  position = 0;
  constructor(readonly bytes: Uint8Array) {}

  get done(): boolean {
    return this.position >= this.bytes.length;
  }

  varint(): number {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 10; i++) {
      if (this.done) throw new Error("message ends inside a number");
      const byte = this.bytes[this.position++];
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
    throw new Error("number is longer than 10 bytes");
  }

  take(length: number): Uint8Array {
    if (this.position + length > this.bytes.length) throw new Error("field is longer than message");
    this.position += length;
    return this.bytes.subarray(this.position - length, this.position);
  }
}

// Calls `visit` for each field of a message, in order. The field object is reused.
export function readFields(bytes: Uint8Array, visit: (field: Field) => void): void {
  const cursor = new Cursor(bytes);
  const field: Field = { number: 0, value: 0, bytes: EMPTY };
  while (!cursor.done) {
    const key = cursor.varint();
    field.number = Math.floor(key / 8);
    field.value = 0;
    field.bytes = EMPTY;
    readValue(cursor, key % 8, field);
    visit(field);
  }
}

function readValue(cursor: Cursor, wireType: number, field: Field): void {
  switch (wireType) {
    case WIRE_VARINT:
      field.value = cursor.varint();
      return;
    case WIRE_FIXED64:
      cursor.take(8);
      return;
    case WIRE_BYTES:
      field.bytes = cursor.take(cursor.varint());
      return;
    case WIRE_FIXED32:
      cursor.take(4);
      return;
    default:
      throw new Error(`unknown wire type ${wireType}`);
  }
}

// Appends the numbers of a repeated field, which may come packed or one by one.
export function appendNumbers(field: Field, out: number[]): void {
  if (field.bytes.length === 0) {
    out.push(field.value);
    return;
  }
  const cursor = new Cursor(field.bytes);
  while (!cursor.done) out.push(cursor.varint());
}
