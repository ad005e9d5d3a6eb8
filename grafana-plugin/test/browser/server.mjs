// Serves the host page, the built plugins, Grafana's icons and fonts, and
// answers queries with the fixtures.
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { callsFrame, flowFrame } from '../wire.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.join(here, '..', '..');
const modules = path.join(root, 'node_modules');
const cache = path.join(root, '.cache');

export const fixture = (name) => JSON.parse(fs.readFileSync(path.join(root, 'test', 'fixtures', `${name}.json`), 'utf8'));

/** Bundles the host unless nothing that goes into it has changed. Returns its path. */
export async function buildHost() {
  const sources = ['test/browser/host.tsx', 'package-lock.json'].map((f) => fs.readFileSync(path.join(root, f)));
  const hash = createHash('sha256').update(Buffer.concat(sources)).digest('hex').slice(0, 16);
  const outfile = path.join(cache, `host-${hash}.js`);
  if (!fs.existsSync(outfile)) {
    fs.rmSync(cache, { recursive: true, force: true });
    await build({
      entryPoints: [path.join(here, 'host.tsx')],
      // Grafana's own components speak to version 5 of the router, scenes to version 6.
      alias: { 'react-router-dom': 'rrd5' },
      bundle: true,
      outfile,
      format: 'iife',
      platform: 'browser',
      target: 'es2022',
      jsx: 'automatic',
      define: { 'process.env.NODE_ENV': '"development"' },
      loader: { '.svg': 'dataurl', '.woff2': 'dataurl', '.ttf': 'dataurl' },
      legalComments: 'none',
      logLevel: 'error',
    });
  }
  return outfile;
}

const font = (family, file, weight) =>
  `@font-face{font-family:'${family}';font-weight:${weight};src:url(/fonts/${file}) format('woff2')}`;

const page = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>host</title><style>
${[400, 500, 600, 700].map((w) => font('Inter', `inter/files/inter-latin-${w}-normal.woff2`, w)).join('\n')}
${[400, 500, 700].map((w) => font('Roboto Mono', `roboto-mono/files/roboto-mono-latin-${w}-normal.woff2`, w)).join('\n')}
body{margin:0}</style></head><body><div id="root"></div>
<script>window.grafanaBootData={settings:{featureToggles:{},buildInfo:{version:'13.2.2'},appSubUrl:'',datasources:{},panels:{},apps:{}},user:{orgRole:'Admin',locale:'en-GB',timezone:'utc'},navTree:[]};window.__grafana_public_path__='/public/';</script>
<script src="/systemjs/dist/system.js"></script><script src="/host.js"></script><script src="/systemjs/dist/extras/amd.js"></script>
</body></html>`;

const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2', '.json': 'application/json' };

/** Starts the server on a free port. `queries` collects the queries that came in. */
export async function serve() {
  const host = await buildHost();
  const queries = [];
  const missing = new Set();
  const folders = {
    '/plugin/': path.join(root, 'dist', 'heplake-app'),
    '/systemjs/': path.join(modules, 'systemjs'),
    '/fonts/': path.join(modules, '@fontsource'),
    '/public/build/': path.join(modules, '@grafana', 'ui', 'dist', 'public'),
  };
  const server = http.createServer((request, response) => {
    const url = decodeURIComponent(request.url.split('?')[0]);
    const send = (status, type, body) => {
      response.writeHead(status, { 'content-type': type });
      response.end(body);
    };
    if (url.startsWith('/api/ds/query')) {
      let body = '';
      request.on('data', (d) => (body += d));
      request.on('end', () => {
        const asked = JSON.parse(body);
        queries.push(...asked.queries);
        send(200, 'application/json', JSON.stringify({ results: Object.fromEntries(asked.queries.map((q) => [q.refId, answer(q)])) }));
      });
      return;
    }
    const resource = /^\/api\/datasources\/uid\/[^/]+\/resources\/(\w+)$/.exec(url)?.[1];
    if (resource === 'fields') {
      return send(200, 'application/json', JSON.stringify(fixture('fields')));
    }
    if (resource === 'values') {
      const asked = new URL(request.url, 'http://x').searchParams;
      const values = ['sipp-3.6.1 lab', 'Kamailio lab A'].filter((v) => v.startsWith(asked.get('prefix') ?? '')).map((value) => ({ value, count: 1 }));
      return send(200, 'application/json', JSON.stringify({ field: asked.get('field'), values, truncated: false }));
    }
    // GlobalStyles names fonts that only Grafana's own build holds; ours are in the page's style.
    // Two icons are not in the package.
    if (url === '/favicon.ico' || url.startsWith('/public/fonts/') || /\/(angle-double-left|spinner)\.svg$/.test(url)) {
      return send(204, types['.woff2'], '');
    }
    if (url === '/host.js') {
      return fs.createReadStream(host).pipe(response.writeHead(200, { 'content-type': types['.js'] }));
    }
    const [prefix, folder] = Object.entries(folders).find(([p]) => url.startsWith(p)) ?? [];
    if (prefix) {
      const file = path.join(folder, url.slice(prefix.length));
      if (file.startsWith(folder) && fs.existsSync(file) && fs.statSync(file).isFile()) {
        return send(200, types[path.extname(file)] ?? 'application/octet-stream', fs.readFileSync(file));
      }
    }
    if (url === '/' || url.startsWith('/a/')) {
      return send(200, types['.html'], page);
    }
    missing.add(url);
    send(404, 'text/plain', 'not here');
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  return { url: `http://127.0.0.1:${server.address().port}`, queries, missing, close: () => server.close() };
}

const flows = ['two-legs', 'rtcp', 'cancelled', 'busy', 'unreachable', 'retransmissions', 'hold', 'logs', 'ipv6', 'register'];

/** What the backend would answer, from the fixtures. */
function answer(q) {
  if (q.queryType === 'calls') {
    if (/\bsyntax\b/.test(q.filter ?? '')) {
      return { status: 400, error: 'filter: position 1: expected a field, found "syntax"', errorSource: 'downstream' };
    }
    const status = /final_status = (\d+)/.exec(q.filter ?? '');
    const calls = fixture('calls').filter((c) => !status || c.final_status === Number(status[1]));
    return { status: 200, frames: calls.length ? [callsFrame(calls)] : [] };
  }
  if (q.queryType === 'quality') {
    const rtcp = fixture('rtcp');
    return { status: 200, frames: rtcp.legs[0].call_id === q.callId ? [fixture('rtcp.frame')] : [] };
  }
  const flow = flows.map(fixture).find((f) => f.legs.some((l) => l.call_id === q.callId));
  if (q.queryType === 'flow' && flow) {
    return { status: 200, frames: [flowFrame(flow)] };
  }
  return { status: 200, frames: [] };
}
