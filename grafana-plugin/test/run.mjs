// Everything: build, types, style, unit tests, then the built plugins in a
// browser. Stops at the first part that fails.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const bin = (name) => path.join(root, 'node_modules', '.bin', name);
const parts = [
  ['build', process.execPath, ['build.mjs']],
  ['types', bin('tsc'), ['--noEmit']],
  ['style', bin('eslint'), ['.']],
  ['unit tests', process.execPath, ['test/unit.mjs']],
  ['browser checks', process.execPath, ['test/browser/run.mjs']],
];
for (const [name, command, args] of parts) {
  const started = Date.now();
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  process.stdout.write(`${status === 0 ? '✔' : '✖'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)\n`);
  if (status !== 0) {
    process.exit(1);
  }
}
