// Profile type ids: `name:sample type:sample unit:period type:period unit`.

export interface ProfileType {
  id: string;
  name: string;
  sampleType: string;
  unit: string;
}

// What people look for first comes first.
const PREFERRED = [
  "process_cpu:cpu:nanoseconds:cpu:nanoseconds",
  "off_cpu:off_cpu:nanoseconds::",
  "wall:wall:nanoseconds:wall:nanoseconds",
];

const TITLES: Record<string, string> = {
  "process_cpu:cpu": "CPU time",
  "process_cpu:samples": "CPU samples",
  "off_cpu:off_cpu": "Off-CPU time",
  "wall:wall": "Wall time",
  "memory:alloc_space": "Memory allocated",
  "memory:alloc_objects": "Objects allocated",
  "memory:inuse_space": "Memory in use",
  "memory:inuse_objects": "Objects in use",
  "goroutine:goroutine": "Goroutines",
  "goroutines:goroutine": "Goroutines",
  "mutex:contentions": "Mutex contentions",
  "mutex:delay": "Mutex delay",
  "block:contentions": "Blocking events",
  "block:delay": "Blocking time",
  "memory:alloc_in_new_tlab_bytes": "Allocated in new TLABs",
  "memory:alloc_in_new_tlab_objects": "Objects in new TLABs",
  "memory:alloc_outside_tlab_bytes": "Allocated outside TLABs",
  "memory:alloc_outside_tlab_objects": "Objects outside TLABs",
  "memory:live": "Live objects",
};

// Types whose values are a state at a moment; all others add up over time.
const INSTANT = /^(memory:(inuse_|live)|goroutines?:|heap:inuse_|process_cpu:samples:)/;

export function parseProfileType(id: string): ProfileType {
  const [name = "", sampleType = "", unit = ""] = id.split(":");
  return { id, name, sampleType, unit };
}

export function titleOf(type: ProfileType): string {
  return TITLES[`${type.name}:${type.sampleType}`] ?? `${type.name} ${type.sampleType}`.trim();
}

export function addsUp(type: ProfileType): boolean {
  return !INSTANT.test(type.id);
}

// The type to begin with: the preferred one that is there, else the first.
export function defaultType(ids: string[]): string {
  return PREFERRED.find((id) => ids.includes(id)) ?? ids[0] ?? "";
}
