import { CoreApp, DataSourceInstanceSettings, ScopedVars, TimeRange } from '@grafana/data';
import { DataSourceWithBackend, getTemplateSrv } from '@grafana/runtime';
import type { Field, FieldSource } from './FilterBuilder';
import { defaultQuery, FilterTarget, HeplakeQuery, HeplakeSettings } from './types';
import { quoteForFilter, quoteForSQL } from './variables';

/** All work is done in the backend; here only dashboard variables are filled in. */
export class HeplakeDatasource extends DataSourceWithBackend<HeplakeQuery, HeplakeSettings> {
  constructor(settings: DataSourceInstanceSettings<HeplakeSettings>) {
    super(settings);
  }

  override getDefaultQuery(app: CoreApp): Partial<HeplakeQuery> {
    if (app === CoreApp.UnifiedAlerting || app === CoreApp.CloudAlerting) {
      return { queryType: 'series', metric: 'errors', filter: '' };
    }
    return defaultQuery;
  }

  override applyTemplateVariables(query: HeplakeQuery, scopedVars: ScopedVars): HeplakeQuery {
    const srv = getTemplateSrv();
    const plain = (text: string | undefined) => (text ? srv.replace(text, scopedVars) : text);
    return {
      ...query,
      filter: query.filter ? srv.replace(query.filter, scopedVars, quoteForFilter) : query.filter,
      callId: plain(query.callId),
      metric: plain(query.metric),
      groupBy: plain(query.groupBy),
      sql: query.sql ? srv.replace(query.sql, scopedVars, quoteForSQL) : query.sql,
    };
  }

  override interpolateVariablesInQueries(queries: HeplakeQuery[], scopedVars: ScopedVars): HeplakeQuery[] {
    return queries.map((q) => ({ ...this.applyTemplateVariables(q, scopedVars), datasource: this.getRef() }));
  }

  private described?: Promise<Record<FilterTarget, Field[]>>;

  /** What the form of a filter knows: fields of what the filter is about, and their values in a time range. */
  fieldSource(target: FilterTarget, range?: TimeRange): FieldSource {
    return {
      fields: async () => {
        this.described ??= this.getResource('fields');
        try {
          return (await this.described)[target] ?? [];
        } catch (e) {
          this.described = undefined; // the next who asks tries again
          throw e;
        }
      },
      values: async (field, prefix) => {
        const times = range ? { from: range.from.valueOf(), to: range.to.valueOf() } : {};
        const { values } = await this.getResource('values', { field, prefix, ...times });
        return (values as Array<{ value: string }>).map((v) => v.value);
      },
    };
  }

  /** Leaves out queries that lack what they need, so that a half-typed one is no error. */
  override filterQuery(query: HeplakeQuery): boolean {
    if (query.hide) {
      return false;
    }
    switch (query.queryType) {
      case 'flow':
      case 'quality':
        return Boolean(query.callId?.trim());
      case 'sql':
        return Boolean(query.sql?.trim());
      default:
        return true;
    }
  }

  override getQueryDisplayText(query: HeplakeQuery): string {
    return [query.queryType, query.callId ?? query.metric ?? query.sql, query.filter].filter(Boolean).join(' ');
  }
}
