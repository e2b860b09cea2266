// What the browser keeps between visits. A page opened from a file or in a frame may be denied it;
// then nothing is remembered, and all works.

export function recall(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

// Null forgets.
export function remember(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // Denied.
  }
}
