// An independent canonicaliser: ECMAScript's own number and string forms, members in UTF-16 order (RFC 8785).
// Reads one JSON text a line, writes the canonical form of each in base64.
const canonical = (value) => {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return '[' + value.map(canonical).join(',') + ']';
  const members = Object.keys(value).sort().map((k) => JSON.stringify(k) + ':' + canonical(value[k]));
  return '{' + members.join(',') + '}';
};
let text = '';
process.stdin.on('data', (chunk) => { text += chunk; });
process.stdin.on('end', () => {
  const lines = text.split('\n').filter((line) => line);
  process.stdout.write(lines.map((l) => Buffer.from(canonical(JSON.parse(l))).toString('base64')).join('\n'));
});
