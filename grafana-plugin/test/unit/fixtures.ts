import fs from 'node:fs';
import path from 'node:path';
import type { Flow } from '../../src/ladder/model';

declare const ROOT: string;

/** The plugin's own folder. */
export const root = ROOT;

/** A flow made from a real capture; see pkg/harness/fixtures_test.go. */
export function fixture(name: string): Flow {
  return JSON.parse(fs.readFileSync(path.join(ROOT, 'test', 'fixtures', `${name}.json`), 'utf8'));
}

/** A frame as the backend answered with it. */
export function frame(name: string): unknown {
  return JSON.parse(fs.readFileSync(path.join(ROOT, 'test', 'fixtures', `${name}.frame.json`), 'utf8'));
}
