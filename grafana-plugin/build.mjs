// Builds the app and its two nested plugins into dist/heplake-app, the folder
// that Grafana loads. Each module.js is one AMD module: what Grafana shares with
// plugins stays an import, everything else is inside.
import { context, build } from 'esbuild';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(fileURLToPath(import.meta.url));
const src = path.join(root, 'src');
const out = path.join(root, 'dist', 'heplake-app');
const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));

/** The libraries that Grafana gives to plugins. @grafana/i18n is not among them, so it is bundled. */
const shared = [
  '@emotion/css',
  '@emotion/react',
  '@grafana/data',
  '@grafana/runtime',
  '@grafana/ui',
  'i18next',
  'lodash',
  'moment',
  'react',
  'react-dom',
  'react-dom/client',
  'react-router',
  'react/jsx-runtime',
  'rxjs',
];

/** Source folder of each plugin, and the folder of dist it goes to. */
const plugins = [
  { from: 'app', manifest: src, to: out },
  { from: 'datasource', manifest: path.join(src, 'datasource'), to: path.join(out, 'datasource') },
  { from: 'ladder-panel', manifest: path.join(src, 'ladder-panel'), to: path.join(out, 'ladder-panel') },
];

/** Wraps a CommonJS bundle into the define() call that Grafana's loader takes. */
function amd(code) {
  const needs = [...new Set([...code.matchAll(/\brequire\("([^"]+)"\)/g)].map((m) => m[1]))].sort();
  const unknown = needs.filter((n) => !shared.includes(n));
  if (unknown.length > 0) {
    throw new Error(`the bundle asks Grafana for modules that it does not share: ${unknown.join(', ')}`);
  }
  const head = `define(${JSON.stringify(['exports', ...needs])}, function (exports) {
var given = Array.prototype.slice.call(arguments, 1), names = ${JSON.stringify(needs)};
var require = function (name) { return given[names.indexOf(name)]; };
var module = { exports: {} };
`;
  return `${head}${code}\nObject.assign(exports, module.exports);\n});\n`;
}

/** esbuild plugin: writes module.js in AMD form. */
const writeAmd = (to) => ({
  name: 'amd',
  setup(b) {
    b.onEnd((result) => {
      const js = result.outputFiles?.find((f) => f.path.endsWith('.js'));
      if (js) {
        fs.mkdirSync(to, { recursive: true });
        fs.writeFileSync(path.join(to, 'module.js'), amd(js.text));
      }
    });
  },
});

function manifest(dir, to) {
  const text = fs
    .readFileSync(path.join(dir, 'plugin.json'), 'utf8')
    .replaceAll('%VERSION%', version)
    .replaceAll('%TODAY%', buildDate());
  JSON.parse(text);
  fs.mkdirSync(to, { recursive: true });
  fs.writeFileSync(path.join(to, 'plugin.json'), text);
  fs.cpSync(path.join(src, 'img'), path.join(to, 'img'), { recursive: true });
}

/** The release's date when the build is asked to be reproducible, else today's. */
function buildDate() {
  const epoch = process.env.SOURCE_DATE_EPOCH;
  return (epoch ? new Date(Number(epoch) * 1000) : new Date()).toISOString().slice(0, 10);
}

const watch = process.argv.includes('--watch');
const started = Date.now();
const sizes = [];
for (const p of plugins) {
  manifest(p.manifest, p.to);
  const options = {
    entryPoints: [path.join(src, p.from, p.from === 'datasource' ? 'module.ts' : 'module.tsx')],
    bundle: true,
    write: false,
    outdir: p.to,
    format: 'cjs',
    platform: 'browser',
    target: 'es2022',
    jsx: 'automatic',
    external: shared,
    minify: !watch,
    sourcemap: watch ? 'inline' : false,
    legalComments: 'none',
    logLevel: 'warning',
    define: { 'process.env.NODE_ENV': '"production"' },
    plugins: [writeAmd(p.to)],
  };
  if (watch) {
    await (await context(options)).watch();
  } else {
    await build(options);
    sizes.push(`${p.from} ${Math.round(fs.statSync(path.join(p.to, 'module.js')).size / 1024)} KB`);
  }
}
// The datasource offers the dashboards that the repository keeps.
for (const file of fs.readdirSync(path.join(root, '..', 'dashboards'))) {
  if (file.endsWith('.json')) {
    fs.cpSync(path.join(root, '..', 'dashboards', file), path.join(out, 'datasource', 'dashboards', file));
  }
}
fs.copyFileSync(path.join(root, '..', 'LICENSE'), path.join(out, 'LICENSE'));
fs.copyFileSync(path.join(root, 'README.md'), path.join(out, 'README.md'));
process.stdout.write(watch ? 'watching src/\n' : `built dist/heplake-app in ${Date.now() - started} ms: ${sizes.join(', ')}\n`);
