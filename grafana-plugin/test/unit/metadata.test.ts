// What Grafana, and its review of plugins, ask of the folder that is installed;
// and what a dashboard needs to be portable. Looks at dist: build first.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { groupColumns, metrics, queryTypes } from '../../src/datasource/types';
import { root } from './fixtures';

const dist = path.join(root, 'dist', 'heplake-app');
const folders = { '': 'heplake-app', datasource: 'heplake-datasource', 'ladder-panel': 'heplake-ladder-panel' };
const read = (file: string) => JSON.parse(fs.readFileSync(file, 'utf8'));
const version = read(path.join(root, 'package.json')).version;

for (const [folder, id] of Object.entries(folders)) {
  test(`${id}: its manifest is complete and its files are there`, () => {
    const dir = path.join(dist, folder);
    const m = read(path.join(dir, 'plugin.json'));
    assert.equal(m.id, id);
    assert.match(m.id, /^[0-9a-z]+-([0-9a-z]+-)?(app|panel|datasource)$/);
    assert.ok(m.id.endsWith(m.type));
    assert.equal(m.info.version, version);
    assert.match(m.info.updated, /^\d{4}-\d\d-\d\d$/);
    assert.equal(m.dependencies.grafanaDependency, '>=12.3.0');
    assert.ok(m.info.description && m.info.author.name && m.info.keywords.length > 0);
    assert.ok(!JSON.stringify(m).includes('%VERSION%') && !JSON.stringify(m).includes('%TODAY%'));
    for (const file of ['module.js', m.info.logos.small, m.info.logos.large]) {
      assert.ok(fs.existsSync(path.join(dir, file)), file);
    }
    for (const { type, path: file } of m.includes ?? []) {
      if (type !== 'page') {
        assert.ok(fs.existsSync(path.join(dir, file)), file);
      }
    }
    assert.match(fs.readFileSync(path.join(dir, 'module.js'), 'utf8').slice(0, 8), /^define\(/);
  });
}

test('the app names what is nested in it, each with its path and type', () => {
  const nested = Object.keys(folders).filter(Boolean).map((folder) => ({
    type: read(path.join(dist, folder, 'plugin.json')).type,
    path: `${folder}/plugin.json`,
  }));
  const named = read(path.join(dist, 'plugin.json')).includes.filter((i: any) => i.type !== 'page');
  assert.deepEqual(named.map((i: any) => ({ type: i.type, path: i.path })), nested);
  const ds = read(path.join(dist, 'datasource', 'plugin.json'));
  assert.deepEqual([ds.backend, ds.alerting, ds.executable], [true, true, 'gpx_heplake']);
});

test('plugin code does nothing that the review refuses', () => {
  const files = (fs.readdirSync(path.join(root, 'src'), { recursive: true }) as string[]).filter((f) => /\.tsx?$/.test(f));
  assert.ok(files.length > 30);
  for (const file of files) {
    const code = fs.readFileSync(path.join(root, 'src', file), 'utf8');
    for (const refused of [/window\.(location|open)/, /console\.log/, /import .*\.css['"]/, /\/api\/ds\/query/, /testDatasource/, /\b(alert|confirm)\(/]) {
      assert.doesNotMatch(code, refused, file);
    }
    if (file.startsWith('ladder/')) {
      assert.doesNotMatch(code, /from '(@grafana|@emotion|\.\.\/)/, `${file}: the ladder stands alone`);
    }
  }
});

const dashboards = path.join(root, '..', 'dashboards');
for (const file of fs.readdirSync(dashboards).filter((f) => f.endsWith('.json'))) {
  test(`dashboard ${file}: portable, and asks only what the datasource answers`, () => {
    const d = read(path.join(dashboards, file));
    assert.equal(d.id, null);
    assert.equal(d.uid, path.basename(file, '.json'));
    assert.ok(d.schemaVersion >= 41 && d.schemaVersion <= 42);
    const ds = d.templating.list.find((v: any) => v.type === 'datasource');
    assert.deepEqual([ds.name, ds.query], ['ds', 'heplake-datasource']);

    const ids = d.panels.map((p: any) => p.id);
    assert.equal(new Set(ids).size, ids.length);
    const taken = new Map<string, number>();
    const variables = new Set<string>(d.templating.list.map((v: any) => v.name));
    for (const p of d.panels) {
      assert.ok(p.title && p.description, `panel ${p.id} says what it shows`);
      const { x, y, w, h } = p.gridPos;
      assert.ok(x >= 0 && x + w <= 24, p.title);
      for (let i = x; i < x + w; i++) {
        for (let j = y; j < y + h; j++) {
          assert.equal(taken.get(`${i} ${j}`), undefined, `${p.title} lies over panel ${taken.get(`${i} ${j}`)}`);
          taken.set(`${i} ${j}`, p.id);
        }
      }
      for (const t of p.targets) {
        assert.deepEqual(t.datasource, { type: 'heplake-datasource', uid: '${ds}' });
        assert.ok(queryTypes.some((q) => q.value === t.queryType), t.queryType);
        if (t.queryType === 'series') {
          assert.ok(metrics.some((m) => m.value === t.metric), t.metric);
          assert.ok(!t.groupBy || groupColumns.some((g) => g.value === t.groupBy), t.groupBy);
        }
        for (const [, name] of JSON.stringify(t).matchAll(/\$\{?(?!__)(\w+)/g)) {
          assert.ok(variables.has(name), `$${name} in ${p.title}`);
        }
        for (const [macro] of (t.sql ?? '').matchAll(/\$__\w+/g)) {
          assert.ok(['$__timeFilter', '$__interval_s', '$__fromTime', '$__toTime', '$__timeInterval'].includes(macro), macro);
        }
      }
    }
  });
}
