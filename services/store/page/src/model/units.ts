// Values as people read them.

const BYTES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const COUNTS = ["", "k", "M", "G", "T", "P"];
const TIME_MS: Record<string, number> = {
  nanoseconds: 1e-6,
  microseconds: 1e-3,
  milliseconds: 1,
  seconds: 1000,
};

function digits(value: number): string {
  const size = Math.abs(value);
  if (size >= 100 || Number.isInteger(value)) return value.toFixed(0);
  return value.toFixed(size >= 10 ? 1 : 2);
}

function scaled(value: number, base: number, units: string[], separator: string): string {
  let index = 0;
  let rest = value;
  while (Math.abs(rest) >= base && index < units.length - 1) {
    rest /= base;
    index++;
  }
  return `${digits(rest)}${units[index] ? separator + units[index] : ""}`;
}

function formatTime(ms: number): string {
  const size = Math.abs(ms);
  if (size === 0) return "0 s";
  if (size < 1e-3) return `${digits(ms * 1e6)} ns`;
  if (size < 1) return `${digits(ms * 1e3)} µs`;
  if (size < 1000) return `${digits(ms)} ms`;
  if (size < 120_000) return `${digits(ms / 1000)} s`;
  if (size < 7_200_000) return `${digits(ms / 60_000)} min`;
  if (size < 172_800_000) return `${digits(ms / 3_600_000)} h`;
  return `${digits(ms / 86_400_000)} d`;
}

// `value` in `unit` (a pprof unit): `1.5 s`, `12 MiB`, `3.4 k`.
export function formatValue(value: number, unit: string): string {
  if (unit in TIME_MS) return formatTime(value * TIME_MS[unit]);
  if (unit === "bytes") return scaled(value, 1024, BYTES, " ");
  return scaled(value, 1000, COUNTS, " ");
}

// Two digits at least: much of a host runs on hundredths of a core.
function cores(value: number): string {
  return value >= 0.1 || value === 0 ? digits(value) : value.toPrecision(2);
}

// A sum over `seconds` as a rate: time becomes cores, bytes become bytes per second.
export function formatRate(sum: number, unit: string, seconds: number): string {
  const rate = sum / Math.max(seconds, 1e-9);
  if (unit in TIME_MS) return `${cores((rate * TIME_MS[unit]) / 1000)} cores`;
  return `${formatValue(rate, unit)}/s`;
}

export function formatShare(share: number): string {
  const percent = share * 100;
  if (percent === 0) return "0 %";
  if (Math.abs(percent) < 0.01) return "< 0.01 %";
  return `${percent.toFixed(Math.abs(percent) < 1 ? 2 : 1)} %`;
}
