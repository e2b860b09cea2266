// Puts a text on the clipboard and returns what to tell about it.
export async function copyText(text: string, done: string): Promise<string> {
  if (!navigator.clipboard) return "Browsers allow copying only over https or on localhost";
  try {
    await navigator.clipboard.writeText(text);
    return done;
  } catch (e) {
    return `Not copied: ${e}`;
  }
}
