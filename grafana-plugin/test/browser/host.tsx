// A page with what Grafana gives to plugins: its libraries under their names in
// SystemJS, its theme, router and services. Plugins are loaded from their built
// module.js files, as Grafana does.
import * as React from 'react';
import * as ReactDOM from 'react-dom';
import * as ReactDOMClient from 'react-dom/client';
import * as jsx from 'react/jsx-runtime';
import * as data from '@grafana/data';
import * as runtime from '@grafana/runtime';
import { initializeLoggersRegistry } from '@grafana/runtime/unstable';
// What only Grafana's core sets is not in the package's exports.
// @ts-expect-error no types at this path
import { setPluginPage } from '../../node_modules/@grafana/runtime/dist/esm/components/PluginPage.mjs';
// @ts-expect-error no types at this path
import { setPanelDataErrorView } from '../../node_modules/@grafana/runtime/dist/esm/components/PanelDataErrorView.mjs';
import * as ui from '@grafana/ui';
import * as emotion from '@emotion/css';
import * as emotionReact from '@emotion/react';
import i18next from 'i18next';
import lodash from 'lodash';
import moment from 'moment';
import * as rxjs from 'rxjs';
import { Router } from 'react-router-dom';
import * as router6 from 'react-router-dom-v5-compat';

const win = window as any;
const System = win.System;

const shared: Record<string, any> = {
  react: React,
  'react-dom': ReactDOM,
  'react-dom/client': ReactDOMClient,
  'react/jsx-runtime': jsx,
  '@grafana/data': data,
  '@grafana/ui': ui,
  '@grafana/runtime': runtime,
  '@emotion/css': emotion,
  '@emotion/react': emotionReact,
  'react-router': router6,
  i18next,
  lodash,
  moment,
  rxjs,
};
const load = (plugin: string) => System.import(`${window.origin}/plugin/${plugin ? `${plugin}/` : ''}module.js`);
const manifest = async (plugin: string) => (await fetch(`/plugin/${plugin ? `${plugin}/` : ''}plugin.json`)).json();

/** Values of dashboard variables that the page pretends to have. */
const variables: Record<string, string | string[]> = {};
win.variables = variables;
const format = (value: string | string[], how: any) =>
  typeof how === 'function' ? how(value, {}) : Array.isArray(value) ? value.join(',') : value;
