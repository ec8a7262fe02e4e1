const secretNames = /pass(word|wd|phrase)|secret|token|credential|private.?key|cookie|auth(?!or(?!i))/i;
const secretsInText = /(\bbearer |\bbasic |:\/\/[^\s/:@]*:)[^\s@"',]+/gi;

/** Stands for a value that must not be written down. */
export const redacted = "[redacted]";

/** True for the name of a field whose value is a secret, such as `password`, `registryToken` or `Authorization`. */
export function isSecretName(name: string): boolean {
  return secretNames.test(name);
}

/** Text without the secrets that are recognisable by what stands in front of them: HTTP credentials, passwords in URLs. */
export function redactText(text: string): string {
  return text.replace(secretsInText, `$1${redacted}`);
}
