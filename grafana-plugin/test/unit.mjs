// Bundles the unit tests (TypeScript) for node's own test runner and runs them.
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const out = path.join(root, '.cache', 'unit');
const tests = fs.readdirSync(path.join(root, 'test', 'unit')).filter((f) => f.endsWith('.test.ts'));

fs.rmSync(out, { recursive: true, force: true });
await build({
  entryPoints: tests.map((f) => path.join(root, 'test', 'unit', f)),
  outdir: out,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  jsx: 'automatic',
  external: ['node:*', 'react', 'react/jsx-runtime', 'react-dom', 'react-dom/server'],
  logLevel: 'warning',
  define: { ROOT: JSON.stringify(root) },
});
const files = fs.readdirSync(out).map((f) => path.join(out, f));
const run = spawnSync(process.execPath, ['--test', '--test-reporter=spec', ...files], { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });
// One line for each test; the counts of the runner only where something failed.
process.stdout.write(
  run.stdout
    .split('\n')
    .filter((line) => run.status !== 0 || /[✔✖]/.test(line))
    .join('\n') + '\n'
);
process.exit(run.status ?? 1);