const templates = {
  replace: (text: string, scoped?: any, how?: any) =>
    (text ?? '').replace(/\$\{?(\w+)\}?/g, (whole, name) => {
      const value = scoped?.[name]?.value ?? variables[name];
      return value === undefined ? whole : format(value, how);
    }),
  getVariables: () => [],
  containsTemplate: (text: string) => /\$\{?\w+/.test(text ?? ''),
  updateTimeRange: () => {},
};

const backend = {
  fetch: (o: any) =>
    rxjs.from(
      (async () => {
        const response = await fetch(o.url.startsWith('/') ? o.url : `/${o.url}`, {
          method: o.method ?? 'GET',
          body: o.data ? JSON.stringify(o.data) : undefined,
          headers: { 'content-type': 'application/json', ...o.headers },
        });
        const body = await response.json();
        if (!response.ok) {
          throw { status: response.status, data: body, config: o };
        }
        return { data: body, status: response.status, ok: true, headers: response.headers, config: o };
      })()
    ),
  get: async (url: string) => (await fetch(url)).json(),
};

let datasource: Promise<any> | undefined;
const settings = async () => ({
  id: 7,
  uid: 'heplake-uid',
  name: 'heplake',
  type: 'heplake-datasource',
  access: 'proxy',
  readOnly: false,
  url: '',
  jsonData: {},
  meta: { ...(await manifest('datasource')), module: '', baseUrl: '', info: { logos: { small: '/plugin/img/logo.svg', large: '' } } },
});
const getDatasource = () =>
  (datasource ??= Promise.all([load('datasource'), settings()]).then(([m, s]) => {
    const instance = new m.plugin.DataSourceClass(s);
    instance.meta = s.meta;
    return instance;
  }));
let knownSettings: any;
const datasources = {
  get: () => getDatasource(),
  getInstanceSettings: () => knownSettings,
  getList: () => [knownSettings],
  reload: () => {},
};

/** The part of Grafana's query runner that a scene needs. */
function runRequest(ds: any, request: any) {
  const timeRange = request.range;
  const targets = request.targets.filter((t: any) => !ds.filterQuery || ds.filterQuery(t));
  const start = { state: data.LoadingState.Loading, series: [], timeRange, request };
  if (targets.length === 0) {
    return rxjs.of({ ...start, state: data.LoadingState.Done });
  }
  return rxjs.from(Promise.resolve(ds)).pipe(
    rxjs.switchMap((d: any) => d.query({ ...request, targets })),
    rxjs.map((r: any) => ({
      ...start,
      series: r.data.map((f: any) => data.toDataFrame(f)),
      errors: r.errors,
      error: r.error ?? r.errors?.[0],
      state: r.errors?.length ? data.LoadingState.Error : (r.state ?? data.LoadingState.Done),
    })),
    rxjs.catchError((e: any) =>
      rxjs.of({ ...start, state: data.LoadingState.Error, error: { message: e.data?.message ?? e.message ?? String(e) } })
    ),
    rxjs.startWith(start)
  );
}

async function panelPlugin(id: string) {
  if (id !== 'heplake-ladder-panel') {
    // Core panels are not on npm: a stand-in that says what it got.
    const standIn: any = new data.PanelPlugin((p: any) => (
      <pre data-testid={`panel-${id}`} style={{ margin: 8 }}>
        {id}: {p.data.series.map((f: any) => `${f.name} ${f.length} rows`).join(', ')}
      </pre>
    ));
    standIn.meta = { id, name: id, info: { logos: {} }, module: '', baseUrl: '', type: 'panel' };
    return standIn;
  }
  const [{ plugin }, meta] = await Promise.all([load('ladder-panel'), manifest('ladder-panel')]);
  plugin.meta = { ...meta, module: '', baseUrl: '' };
  return plugin;
}

initializeLoggersRegistry();
runtime.setTemplateSrv(templates as any);
runtime.setBackendSrv(backend as any);
runtime.setDataSourceSrv(datasources as any);
runtime.setRunRequest(runRequest as any);
runtime.setPluginImportUtils({ importPanelPlugin: panelPlugin, getPanelPluginFromCache: () => undefined } as any);
runtime.setReturnToPreviousHook(() => () => {});
(runtime as any).setChromeHeaderHeightHook?.(() => 0);
(runtime as any).setAppEvents?.(new data.EventBusSrv());
(runtime as any).setEchoSrv?.({ addEvent: () => {}, addBackend: () => {}, flush: () => {} });
setPanelDataErrorView(() => <div>no data</div>);
setPluginPage(({ children, pageNav, info, actions, renderTitle, subTitle }: any) => (
  <div style={{ padding: 16, display: 'flex', flexDirection: 'column', minHeight: '100vh', boxSizing: 'border-box' }}>
    <div style={{ opacity: 0.7, fontSize: 12 }}>
      heplake {pageNav?.parentItem && <> / {pageNav.parentItem.text}</>} {pageNav && <> / {pageNav.text}</>}
    </div>
    <div style={{ display: 'flex', gap: 12, alignItems: 'center' }}>
      {renderTitle ? renderTitle(pageNav?.text) : <h3 style={{ margin: '4px 0' }}>{pageNav?.text}</h3>}
      {actions}
      {info}
    </div>
    {subTitle ?? pageNav?.subTitle}
    {pageNav?.children && (
      <ui.TabsBar>
        {pageNav.children.map((tab: any) => (
          <ui.Tab key={tab.url} label={tab.text} active={tab.active} onChangeTab={() => runtime.locationService.push(tab.url)} />
        ))}
      </ui.TabsBar>
    )}
    <div style={{ flex: 1, display: 'flex', flexDirection: 'column' }}>{children}</div>
  </div>
));

// Only now: some exports are replaced by the setters above.
const imports: Record<string, string> = {};
for (const [name, module] of Object.entries(shared)) {
  imports[name] = `https://shared.invalid/${name}`;
  System.set(imports[name], { ...module, default: module.default ?? module, __useDefault: false });
}
System.addImportMap({ imports });

// The editors of panel options are Grafana's own; plugins only name them.
data.standardEditorsRegistry.setInit(() =>
  ['boolean', 'number', 'radio', 'select', 'text'].map((id) => ({ id, name: id, editor: () => null }) as any)
);

let root: ReactDOMClient.Root | undefined;

function show(element: React.ReactNode, mode: 'dark' | 'light') {
  root?.unmount();
  const theme = data.createTheme({ colors: { mode } });
  (runtime.config as any).theme2 = theme;
  document.body.className = `theme-${mode}`;
  document.body.style.background = theme.colors.background.canvas;
  document.body.style.color = theme.colors.text.primary;
  document.body.style.colorScheme = mode;
  root = ReactDOMClient.createRoot(document.getElementById('root')!);
  const AnyRouter = Router as any;
  const LocationProvider = runtime.LocationServiceProvider as any;
  root.render(
    <AnyRouter history={runtime.locationService.getHistory()}>
      <router6.CompatRouter>
        <LocationProvider service={runtime.locationService}>
          <data.ThemeContext.Provider value={theme}>
            <ui.GlobalStyles {...({} as any)} />
            <ui.PortalContainer />
            <Boundary>{element}</Boundary>
          </data.ThemeContext.Provider>
        </LocationProvider>
      </router6.CompatRouter>
    </AnyRouter>
  );
}

class Boundary extends React.Component<{ children: React.ReactNode }, { error?: Error }> {
  override state: { error?: Error } = {};
  static getDerivedStateFromError(error: Error) {
    return { error };
  }
  override render() {
    return this.state.error ? <pre data-testid="crash">{this.state.error.stack}</pre> : this.props.children;
  }
}

async function panel(frames: any[], options: any, mode: 'dark' | 'light', size: { width: number; height: number }, state = 'Done') {
  const plugin = await panelPlugin('heplake-ladder-panel');
  const Panel = plugin.panel;
  const series = frames.map((f) => data.dataFrameFromJSON(f));
  const timeRange = data.getDefaultTimeRange();
  const props = {
    id: 1,
    title: '',
    data: { series, state, timeRange },
    options: { ...plugin.defaults, ...options },
    ...size,
    timeZone: 'utc',
    timeRange,
    fieldConfig: { defaults: {}, overrides: [] },
    replaceVariables: (s: string) => s,
    onOptionsChange: () => {},
    onFieldConfigChange: () => {},
    onChangeTimeRange: () => {},
    eventBus: new data.EventBusSrv(),
    renderCounter: 0,
    transparent: false,
  };
  show(
    <div style={{ margin: 8, border: '1px solid rgba(128,128,128,.25)', ...size }}>
      <Panel {...props} />
    </div>,
    mode
  );
}

async function queryEditor(query: any, mode: 'dark' | 'light', app = data.CoreApp.Dashboard) {
  const { plugin } = await load('datasource');
  const ds = await getDatasource();
  const Editor = plugin.components.QueryEditor;
  win.queries = [];
  win.runs = 0;
  function Page() {
    const [q, setQ] = React.useState(query);
    win.query = q;
    return (
      <div style={{ padding: 12, background: 'var(--none)' }}>
        <Editor datasource={ds} query={q} app={app} onChange={setQ} onRunQuery={() => (win.runs += 1)} />
      </div>
    );
  }
  show(<Page />, mode);
}

async function configEditor(options: any, mode: 'dark' | 'light') {
  const { plugin } = await load('datasource');
  const Editor = plugin.components.ConfigEditor;
  function Page() {
    const [o, setO] = React.useState(options);
    win.options = o;
    return (
      <div style={{ padding: 16, maxWidth: 760 }}>
        <Editor options={o} onOptionsChange={setO} />
      </div>
    );
  }
  show(<Page />, mode);
}

async function app(path: string, mode: 'dark' | 'light') {
  const { plugin } = await load('');
  const Root = plugin.root;
  runtime.locationService.push(path);
  const { Routes, Route } = router6 as any;
  show(
    <Routes>
      <Route path="/a/heplake-app/*" element={<Root basename="/a/heplake-app" meta={{}} query={{}} path="" />} />
    </Routes>,
    mode
  );
}

void settings().then((s) => {
  knownSettings = s;
  win.host = { panel, queryEditor, configEditor, app, data, runtime, load, getDatasource };
});
