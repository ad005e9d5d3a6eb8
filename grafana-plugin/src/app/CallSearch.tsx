import {
  SceneComponentProps,
  sceneGraph,
  SceneObjectBase,
  SceneObjectState,
  SceneObjectUrlSyncConfig,
  SceneObjectUrlValues,
  SceneQueryRunner,
} from '@grafana/scenes';
import { css } from '@emotion/css';
import { GrafanaTheme2 } from '@grafana/data';
import { useStyles2 } from '@grafana/ui';
import { useMemo } from 'react';
import { HeplakeQuery } from '../datasource/types';
import { callRows } from './calls';
import { CallsTable } from './CallsTable';
import { buildFilter, emptySearch, SearchFields } from './filter';
import { chosenDatasource, fieldSource, QueryState } from './scene';
import { SearchForm } from './SearchForm';

const limit = 500;

interface CallSearchState extends SceneObjectState {
  fields: SearchFields;
}

const urlKeys: Record<keyof SearchFields, string> = {
  text: 'q',
  callId: 'callid',
  from: 'caller',
  to: 'callee',
  status: 'status',
  outcome: 'outcome',
  kind: 'kind',
};

/** The search form and what it found. The form's fields are in the address, so a search can be sent to somebody. */
export class CallSearch extends SceneObjectBase<CallSearchState> {
  static Component = CallSearchView;
  protected override _urlSync = new SceneObjectUrlSyncConfig(this, { keys: Object.values(urlKeys) });

  constructor(state: Partial<CallSearchState>) {
    const fields = state.fields ?? emptySearch;
    super({
      fields,
      $data: new SceneQueryRunner({ datasource: chosenDatasource, queries: [query(fields)] }),
      ...state,
    });
  }

  /** Searches with these fields. */
  search(fields: SearchFields) {
    this.setState({ fields });
    const runner = this.state.$data as SceneQueryRunner;
    if (runner.isActive) {
      runner.setState({ queries: [query(fields)] });
      runner.runQueries();
    } else {
      // Coming back to the page with another search: what it found before is stale.
      runner.setState({ queries: [query(fields)], data: undefined });
    }
  }

  getUrlState(): SceneObjectUrlValues {
    const { fields } = this.state;
    return Object.fromEntries(
      Object.entries(urlKeys).map(([name, key]) => {
        const value = fields[name as keyof SearchFields];
        return [key, value === emptySearch[name as keyof SearchFields] ? undefined : value];
      })
    );
  }

  updateFromUrl(values: SceneObjectUrlValues) {
    const fields = { ...this.state.fields } as Record<keyof SearchFields, string>;
    for (const [name, key] of Object.entries(urlKeys) as Array<[keyof SearchFields, string]>) {
      const value = values[key];
      if (value === null || typeof value === 'string') {
        fields[name] = value ?? emptySearch[name];
      }
    }
    const next = fields as SearchFields;
    if (JSON.stringify(next) !== JSON.stringify(this.state.fields)) {
      this.search(next);
    }
  }
}

function query(fields: SearchFields): HeplakeQuery {
  return { refId: 'A', queryType: 'calls', filter: buildFilter(fields), limit };
}

function CallSearchView({ model }: SceneComponentProps<CallSearch>) {
  const styles = useStyles2(getStyles);
  const { fields } = model.useState();
  const data = sceneGraph.getData(model).useState();
  const timeRange = sceneGraph.getTimeRange(model);
  const { value: range } = timeRange.useState();
  const uid = sceneGraph.interpolate(model, chosenDatasource.uid);
  const source = useMemo(() => fieldSource(uid, range), [uid, range]);
  const rows = useMemo(() => callRows(data.data?.series ?? []), [data.data]);
  return (
    <div className={styles.page}>
      <SearchForm fields={fields} onSearch={(f) => model.search(f)} source={source} />
      <QueryState
        data={data}
        empty={
          <>
            <h5>No calls found</h5>
            Nothing in this time range matches. Widen the range, or take something out of the search.
          </>
        }
      >
        <div className={styles.count} data-testid="calls-count">
          {rows.length === limit ? `The newest ${limit} that match; there may be more` : `${rows.length} found`}
        </div>
        <CallsTable rows={rows} timeZone={timeRange.getTimeZone()} />
      </QueryState>
    </div>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  page: css({ display: 'flex', flexDirection: 'column', gap: theme.spacing(1), width: '100%', minWidth: 0 }),
  count: css({ color: theme.colors.text.secondary, padding: theme.spacing(0.25, 0), ...theme.typography.bodySmall }),
});
