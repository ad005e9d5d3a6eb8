/** What the app's pages have in common: the data source, the time range, and how they look. */
import { DataSourceVariable, SceneDataState, SceneTimeRange, SceneVariableSet } from '@grafana/scenes';
import { css } from '@emotion/css';
import { DataSourceInstanceSettings, GrafanaTheme2, LoadingState, TimeRange } from '@grafana/data';
import { getDataSourceSrv } from '@grafana/runtime';
import { Alert, LoadingBar, TextLink, useStyles2 } from '@grafana/ui';
import { ReactNode } from 'react';
import type { HeplakeDatasource } from '../datasource/datasource';
import type { FieldSource } from '../datasource/FilterBuilder';
import { datasourceType } from './paths';

/** The data source that queries of the app go to: the one chosen in the page's head. */
export const chosenDatasource = { type: datasourceType, uid: '${ds}' };

export const pageVariables = () =>
  new SceneVariableSet({
    variables: [new DataSourceVariable({ name: 'ds', label: 'Data source', pluginId: datasourceType })],
  });

export const pageTimeRange = () => new SceneTimeRange({ from: 'now-1h', to: 'now' });

export function heplakeDatasources(): DataSourceInstanceSettings[] {
  return getDataSourceSrv().getList({ pluginId: datasourceType });
}

/** Fields of calls and their values, from the data source that the page has chosen. */
export function fieldSource(uid: string, range: TimeRange): FieldSource {
  const source = async () => ((await getDataSourceSrv().get(uid)) as unknown as HeplakeDatasource).fieldSource('calls', range);
  return {
    fields: async () => (await source()).fields(),
    values: async (field, prefix) => (await source()).values(field, prefix),
  };
}

/** The ways a query can come back without rows, said in words; else what is to be shown. */
export function QueryState({ data, empty, children }: { data: SceneDataState; empty: ReactNode; children: ReactNode }) {
  const styles = useStyles2(getStyles);
  const state = data.data?.state;
  const error = data.data?.errors?.[0] ?? data.data?.error;
  const loading = state === undefined || state === LoadingState.Loading || state === LoadingState.NotStarted;
  const rows = (data.data?.series ?? []).reduce((n, f) => n + f.length, 0);
  const notices = (data.data?.series ?? []).flatMap((f) => f.meta?.notices ?? []);
  if (heplakeDatasources().length === 0) {
    return (
      <Alert severity="info" title="No heplake data source yet">
        The app needs one to know where its ClickHouse is.{' '}
        <TextLink href="/connections/datasources/new" inline>
          Add a data source
        </TextLink>{' '}
        of type heplake.
      </Alert>
    );
  }
  return (
    <div className={styles.state}>
      <div className={styles.bar}>{loading && <LoadingBar width={400} />}</div>
      {error && state === LoadingState.Error && (
        <Alert severity="error" title="The query failed">
          {error.message ?? error.data?.message ?? 'No reason was given.'}
        </Alert>
      )}
      {notices.map((n) => (
        <Alert key={n.text} severity={n.severity} title={n.text} />
      ))}
      {rows > 0 ? children : !loading && !error && <div className={styles.empty}>{empty}</div>}
    </div>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  state: css({ display: 'flex', flexDirection: 'column', flex: '1 0 auto', width: '100%', minWidth: 0 }),
  bar: css({ height: 2, overflow: 'hidden' }),
  empty: css({ padding: theme.spacing(5, 2), textAlign: 'center', color: theme.colors.text.secondary }),
});
