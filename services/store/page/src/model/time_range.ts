// Time ranges as text: `now`, `now-15m`, `2026-11-21 08:15` in local time, or Unix milliseconds.
// All numbers here are milliseconds.

export interface TimeRange {
  from: string;
  until: string;
}

export interface Interval {
  start: number;
  end: number;
}

const UNIT_MS: Record<string, number> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

export const PRESETS: Array<{ label: string; from: string }> = [
  { label: "Last 5 minutes", from: "now-5m" },
  { label: "Last 15 minutes", from: "now-15m" },
  { label: "Last hour", from: "now-1h" },
  { label: "Last 3 hours", from: "now-3h" },
  { label: "Last 6 hours", from: "now-6h" },
  { label: "Last 24 hours", from: "now-24h" },
  { label: "Last 7 days", from: "now-7d" },
];

// The moment `text` names, or null where it names none.
export function parseMoment(text: string, now: number): number | null {
  const trimmed = text.trim();
  if (trimmed === "now") return now;
  const relative = /^now-(\d+)([smhdw])$/.exec(trimmed);
  if (relative) return now - Number(relative[1]) * UNIT_MS[relative[2]];
  if (/^\d{9,11}$/.test(trimmed)) return Number(trimmed) * 1000;
  if (/^\d{12,14}$/.test(trimmed)) return Number(trimmed);
  return parseLocal(trimmed);
}

function parseLocal(text: string): number | null {
  const parts = /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d))?)?$/.exec(text);
  if (!parts) return null;
  const [year, month, day, hour, minute, second] = parts.slice(1).map((p) => Number(p ?? 0));
  return new Date(year, month - 1, day, hour, minute, second).getTime();
}

// The interval of a range, or null where it is malformed, empty or runs backwards.
export function resolve(range: TimeRange, now: number): Interval | null {
  const start = parseMoment(range.from, now);
  const end = parseMoment(range.until, now);
  return start !== null && end !== null && start < end ? { start, end } : null;
}

export function isRelative(range: TimeRange): boolean {
  return range.until.trim() === "now";
}

export function absolute(interval: Interval): TimeRange {
  return { from: String(Math.round(interval.start)), until: String(Math.round(interval.end)) };
}

// The same span directly before.
export function preceding({ start, end }: Interval): Interval {
  return { start: start - (end - start), end: start };
}

// A round step in milliseconds that gives at most `points` points, never below `least`.
export function stepFor({ start, end }: Interval, points: number, least: number): number {
  const steps = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400];
  const wanted = Math.max((end - start) / Math.max(points, 1), least);
  for (const seconds of steps) if (seconds * 1000 >= wanted) return seconds * 1000;
  return Math.ceil(wanted / 86_400_000) * 86_400_000;
}

const pad = (n: number): string => String(n).padStart(2, "0");

// `2026-11-21 08:15:00` in local time; without the date if it is today's.
export function formatMoment(ms: number, now: number): string {
  const t = new Date(ms);
  const clock = `${pad(t.getHours())}:${pad(t.getMinutes())}:${pad(t.getSeconds())}`;
  const today = new Date(now).toDateString() === t.toDateString();
  return today ? clock : `${t.getFullYear()}-${pad(t.getMonth() + 1)}-${pad(t.getDate())} ${clock}`;
}

// A moment as the range fields show it: relative as it was written, else as local time.
export function editable(text: string, now: number): string {
  const moment = parseMoment(text, now);
  if (moment === null || text.includes("now")) return text;
  const t = new Date(moment);
  const date = `${t.getFullYear()}-${pad(t.getMonth() + 1)}-${pad(t.getDate())}`;
  return `${date} ${pad(t.getHours())}:${pad(t.getMinutes())}:${pad(t.getSeconds())}`;
}

// `3 min`, `2 h`, `5 d`: how long, in one unit.
export function formatSpan(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

export function describeRange(range: TimeRange, now: number): string {
  const preset = PRESETS.find((p) => p.from === range.from.trim());
  if (preset && isRelative(range)) return preset.label;
  const interval = resolve(range, now);
  if (!interval) return "invalid range";
  if (isRelative(range)) return `Last ${formatSpan(interval.end - interval.start)}`;
  return `${formatMoment(interval.start, now)} – ${formatMoment(interval.end, now)}`;
}
