import { ChangeEvent, useMemo } from 'react';
import { css } from '@emotion/css';
import { CoreApp, GrafanaTheme2, QueryEditorProps } from '@grafana/data';
import { Combobox, InlineField, InlineFieldRow, Input, MultiCombobox, RadioButtonGroup, useStyles2 } from '@grafana/ui';
import { HeplakeDatasource } from './datasource';
import { FilterInput } from './FilterInput';
import { SqlEditor } from './SqlEditor';
import { defaultQuery, defaultSQL, filterTarget, groupColumns, HeplakeQuery, HeplakeSettings, metrics, queryTypes, QueryType } from './types';

type Props = QueryEditorProps<HeplakeDatasource, HeplakeQuery, HeplakeSettings>;

/** What alert rules can use: types that give numbers over time. */
const alertTypes: QueryType[] = ['series', 'sql'];

export function QueryEditor({ query: given, onChange, onRunQuery, app, datasource, range }: Props) {
  const styles = useStyles2(getStyles);
  const query: HeplakeQuery = { ...defaultQuery, ...given };
  const alerting = app === CoreApp.UnifiedAlerting || app === CoreApp.CloudAlerting;
  const types = queryTypes.filter((t) => !alerting || alertTypes.includes(t.value));
  const set = (change: Partial<HeplakeQuery>) => onChange({ ...query, ...change });
  const setAndRun = (change: Partial<HeplakeQuery>) => {
    set(change);
    onRunQuery();
  };

  const target = filterTarget(query);
  const [from, to] = [range?.from.valueOf(), range?.to.valueOf()];
  // eslint-disable-next-line react-hooks/exhaustive-deps -- a range is a new object at each drawing
  const source = useMemo(() => datasource.fieldSource(target, range), [datasource, target, from, to]);

  const needs = {
    callId: ['flow', 'quality', 'logs'].includes(query.queryType),
    filter: ['calls', 'series', 'logs'].includes(query.queryType),
    limit: ['calls', 'logs'].includes(query.queryType),
  };

  const setType = (queryType: QueryType) => {
    const next: HeplakeQuery = { ...query, queryType };
    if (queryType === 'sql' && !next.sql) {
      next.sql = defaultSQL;
    }
    if (queryType === 'series' && !next.metric) {
      next.metric = 'messages';
    }
    onChange(next);
    // A call has to be named first, and SQL is run when its writer says so.
    if (queryType !== 'sql' && (next.callId || (queryType !== 'flow' && queryType !== 'quality'))) {
      onRunQuery();
    }
  };

  return (
    <div data-testid="heplake-query-editor" className={styles.editor}>
      <InlineFieldRow>
        <InlineField label="Show" labelWidth={10}>
          <RadioButtonGroup options={types.map(({ value, label }) => ({ value, label }))} value={query.queryType} onChange={setType} />
        </InlineField>
        <span className={styles.about}>{queryTypes.find((t) => t.value === query.queryType)?.description}</span>
      </InlineFieldRow>

      {query.queryType === 'series' && (
        <InlineFieldRow>
          <InlineField label="Figure" labelWidth={10}>
            <Combobox
              id="heplake-metric"
              width={28}
              options={metrics}
              value={query.metric ?? 'messages'}
              createCustomValue
              onChange={(v) => setAndRun({ metric: v.value })}
            />
          </InlineField>
          <InlineField label="Split by" labelWidth={12} tooltip="One series for each value">
            <MultiCombobox
              id="heplake-group"
              width={44}
              options={groupColumns}
              value={split(query.groupBy)}
              createCustomValue
              placeholder="one series for all"
              onChange={(v) => setAndRun({ groupBy: v.map((o) => o.value).join(',') })}
            />
          </InlineField>
        </InlineFieldRow>
      )}

      {needs.callId && (
        <InlineFieldRow>
          <InlineField
            grow
            label="Call-ID"
            labelWidth={10}
            tooltip="The Call-ID of any leg, or the correlation id. All legs of the call are found. Variables work: $callid"
          >
            <Input
              id="heplake-callid"
              value={query.callId ?? ''}
              placeholder={query.queryType === 'logs' ? 'every call' : '1-15155@10.0.0.1 or $callid'}
              spellCheck={false}
              onChange={(e: ChangeEvent<HTMLInputElement>) => set({ callId: e.currentTarget.value.trim() })}
              onBlur={onRunQuery}
              onKeyDown={(e) => e.key === 'Enter' && onRunQuery()}
            />
          </InlineField>
        </InlineFieldRow>
      )}

      {needs.filter && (
        <InlineFieldRow>
          <FilterInput value={query.filter ?? ''} onChange={(filter) => set({ filter })} onRun={onRunQuery} source={source} />
          {needs.limit && (
            <InlineField label="Limit" tooltip="At most this many rows, the newest first">
              <Input
                id="heplake-limit"
                type="number"
                width={12}
                min={1}
                max={10000}
                value={query.limit ?? ''}
                placeholder={query.queryType === 'logs' ? '1000' : '200'}
                onChange={(e: ChangeEvent<HTMLInputElement>) => set({ limit: Number(e.currentTarget.value) || undefined })}
                onBlur={onRunQuery}
              />
            </InlineField>
          )}
        </InlineFieldRow>
      )}

      {query.queryType === 'sql' && <SqlEditor value={query.sql ?? ''} onChange={(sql) => set({ sql })} onRun={onRunQuery} />}
    </div>
  );
}

const split = (list: string | undefined) => (list ?? '').split(',').map((s) => s.trim()).filter(Boolean);

const getStyles = (theme: GrafanaTheme2) => ({
  editor: css({ display: 'flex', flexDirection: 'column', gap: theme.spacing(0.5) }),
  about: css({ alignSelf: 'center', paddingLeft: theme.spacing(1), color: theme.colors.text.secondary, ...theme.typography.bodySmall }),
});
