import { DataSourcePlugin } from '@grafana/data';
import { ConfigEditor } from './ConfigEditor';
import { HeplakeDatasource } from './datasource';
import { QueryEditor } from './QueryEditor';
import { HeplakeQuery, HeplakeSecrets, HeplakeSettings } from './types';

export const plugin = new DataSourcePlugin<HeplakeDatasource, HeplakeQuery, HeplakeSettings, HeplakeSecrets>(
  HeplakeDatasource
)
  .setConfigEditor(ConfigEditor)
  .setQueryEditor(QueryEditor);
