// Writes the one protobuf request the page sends in binary form.

export class ProtoWriter {
  private readonly out: number[] = [];

  text(number: number, value: string): this {
    const bytes = new TextEncoder().encode(value);
    this.varint(number * 8 + 2);
    this.varint(bytes.length);
    for (const byte of bytes) this.out.push(byte);
    return this;
  }

  integer(number: number, value: number): this {
    this.varint(number * 8);
    this.varint(value);
    return this;
  }

  bytes(): Uint8Array {
    return new Uint8Array(this.out);
  }

  private varint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.out.push(rest % 128 | 0x80);
      rest = Math.floor(rest / 128);
    }
    this.out.push(rest);
  }
}
